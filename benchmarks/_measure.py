"""Clocks and processes for benchmarks and demo."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AS_INSTALLED",
    "LIMIT",
    "OURS",
    "THEIRS",
    "LoopPauses",
    "Pauses",
    "Standstills",
    "clean_environ",
]

OURS, THEIRS = "irsa-creds", "botocore"
#: The first process of a side compiles its modules, into the directories that an installed package
#: has. Another directory for all bytecode would make each import slower.
AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
#: Seconds; a read that waits longer for credentials is counted.
LIMIT = 0.05
_TICK = 0.01
_STANDSTILL = 0.005


class Standstills:
    """Times when a whole process or loop stood still, noticed by a ticker that overslept.

    They are subtracted from all waits of that time, on both sides. A standstill is known one tick
    after its end.
    """

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque(maxlen=5000)

    def note(self, due: float) -> None:
        """Note a tick that was due at an instant of `perf_counter`."""
        now = time.perf_counter()
        if now - due > _STANDSTILL:
            self._spans.append((due, now))

    def waited(self, start: float, end: float) -> float:
        """Return the seconds between two instants of `perf_counter`, less the standstills."""
        spans = list(self._spans)
        still = sum(max(0.0, min(end, until) - max(start, since)) for since, until in spans)
        return max(0.0, end - start - still)


class Pauses(Standstills):
    """Standstills of the whole process: a busy machine is not a wait for credentials."""

    def __init__(self) -> None:
        super().__init__()
        threading.Thread(target=self._tick, name="pauses", daemon=True).start()

    def _tick(self) -> None:
        while True:
            due = time.perf_counter() + _TICK
            time.sleep(_TICK)
            self.note(due)


class LoopPauses(Standstills):
    """Standstills of an event loop.

    If the machine is busy or a task blocks the loop, a task that waits for credentials is late for
    another reason. (aiobotocore's refresh blocks the loop when it creates an STS client. That is
    not counted here, but in the scenario `lag`.)
    """

    async def run(self) -> None:
        """Note standstills until cancelled."""
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            self.note(due)


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with a pod's, without the machine's AWS settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **files, **environ}
