"""Counts the reads of threads or of tasks, and times their waits for credentials."""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks._measure import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks._measure import Standstills

__all__ = ["Meter", "Report", "Wait"]

# A standstill is known one tick after its end, so the next report counts younger waits.
_COUNTED_AFTER = 0.1


@dataclass(slots=True)
class Report:
    """Counts since the start, and `tick_*` since the last report; times in seconds.

    Attributes:
        reads: successful reads.
        errors: failed reads.
        waits: reads that waited too long for credentials, including current waits.
        worst: the longest wait.
        tick_errors: as `errors`.
        tick_worst: as `worst`.
        last_error: the last failed read's error.
        warm: whether every credentials object has had its first fetch; earlier waits do not count.
        keys: access key ids in the order of their use.
    """

    reads: int = 0
    errors: int = 0
    waits: int = 0
    worst: float = 0.0
    tick_errors: int = 0
    tick_worst: float = 0.0
    last_error: str = ""
    warm: bool = False
    keys: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Wait:
    """One read's wait for credentials.

    Attributes:
        credentials: id of the credentials object.
        loop: standstills of the task's loop; None for a thread.
        start: start of the wait.
        suspended_at: when the task first suspended; None if it never did.
        end: end of the wait.
    """

    credentials: int
    loop: Standstills | None = None
    start: float = 0.0
    suspended_at: float | None = None
    end: float = math.inf

    def suspended(self) -> None:
        """Note that other tasks run on the loop from now on."""
        self.suspended_at = perf_counter()


class Meter:
    """Counts reads and their waits.

    Args:
        pauses: standstills of the whole process.
        objects: number of credentials objects of these readers.
    """

    def __init__(self, pauses: Standstills, objects: int = 1) -> None:
        self._pauses = pauses
        self._objects = objects
        self._lock = threading.Lock()
        self._report = Report()
        self._waits: set[Wait] = set()
        # The time of each object's first credentials.
        self._first: dict[int, float] = {}

    @contextmanager
    def waiting(self, wait: Wait) -> Iterator[Wait]:
        """Time a read's wait for credentials."""
        with self._lock:
            self._waits.add(wait)
        wait.start = perf_counter()
        try:
            yield wait
        finally:
            wait.end = perf_counter()

    def found(self, wait: Wait, key: str) -> None:
        """Note the key that a read got."""
        with self._lock:
            self._first.setdefault(wait.credentials, wait.end)
            if key not in self._report.keys:
                self._report.keys.append(key)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a read as successful or failed."""
        try:
            yield
        except Exception as error:
            with self._lock:
                self._report.errors += 1
                self._report.tick_errors += 1
                self._report.last_error = f"{type(error).__name__}: {error}"
            raise
        with self._lock:
            self._report.reads += 1

    def report(self) -> Report:
        """Return the counts so far, and begin the next tick."""
        until = perf_counter() - _COUNTED_AFTER
        with self._lock:
            over = {wait for wait in self._waits if wait.end <= until}
            self._waits -= over
            # A wait is in the set a moment before it has a start.
            pending = [wait for wait in self._waits if 0.0 < wait.start < until]
            cold = len(self._first) < self._objects
            warm_since = math.inf if cold else max(self._first.values())
        # Without the lock, because reads must not wait for the measurement.
        ended = [self._seconds(wait, wait.end, warm_since) for wait in over]
        # These are in every report until they end, so they are not added to the total.
        so_far = [self._seconds(wait, until, warm_since) for wait in pending]
        with self._lock:
            report = self._report
            report.warm = warm_since < until
            _count(report, ended)
            counted = replace(report, keys=list(report.keys))
            report.tick_errors, report.tick_worst = 0, 0.0
        _count(counted, so_far)
        return counted

    def _seconds(self, wait: Wait, end: float, warm_since: float) -> float:
        """Return the seconds of a wait; 0 before the first credentials."""
        if wait.start < warm_since:
            return 0.0
        if wait.loop is None or wait.suspended_at is None:
            return self._pauses.waited(wait.start, end)
        # Until the task suspends, a late loop is the fault of the credentials that block it.
        suspended = min(wait.suspended_at, end)
        return self._pauses.waited(wait.start, suspended) + wait.loop.waited(suspended, end)


def _count(report: Report, waits: list[float]) -> None:
    report.waits += sum(seconds > LIMIT for seconds in waits)
    report.worst = max([report.worst, *waits])
    report.tick_worst = max([report.tick_worst, *waits])
