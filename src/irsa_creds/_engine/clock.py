"""The clocks: one that counts suspend and ignores NTP, and the wall's."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the engine asks of time; tests bring one that they move by hand."""

    def now(self) -> float:
        """Return seconds since some fixed instant, suspend included."""
        ...

    def wall(self) -> float:
        """Return seconds since the epoch, as the pod believes."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def __init__(self) -> None:
        # Bound once: the hot path calls `now` on every read.
        self.now: Callable[[], float] = _boottime() or _LargerClock().now

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _boottime() -> Callable[[], float] | None:
    """Return the clock that counts suspend and ignores NTP, as one C call; None elsewhere."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:
        return None
    read = functools.partial(time.clock_gettime, clock)
    try:
        read()
    except OSError:
        # Some sandboxes and WebAssembly name the clock, but do not let a process read it.
        return None
    return read


class _LargerClock:
    """Where BOOTTIME cannot be read: the larger age of the monotonic and the wall clock.

    A lead that the wall once had stays: were it set back, credentials would grow younger.
    """

    def __init__(self) -> None:
        self._lead = float("-inf")

    def now(self) -> float:
        # In this order: a pause between the two looks must not count as a lead.
        wall, monotonic = time.time(), time.monotonic()
        self._lead = max(self._lead, wall - monotonic)
        return monotonic + self._lead
