"""Locks that know what the thread that takes them is in the middle of.

A signal's handler or a finalizer may read another identity's credentials wherever this thread is,
inside a change of one engine or of what all engines share. Whoever has the lock that it would wait
for may be waiting for this very thread: so it does not wait for long.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["CountedLock", "LockedOutError", "forget_sections", "inside", "sections_here"]

# No change takes longer than a fraction of it.
_PATIENCE = 0.5
# How many of our locks each thread has or waits for; only the thread itself changes its number.
_sections: dict[int, int] = {}


class LockedOutError(Exception):
    """An interrupted thread does not get the lock: its holder may wait for that thread."""


def sections_here() -> int:
    """Return how many of our locks this very thread has or waits for."""
    return _sections.get(threading.get_ident(), 0)


def forget_sections() -> None:
    """Forget all: in a child the other threads do not exist, and their numbers come again."""
    _sections.clear()


def _enter() -> None:
    me = threading.get_ident()
    _sections[me] = _sections.get(me, 0) + 1


def _leave() -> None:
    me = threading.get_ident()
    left = _sections.pop(me, 0) - 1
    if left > 0:
        _sections[me] = left


@contextlib.contextmanager
def inside(lock: AbstractContextManager[object]) -> Iterator[None]:
    """Hold a lock of what all engines share; those of engines are taken before it."""
    _enter()
    try:
        with lock:
            yield
    finally:
        _leave()


class CountedLock:
    """An engine's; re-entrant, since a signal's handler may read in the middle of a change.

    Attributes:
        depth: how often its owner has it; more than once is such a handler, and it must not wait
            for another thread, which would wait for this lock.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self.depth = 0

    def __enter__(self) -> None:
        if not self._take():
            raise LockedOutError

    def __exit__(self, *_: object) -> None:
        self._let_go()

    @contextlib.contextmanager
    def regardless(self) -> Iterator[None]:
        """Hold it, or go on without where its holder waits for this thread and changes nothing."""
        taken = self._take()
        try:
            yield
        finally:
            if taken:
                self._let_go()

    def is_held_here(self) -> bool:
        """Whether this very thread has it."""
        return self._owner == threading.get_ident()

    def _take(self) -> bool:
        interrupted = sections_here() > 0
        _enter()
        taken = False
        try:
            taken = self._lock.acquire(timeout=_PATIENCE if interrupted else -1)
        finally:
            if not taken:
                _leave()
        if taken:
            self.depth += 1
            self._owner = threading.get_ident()
        return taken

    def _let_go(self) -> None:
        self.depth -= 1
        if not self.depth:
            self._owner = None
        self._lock.release()
        _leave()
