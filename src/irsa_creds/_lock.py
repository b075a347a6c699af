"""The engine's lock, which knows when the thread that takes it has it already."""

from __future__ import annotations

import threading

__all__ = ["CountedLock"]


class CountedLock:
    """Re-entrant: a signal's handler may read credentials in the middle of a change.

    Attributes:
        depth: how often its owner has it; more than once is such a handler, and it must not wait
            for another thread, which would wait for this lock.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self.depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self.depth += 1
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        if not self.depth:
            self._owner = None
        self._lock.release()

    def is_held_here(self) -> bool:
        """Whether this very thread has it."""
        return self._owner == threading.get_ident()
