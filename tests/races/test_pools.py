"""Process pools that use clients, sessions and providers of their parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from races.harness import run

if TYPE_CHECKING:
    from irsa_creds.testing import Sandbox


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool_workers_read_s3_with_the_objects_of_their_parent(
    method: str, sandbox: Sandbox
) -> None:
    pod = sandbox.deploy()
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
    ended = run("pools.py", pod.environ, method)
    assert ended.status == 0, ended.err
    assert not ended.err
    assert int(ended.out) == (24 if method == "fork" else 16)
    # Forked workers have the parent's credentials; the others make one call each.
    calls = len(sandbox.sts_calls)
    assert calls == 1 if method == "fork" else 1 < calls <= 3
