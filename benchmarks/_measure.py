"""What benchmarks and demo measure with: honest clocks, and processes with an environment apart."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LIMIT", "OURS", "THEIRS", "Pauses", "clean_environ"]

OURS, THEIRS = "irsa-creds", "botocore"
#: Seconds; a read that waits longer for its credentials is counted.
LIMIT = 0.05
_TICK = 0.01
_STANDSTILL = 0.005


class Pauses(threading.Thread):
    """Notes when the whole process stood still: a busy machine is no wait for credentials.

    It sleeps 10 ms again and again; what it oversleeps is taken off every wait at that time, on
    both sides alike. A standstill is known one tick after its end.
    """

    def __init__(self) -> None:
        super().__init__(name="pauses", daemon=True)
        self._pauses: deque[tuple[float, float]] = deque(maxlen=5000)
        self.start()

    def run(self) -> None:
        """Sleep, and compare."""
        while True:
            due = time.perf_counter() + _TICK
            time.sleep(_TICK)
            now = time.perf_counter()
            if now - due > _STANDSTILL:
                self._pauses.append((due, now))

    def waited(self, start: float, end: float) -> float:
        """Return the seconds between two instants of `perf_counter`, less the standstills."""
        pauses = list(self._pauses)
        still = sum(max(0.0, min(end, until) - max(start, since)) for since, until in pauses)
        return max(0.0, end - start - still)


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with a pod's, but for the machine's own AWS settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **files, **environ}
