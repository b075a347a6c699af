"""The standard library's pools, with workers by fork, spawn and forkserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frameworks.replies import Replies, Reply
from frameworks.servers import run

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.servers import Cluster

pytestmark = pytest.mark.real


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("pool", ["multiprocessing", "futures"])
def test_workers_read_through_refreshes_and_a_death(
    pool: str, method: str, cluster: Cluster, tmp_path: Path
) -> None:
    out, _ = run("pools.py", cluster.environ, tmp_path, pool, method)
    replies = Replies(map(Reply.of, out.splitlines()))
    cluster.check(replies, inherited=method == "fork", spare=2)
