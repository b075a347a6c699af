"""Locks that no exception of a signal handler leaves taken.

A `with` statement is not enough. From Python 3.14 on it calls `__enter__` like any other method,
and the exception may come right after that. Up to 3.13 the block does not cover the jump at the end
of a loop.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class _Lock(Protocol):
        """The common part of `threading.Lock` and `threading.RLock`."""

        def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...  # noqa: FBT001
        def release(self) -> None: ...


__all__ = ["hold", "holding", "locked", "try_hold"]

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")
Owner = TypeVar("Owner")


def hold(
    lock: _Lock,
    work: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Return the result of `work`, called while this thread holds `lock`."""
    taken: list[bool] = []
    try:
        # One call in C takes the lock and notes that: an exception comes before it or after.
        taken.extend(map(lock.acquire, (True,)))
        return work(*args, **kwargs)
    finally:
        if taken:
            lock.release()


def try_hold(lock: _Lock, work: Callable[[], object]) -> bool:
    """Call `work` while this thread holds `lock`; return False at once if another holds it."""
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
    """Return a decorator for methods that run while this thread holds a lock of their object."""

    def decorate(
        method: Callable[Concatenate[Owner, Arguments], Result],
    ) -> Callable[Concatenate[Owner, Arguments], Result]:
        @functools.wraps(method)
        def with_lock(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            return hold(lock_of(self), method, self, *args, **kwargs)

        return with_lock

    return decorate


#: The decorator for methods of an object with the lock `_lock`.
locked = holding(operator.attrgetter("_lock"))
