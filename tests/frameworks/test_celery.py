"""Celery: a main process that forks children and replaces dead ones."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from frameworks.replies import Replies, Reply
from frameworks.servers import Server, run

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.servers import Cluster

pytestmark = pytest.mark.real


def test_prefork_children_read_through_refreshes_and_a_death(
    cluster: Cluster, tmp_path: Path
) -> None:
    arguments = ["-m", "celery", "--app", "frameworks.apps.tasks", "worker"]
    arguments += ["--pool", "prefork", "--concurrency", "2"]
    # SIGTERM and SIGQUIT wait ten seconds for the dead child's task.
    with Server(arguments, cluster.environ, tmp_path, ending=signal.SIGKILL):
        out, _ = run("caller.py", {}, tmp_path)
    cluster.check(Replies(map(Reply.of, out.splitlines())), inherited=True, spare=2)
