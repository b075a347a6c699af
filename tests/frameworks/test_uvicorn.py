"""uvicorn with FastAPI and aioboto3: a supervisor that spawns workers, each with its own loop."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from frameworks.replies import read_and_restart
from frameworks.servers import Server, listener, requests

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.servers import Cluster

pytestmark = pytest.mark.real

WORKERS = 2


def test_workers_read_through_refreshes_and_a_death(cluster: Cluster, tmp_path: Path) -> None:
    with listener() as bound:
        arguments = ["-m", "uvicorn", "--fd", f"{bound.fileno()}", "--workers", f"{WORKERS}"]
        arguments.append("frameworks.apps.asgi:application")
        with Server(arguments, cluster.environ, tmp_path, (bound,)):
            port = bound.getsockname()[1]
            replies = read_and_restart(
                lambda: requests(port),
                lambda pid: os.kill(pid, signal.SIGKILL),
                workers=WORKERS,
            )
    cluster.check(replies)
