"""Reset signals that nohup(1), a shell's background job or a CI runner ignores."""

from __future__ import annotations

import signal

__all__ = ["unignore"]

# Python itself ignores these, and resets them in child processes.
_OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


def unignore() -> None:
    """Give child processes the default action of each signal.

    A child process inherits that a signal is ignored, but not that it has a handler. The handler
    here does nothing, so that this process still survives the end of its terminal, as nohup(1)
    promises. SIGINT gets Python's own handler, because tests interrupt themselves with it.
    """
    for number in signal.valid_signals() - _OF_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            interrupts = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if interrupts else _do_nothing)


def _do_nothing(number: int, frame: object) -> None:
    pass
