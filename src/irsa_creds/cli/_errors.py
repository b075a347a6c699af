"""`UsageError` and the exit status of signals, for all commands; needs no argument parser."""

from __future__ import annotations

__all__ = ["SIGNALLED", "UsageError"]

#: A shell reports this plus the signal's number for a program that a signal ended.
SIGNALLED = 128


class UsageError(Exception):
    """The arguments are invalid: printed like errors of argparse, with exit status 2."""
