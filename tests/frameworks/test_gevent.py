"""gevent: greenlets that stand in for threads, patched in before us, and too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frameworks.ledger import Ledger, Reply
from frameworks.stage import Server, listener, requests, run

if TYPE_CHECKING:
    from pathlib import Path

    from frameworks.stage import Cluster

pytestmark = pytest.mark.real


def test_a_crowd_of_greenlets_waits_for_one_refresh_and_no_other_greenlet_does(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.sandbox.faults.latency = 2.0
    # Else a refresh might be due when the first answer comes.
    cluster.sandbox.lifetime = None
    out, err = run("patched_first.py", cluster.environ, tmp_path, "crowd")
    assert not err
    assert len(out.splitlines()) == 50
    assert len(cluster.sandbox.sts_calls) == 1


def test_greenlets_patched_first_read_through_refreshes(cluster: Cluster, tmp_path: Path) -> None:
    out, err = run("patched_first.py", cluster.environ, tmp_path, "refreshes")
    assert not err
    cluster.check(Ledger(map(Reply.of, out.splitlines())))


def test_greenlets_patched_late_are_served_what_is_valid_after_one_warning(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.sandbox.lifetime = None
    out, err = run("patched_late.py", cluster.environ, tmp_path)
    assert _warnings(err) == 1
    assert len(out.split()) == 8
    assert len(set(out.split())) == 1


def test_workers_of_a_preloaded_application_that_gevent_patches_late_serve_what_the_master_had(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.sandbox.lifetime = None
    environ = {**cluster.environ, "FETCH_AT_IMPORT": "1"}
    with listener() as bound:
        arguments = ["-m", "gunicorn", "--bind", f"fd://{bound.fileno()}", "--preload"]
        arguments += ["--worker-class", "gevent", "frameworks.apps.wsgi:application"]
        with Server(arguments, environ, tmp_path, (bound,)) as server:
            replies = [reply for _ in range(5) for reply in requests(bound.getsockname()[1])]
            said = server.said()
    assert len({reply.key for reply in replies}) == 1
    assert _warnings(said) == 1


def _warnings(said: str) -> int:
    """Return how often we said that gevent came late; its own words about that are others."""
    return sum("gevent" in line and "irsa_creds" in line for line in said.splitlines())
