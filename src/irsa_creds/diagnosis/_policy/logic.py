"""Three-valued truth, and the value of a condition key that only AWS knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Literal, TypeAlias

__all__ = ["UNKNOWN", "Lookup", "Truth", "Unknown", "Values", "all_of", "any_of", "negation"]

# None means unknown (Kleene's strong logic).
Truth: TypeAlias = bool | None


class Unknown(Enum):
    """The value of a condition key that only AWS knows."""

    UNKNOWN = "unknown"


UNKNOWN: Literal[Unknown.UNKNOWN] = Unknown.UNKNOWN

# The values of a condition key in a request; None: the key is absent.
Values: TypeAlias = tuple[str, ...] | Unknown | None

# Returns the values of a condition key.
Lookup: TypeAlias = Callable[[str], Values]


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all are true: False if one is False, else None if one is unknown."""
    found = set(truths)
    return False if False in found else None if None in found else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether one is true: True if one is True, else None if one is unknown."""
    found = set(truths)
    return True if True in found else None if None in found else False


def negation(truth: Truth) -> Truth:
    """Return the opposite; the opposite of unknown is unknown."""
    return None if truth is None else not truth
