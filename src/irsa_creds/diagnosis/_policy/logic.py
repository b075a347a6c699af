"""Truth with a third value, and the value of a condition key that only AWS knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Literal, TypeAlias

__all__ = ["UNKNOWN", "Lookup", "Truth", "Unknown", "Values", "all_of", "any_of", "negation"]

# None: unknown. Kleene's strong logic: an unknown never decides what a known value already does.
Truth: TypeAlias = bool | None


class Unknown(Enum):
    """The value of a condition key that only AWS knows."""

    UNKNOWN = "unknown"


UNKNOWN: Literal[Unknown.UNKNOWN] = Unknown.UNKNOWN

# What a request says of a condition key; None: the key is absent.
Values: TypeAlias = tuple[str, ...] | Unknown | None

# Returns the values of a condition key.
Lookup: TypeAlias = Callable[[str], Values]


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all are true: one that is false decides, else one unknown leaves it open."""
    found = set(truths)
    return False if False in found else None if None in found else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether one is true: one that is decides, else one unknown leaves it open."""
    found = set(truths)
    return True if True in found else None if None in found else False


def negation(truth: Truth) -> Truth:
    """Return the opposite; of unknown, unknown."""
    return None if truth is None else not truth
