"""Exceptions of signal handlers that interrupt reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from races.harness import run

if TYPE_CHECKING:
    from races.harness import LoopbackSts


def test_an_exception_of_a_signal_handler_leaves_no_lock_taken(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("signal_storm.py", environ, 2_500)
    # Python 3.11 itself writes to stderr if an exception interrupts `Thread.start`.
    assert ended.status == 0, ended.err
    assert ended.out == "2500 1\n"
    assert sts.calls
