"""Counts the reads of one kind of reader, threads or tasks, and what they wait for credentials."""

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

# A standstill is known one tick after its end: younger waits are judged in the next report.
_JUDGED_AFTER = 0.1


@dataclass(slots=True)
class Report:
    """What has been measured since the start; `tick_*` since the last report, in seconds.

    Attributes:
        reads: that succeeded.
        errors: reads that failed.
        waits: reads that waited too long for credentials, or do so at this moment.
        worst: the longest wait.
        tick_errors: as `errors`.
        tick_worst: as `worst`.
        last_error: of a read.
        warm: whether every credentials object has had its first fetch; no wait counts before.
        keys: ids of the access keys that were handed out.
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
        credentials: which object was asked, by id.
        loop: when the task's loop stood still; None for a thread.
        start: when it asked.
        let_go: when the task let its loop go; None where it never did.
        end: when it was answered.
    """

    credentials: int
    loop: Standstills | None = None
    start: float = 0.0
    let_go: float | None = None
    end: float = math.inf

    def lets_go(self) -> None:
        """Note that others run on the loop from now on."""
        self.let_go = perf_counter()


class Meter:
    """Counts reads, and judges their waits.

    Args:
        pauses: when the whole process stood still.
        objects: how many credentials objects these readers have.
    """

    def __init__(self, pauses: Standstills, objects: int = 1) -> None:
        self._pauses = pauses
        self._objects = objects
        self._lock = threading.Lock()
        self._report = Report()
        self._waits: set[Wait] = set()
        # When each object had its first credentials.
        self._first: dict[int, float] = {}

    @contextmanager
    def waiting(self, wait: Wait) -> Iterator[Wait]:
        """Note that a read asks for credentials, and when it is answered."""
        with self._lock:
            self._waits.add(wait)
        wait.start = perf_counter()
        try:
            yield wait
        finally:
            wait.end = perf_counter()

    def found(self, wait: Wait, key: str) -> None:
        """Note what it has got."""
        with self._lock:
            self._first.setdefault(wait.credentials, wait.end)
            if key not in self._report.keys:
                self._report.keys.append(key)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a read, and whether it fails."""
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
        until = perf_counter() - _JUDGED_AFTER
        with self._lock:
            over = {wait for wait in self._waits if wait.end <= until}
            self._waits -= over
            # One that is just asking is in the set already, and has no start yet.
            pending = [wait for wait in self._waits if 0.0 < wait.start < until]
            cold = len(self._first) < self._objects
            warm_since = math.inf if cold else max(self._first.values())
        # Without the lock: no read is to wait for its own measuring.
        judged = [self._seconds(wait, wait.end, warm_since) for wait in over]
        # These are in every report until they end, so they are not added up.
        so_far = [self._seconds(wait, until, warm_since) for wait in pending]
        with self._lock:
            report = self._report
            report.warm = warm_since < until
            _judge(report, judged)
            told = replace(report, keys=list(report.keys))
            report.tick_errors, report.tick_worst = 0, 0.0
        _judge(told, so_far)
        return told

    def _seconds(self, wait: Wait, end: float, warm_since: float) -> float:
        """Return how long a read waited; nothing before the first credentials: all must then."""
        if wait.start < warm_since:
            return 0.0
        if wait.loop is None or wait.let_go is None:
            return self._pauses.waited(wait.start, end)
        # Only from here on is a late loop not the wait's own doing: credentials that block their
        # loop make it late themselves.
        let_go = min(wait.let_go, end)
        return self._pauses.waited(wait.start, let_go) + wait.loop.waited(let_go, end)


def _judge(report: Report, waits: list[float]) -> None:
    report.waits += sum(seconds > LIMIT for seconds in waits)
    report.worst = max([report.worst, *waits])
    report.tick_worst = max([report.tick_worst, *waits])
