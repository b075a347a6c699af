"""gunicorn: a master that forks and replaces workers."""

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
THREADS = {"sync": 1, "gthread": 4, "gevent": 1}


def _restart(worker_class: str, server: Server, pid: int) -> int:
    """Restart in the way for this worker class; return the number of new workers."""
    if worker_class == "sync":
        server.send(signal.SIGHUP)
        return WORKERS
    os.kill(pid, signal.SIGTERM if worker_class == "gthread" else signal.SIGKILL)
    return 1


@pytest.mark.parametrize("preload", [False, True], ids=["forked", "preloaded"])
@pytest.mark.parametrize("worker_class", THREADS)
def test_workers_read_through_refreshes_and_restarts(
    worker_class: str, *, preload: bool, cluster: Cluster, tmp_path: Path
) -> None:
    environ = {**cluster.environ, **({"FETCH_AT_IMPORT": "1"} if preload else {})}
    with listener() as bound:
        options = {
            "--bind": f"fd://{bound.fileno()}",
            "--workers": f"{WORKERS}",
            "--worker-class": worker_class,
            "--threads": f"{THREADS[worker_class]}",
            "--graceful-timeout": "10",
        }
        arguments = ["-m", "gunicorn", *(word for pair in options.items() for word in pair)]
        if preload:
            arguments.append("--preload")
        if preload and worker_class == "gevent":
            # Otherwise gevent patches in the workers, after the master's imports.
            arguments += ["--config", "python:frameworks.apps.patching"]
        arguments.append("frameworks.apps.wsgi:application")
        with Server(arguments, environ, tmp_path, (bound,)) as server:
            port = bound.getsockname()[1]
            replies = read_and_restart(
                lambda: requests(port),
                lambda pid: _restart(worker_class, server, pid),
                workers=WORKERS,
                restarted=WORKERS if worker_class == "sync" else 1,
            )
    cluster.check(replies, inherited=preload, spare=2 if preload else 0)
