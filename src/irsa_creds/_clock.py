"""The clocks: one that counts suspend and ignores NTP, and the wall's."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the engine asks of time; tests bring one that they move by hand."""

    def now(self) -> float:
        """Return seconds since some fixed instant, suspend included."""
        ...

    def wall(self) -> float:
        """Return seconds since the epoch, as the pod believes."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def __init__(self) -> None:
        # Bound once: the hot path calls `now` on every read.
        self.now = boottime if hasattr(time, "CLOCK_BOOTTIME") else _LargerClock().now

    def wall(self) -> float:
        return time.time()


def boottime() -> float:
    """Return seconds since boot, suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _LargerClock:
    """Where there is no BOOTTIME: the larger age of the monotonic and the wall clock."""

    def __init__(self) -> None:
        self._monotonic = time.monotonic()
        self._wall = time.time()

    def now(self) -> float:
        return max(time.monotonic() - self._monotonic, time.time() - self._wall)
