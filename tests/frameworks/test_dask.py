"""dask.distributed: workers that receive a session by pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frameworks.replies import Replies, Reply
from frameworks.servers import run

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.servers import Cluster

pytestmark = pytest.mark.real


def test_workers_read_with_a_pickled_session_without_secrets(
    cluster: Cluster, tmp_path: Path
) -> None:
    out, _ = run("cluster.py", cluster.environ, tmp_path)
    cluster.check(Replies(map(Reply.of, out.splitlines())), spare=2)
