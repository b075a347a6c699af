"""Time: a clock that counts suspend and ignores NTP, the wall clock, and random instants."""

from __future__ import annotations

import functools
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Clock(Protocol):
        """The clocks that an engine uses."""

        def now(self) -> float:
            """Return seconds since some fixed instant, suspend included."""
            ...

        def wall(self) -> float:
            """Return seconds since the epoch by the pod's wall clock, which may be wrong."""
            ...

        def sleep(self, seconds: float) -> None:
            """Let `seconds` pass."""
            ...

        def uniform(self, low: float, high: float, /) -> float:
            """Return a random instant or pause between two: pods must not stay in step."""
            ...


__all__ = ["SystemClock"]


class SystemClock:
    """The machine's own clocks."""

    # Not `random.uniform`: a program that seeds it with the same number in all pods would undo the
    # spread.
    uniform = staticmethod(random.SystemRandom().uniform)

    def __init__(self) -> None:
        # Bound once: each read on the fast path calls `now`.
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
    """The clock of systems without BOOTTIME: the faster of the monotonic and the wall clock.

    It keeps the largest lead of the wall clock. Otherwise credentials would become younger when the
    wall clock is set back.
    """

    def __init__(self) -> None:
        self._lead = float("-inf")

    def now(self) -> float:
        # In this order, so that a pause between the two calls does not count as a lead.
        wall, monotonic = time.time(), time.monotonic()
        self._lead = max(self._lead, wall - monotonic)
        return monotonic + self._lead
