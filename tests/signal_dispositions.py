"""Signals that are ignored where the tests run: nohup(1), a shell's background job, a CI runner."""

from __future__ import annotations

import signal

__all__ = ["unignore"]

# Python itself ignores these, and gives them back to the programs that it starts.
_OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


def unignore() -> None:
    """Let every program that is started from here have the default action of each signal.

    A signal that was ignored when this process started stays ignored in the programs that it
    starts; one with a handler does not. The handler does nothing, so that this process still
    outlives a terminal that closes, as nohup(1) promised. SIGINT gets Python's own handler, because
    tests interrupt themselves by it.
    """
    for number in signal.valid_signals() - _OF_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            interrupts = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if interrupts else _do_nothing)


def _do_nothing(number: int, frame: object) -> None:
    pass
