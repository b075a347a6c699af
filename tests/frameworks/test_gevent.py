"""gevent: patched before irsa-creds is imported, and too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frameworks.replies import Replies, Reply
from frameworks.servers import Server, listener, requests, run

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.servers import Cluster

pytestmark = pytest.mark.real


def test_50_greenlets_wait_for_one_refresh_and_others_run(cluster: Cluster, tmp_path: Path) -> None:
    cluster.sandbox.faults.latency = 2.0
    # With short credentials, a refresh could be due at the first response.
    cluster.sandbox.lifetime = None
    out, err = run("patched_first.py", cluster.environ, tmp_path, "crowd")
    assert not err
    assert len(out.splitlines()) == 50
    assert len(cluster.sandbox.sts_calls) == 1


def test_greenlets_patched_first_read_through_refreshes(cluster: Cluster, tmp_path: Path) -> None:
    out, err = run("patched_first.py", cluster.environ, tmp_path, "refreshes")
    assert not err
    cluster.check(Replies(map(Reply.of, out.splitlines())))


def test_greenlets_patched_late_get_valid_credentials_after_one_warning(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.sandbox.lifetime = None
    out, err = run("patched_late.py", cluster.environ, tmp_path)
    assert _warnings(err) == 1
    assert len(out.split()) == 8
    assert len(set(out.split())) == 1


def test_preloaded_workers_patched_late_use_the_masters_credentials(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.sandbox.lifetime = None
    environ = {**cluster.environ, "FETCH_AT_IMPORT": "1"}
    with listener() as bound:
        arguments = ["-m", "gunicorn", "--bind", f"fd://{bound.fileno()}", "--preload"]
        arguments += ["--worker-class", "gevent", "frameworks.apps.wsgi:application"]
        with Server(arguments, environ, tmp_path, (bound,)) as server:
            replies = [reply for _ in range(5) for reply in requests(bound.getsockname()[1])]
            output = server.output()
    assert len({reply.key for reply in replies}) == 1
    assert _warnings(output) == 1


def _warnings(output: str) -> int:
    """Return the number of irsa-creds's own warnings about gevent."""
    return sum("gevent" in line and "irsa_creds" in line for line in output.splitlines())
