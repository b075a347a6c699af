"""Processes that end during a refresh or beside the timer: promptly, with status 0, silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from races.harness import run

if TYPE_CHECKING:
    from races.harness import LoopbackSts

# Seconds. A refresh may take 30 s and a caller may wait 35 s: no exit waits for that long.
PROMPTLY = 25.0


@pytest.mark.parametrize("way", ["hung_refresh", "hung_callers", "hung_task"])
def test_a_process_ends_at_once_while_sts_hangs(
    way: str, sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()
    ended = run("leave.py", environ, way)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert ended.seconds < PROMPTLY


def test_a_process_ends_at_once_while_the_timer_sleeps(environ: dict[str, str]) -> None:
    ended = run("leave.py", environ, "asleep")
    assert (ended.status, ended.err) == (0, "")
    assert ended.seconds < PROMPTLY


@pytest.mark.parametrize(
    ("way", "reads"),
    [("atexit_cold", 1), ("atexit_warm", 2), ("atexit_stale", 2), ("thread_at_shutdown", 1)],
)
def test_a_read_at_exit_is_served(way: str, reads: int, environ: dict[str, str]) -> None:
    ended = run("leave.py", environ, way)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "ASIA0000000000000001\n" * reads


def test_a_read_at_exit_while_sts_hangs_ends_at_its_deadline(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()
    ended = run("leave.py", environ, "atexit_hung")
    assert ended.status == 0
    # From Python 3.12 on no thread can start by then: the read calls STS itself.
    assert ended.out in {"RefreshTimeout\n", "ExchangeError\n"}
    assert "Traceback" not in ended.err
    assert ended.seconds < PROMPTLY


@pytest.mark.parametrize("way", ["finalizer", "finalizer_hung"])
def test_a_read_by_a_finalizer_at_exit_does_not_hang(
    way: str, sts: LoopbackSts, environ: dict[str, str]
) -> None:
    if way == "finalizer_hung":
        sts.gate.clear()
    ended = run("leave.py", environ, way)
    assert ended.status == 0
    # Other threads do not run any more, and no module can be imported: only typed errors are left.
    assert ended.out in {"ExchangeError\n", "RefreshTimeout\n"}
    assert "Traceback" not in ended.err
    assert ended.seconds < PROMPTLY
