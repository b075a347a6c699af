"""dask.distributed: workers are processes that are sent how to read, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frameworks.ledger import Ledger, Reply
from frameworks.stage import run

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.stage import Cluster

pytestmark = pytest.mark.real


def test_workers_read_by_a_session_that_came_without_secrets(
    cluster: Cluster, tmp_path: Path
) -> None:
    out, _ = run("cluster.py", cluster.environ, tmp_path)
    cluster.check(Ledger(map(Reply.of, out.splitlines())), spare=2)
