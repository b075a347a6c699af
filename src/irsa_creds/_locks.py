"""Locks that no exception of a signal handler leaves taken.

A `with` does not do. From Python 3.14 on it calls `__enter__` like any other method, and the
exception may come right after that; up to 3.13 the compiler leaves the jump at the end of a loop
out of what the block covers.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["hold", "holding", "locked", "try_hold"]

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class _Lock(Protocol):
    """What `threading.Lock` and `threading.RLock` have in common."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...  # noqa: FBT001
    def release(self) -> None: ...


Owner = TypeVar("Owner")


def hold(
    lock: _Lock,
    work: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Return what `work` returns, called while this thread holds `lock`."""
    taken: list[bool] = []
    try:
        # One call in C, which takes the lock and notes it: an exception comes before it or after.
        taken.extend(map(lock.acquire, (True,)))
        return work(*args, **kwargs)
    finally:
        if taken:
            lock.release()


def try_hold(lock: _Lock, work: Callable[[], object]) -> bool:
    """Call `work` while this thread holds `lock`; return False at once where another holds it."""
    taken: list[bool] = []
    try:
        taken.extend(filter(None, map(lock.acquire, (False,))))
        if taken:
            work()
        return bool(taken)
    finally:
        if taken:
            lock.release()


def holding(
    lock_of: Callable[[Any], _Lock],
) -> Callable[
    [Callable[Concatenate[Owner, Arguments], Result]],
    Callable[Concatenate[Owner, Arguments], Result],
]:
    """Return a decorator: this thread holds the lock that its object has while a method runs."""

    def decorate(
        method: Callable[Concatenate[Owner, Arguments], Result],
    ) -> Callable[Concatenate[Owner, Arguments], Result]:
        @functools.wraps(method)
        def held(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            return hold(lock_of(self), method, self, *args, **kwargs)

        return held

    return decorate


#: The decorator for the lock `_lock`.
locked = holding(operator.attrgetter("_lock"))
