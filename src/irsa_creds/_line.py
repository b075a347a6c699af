"""Who is to come when: a queue that keeps nobody alive, and in which the last word counts."""

from __future__ import annotations

import heapq
import weakref
from itertools import count
from typing import Generic, TypeVar

__all__ = ["Key", "Line"]

#: The smallest comes first.
Key = tuple[float, ...]
Member = TypeVar("Member")

# Entries of no meaning any more that a short line may have.
_SLACK = 64


class Line(Generic[Member]):
    """Members in the order of their keys, each once; those with the same key as they came.

    All costs are of the logarithm of its length, but for `members`. Nothing here takes a lock.
    """

    def __init__(self) -> None:
        self._numbers = count()
        # What was said later makes an entry meaningless: taking it out of the heap would cost more.
        self._heap: list[tuple[Key, int, weakref.ref[Member]]] = []
        self._valid: weakref.WeakKeyDictionary[Member, int] = weakref.WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._valid)

    def put(self, member: Member, key: Key) -> None:
        """Let `member` come at `key`, instead of where it was before."""
        number = next(self._numbers)
        self._valid[member] = number
        heapq.heappush(self._heap, (key, number, weakref.ref(member)))
        if len(self._heap) > 2 * len(self._valid) + _SLACK:
            self._heap = [entry for entry in self._heap if self._means(entry)]
            heapq.heapify(self._heap)

    def leave(self, member: Member) -> None:
        """Take `member` out, wherever it is."""
        self._valid.pop(member, None)

    def first(self) -> Key | None:
        """Return the key of who comes next; None where there is nobody."""
        while self._heap and not self._means(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, until: Key | None = None) -> Member | None:
        """Take out who comes next; None where there is nobody.

        Args:
            until: who comes later stays.
        """
        while self._heap and (until is None or self._heap[0][0] <= until):
            _, number, reference = heapq.heappop(self._heap)
            member = reference()
            if member is not None and self._valid.get(member) == number:
                del self._valid[member]
                return member
        return None

    def members(self) -> list[Member]:
        """Return all, in no order."""
        return list(self._valid)

    def _means(self, entry: tuple[Key, int, weakref.ref[Member]]) -> bool:
        member = entry[2]()
        return member is not None and self._valid.get(member) == entry[1]
