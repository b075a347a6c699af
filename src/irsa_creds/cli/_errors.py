"""Wrong usage and exit statuses: what all commands share without a parser of arguments."""

from __future__ import annotations

__all__ = ["SIGNALLED", "UsageError"]

#: What a shell reports for a program that a signal has ended: this and the signal's number.
SIGNALLED = 128


class UsageError(Exception):
    """What was asked for makes no sense: shown like argparse's own errors, exit status 2."""
