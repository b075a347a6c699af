"""`UsageError` and exit statuses as in a shell, for all commands; needs no argument parser."""

from __future__ import annotations

__all__ = ["NOT_EXECUTABLE", "NOT_FOUND", "SIGNALLED", "UsageError"]

#: A shell reports this plus the signal's number for a program that a signal ended.
SIGNALLED = 128
#: As in a shell, for a program that cannot be run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126


class UsageError(Exception):
    """The arguments are invalid: printed like errors of argparse, with exit status 2."""
