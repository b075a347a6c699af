"""Measures a boto3 program from outside, as a tracing library does: it does not know of it.

What counts is the wait for credentials, not S3's own time: the clock runs from the moment in which
botocore's signer asks for them (`get_frozen_credentials`) to the moment in which it has them. All
the rest of a read is the same on both sides.
"""

from __future__ import annotations

import functools
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from botocore.client import BaseClient

from benchmarks._measure import LIMIT, Pauses

__all__ = ["Probe", "Report"]

# A standstill is known one tick after its end: younger waits are judged in the next report.
_JUDGED_AFTER = 0.1


@dataclass(slots=True)
class Report:
    """What has been measured since the start; `tick_*` since the last report, in seconds."""

    reads: int = 0
    errors: int = 0
    waits: int = 0
    worst: float = 0.0
    tick_errors: int = 0
    tick_worst: float = 0.0
    last_error: str = ""
    warm: bool = False


class Probe:
    """Counts reads, and times what they wait for credentials."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._report = Report()
        self._waiting: dict[int, float] = {}
        self._waited: list[tuple[float, float]] = []
        self._warm_since = float("inf")
        self._pauses = Pauses()

    def watch(self, *classes: type[Any]) -> None:
        """Time these classes of credentials, and count the reads of all clients."""
        for each in classes:
            each.get_frozen_credentials = self._timed(each.get_frozen_credentials)
        BaseClient._make_api_call = self._counted(BaseClient._make_api_call)  # noqa: SLF001

    def report(self) -> dict[str, Any]:
        """Return the counts so far, and begin the next tick."""
        now = time.perf_counter()
        with self._lock:
            report, waited = self._report, self._waited
            self._waited = [wait for wait in waited if wait[1] > now - _JUDGED_AFTER]
            for start, end in waited:
                if end <= now - _JUDGED_AFTER:
                    self._judge(start, end)
            # A read that waits this very moment belongs into the picture, not yet into the count.
            for start in list(self._waiting.values()):
                report.tick_worst = max(report.tick_worst, self._seconds(start, now))
            report.warm = self._warm_since < now
            told = asdict(report)
            report.tick_errors, report.tick_worst = 0, 0.0
        return told

    def _judge(self, start: float, end: float) -> None:
        seconds = self._seconds(start, end)
        self._report.waits += seconds > LIMIT
        self._report.worst = max(self._report.worst, seconds)
        self._report.tick_worst = max(self._report.tick_worst, seconds)

    def _seconds(self, start: float, end: float) -> float:
        """Return how long a read waited; nothing before the first credentials: all must then."""
        if start < self._warm_since:
            return 0.0
        return self._pauses.waited(start, end)

    def _timed(self, original: Any) -> Any:
        @functools.wraps(original)
        def get_frozen_credentials(credentials: Any) -> Any:
            me, start = threading.get_ident(), time.perf_counter()
            self._waiting[me] = start
            try:
                found = original(credentials)
                self._warm_since = min(self._warm_since, time.perf_counter())
                return found
            finally:
                self._waiting.pop(me, None)
                with self._lock:
                    self._waited.append((start, time.perf_counter()))

        return get_frozen_credentials

    def _counted(self, original: Any) -> Any:
        @functools.wraps(original)
        def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
            if operation != "GetObject":
                # botocore's provider has an STS client of its own.
                return original(client, operation, parameters)
            try:
                answer = original(client, operation, parameters)
            except Exception as error:
                self._failed(error)
                raise
            with self._lock:
                self._report.reads += 1
            return answer

        return make_api_call

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self._report.errors += 1
            self._report.tick_errors += 1
            self._report.last_error = f"{type(error).__name__}: {error}"
