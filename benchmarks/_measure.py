"""What benchmarks and demo measure with: honest clocks, and processes with an environment apart."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LIMIT", "OURS", "THEIRS", "LoopPauses", "Pauses", "Standstills", "clean_environ"]

OURS, THEIRS = "irsa-creds", "botocore"
#: Seconds; a read that waits longer for its credentials is counted.
LIMIT = 0.05
_TICK = 0.01
_STANDSTILL = 0.005


class Standstills:
    """When all of something stood still, by a ticker that overslept: no wait for credentials.

    What the ticker oversleeps is taken off every wait at that time, on both sides alike. A
    standstill is known one tick after its end.
    """

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque(maxlen=5000)

    def note(self, due: float) -> None:
        """Take note that a tick came now that was due at an instant of `perf_counter`."""
        now = time.perf_counter()
        if now - due > _STANDSTILL:
            self._spans.append((due, now))

    def waited(self, start: float, end: float) -> float:
        """Return the seconds between two instants of `perf_counter`, less the standstills."""
        spans = list(self._spans)
        still = sum(max(0.0, min(end, until) - max(start, since)) for since, until in spans)
        return max(0.0, end - start - still)


class Pauses(Standstills):
    """Notes when the whole process stood still: a busy machine is no wait for credentials."""

    def __init__(self) -> None:
        super().__init__()
        threading.Thread(target=self._tick, name="pauses", daemon=True).start()

    def _tick(self) -> None:
        while True:
            due = time.perf_counter() + _TICK
            time.sleep(_TICK)
            self.note(due)


class LoopPauses(Standstills):
    """Notes when a whole event loop stood still: its other tasks were late as well.

    Whether the machine was busy or some task held the loop up, a task that waits for credentials
    at that time is late for a reason that is not its own. (The making of an STS client in
    aiobotocore's refresh is such a reason, and is not counted here: scenario `lag` counts it.)
    """

    async def run(self) -> None:
        """Sleep again and again, and compare."""
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            self.note(due)


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with a pod's, but for the machine's own AWS settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **files, **environ}
