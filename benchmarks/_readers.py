"""Threads and tasks that read credentials again and again, and a count of slow and failed reads."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks._measure import LIMIT, LoopPauses, Pauses
from benchmarks._sessions import aio_credentials_of, credentials_of, new_loop, on

if TYPE_CHECKING:
    from benchmarks._measure import Standstills

__all__ = ["Plan", "Readers"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a child reads.

    Attributes:
        lifetime: of the credentials, in seconds.
        pause: seconds after each read. The machine is then mostly idle: a busy one would delay
            reads for other reasons than credentials.
        seconds: duration.
        threads: number of threads; they share one botocore session.
        tasks: number of tasks in all.
        loops: number of loops for the tasks, each with an aiobotocore session of its own, because
            two loops cannot share aiobotocore's credentials.
        scaled: whether botocore's refresh windows are a quarter and a sixth of the lifetime (15 and
            10 minutes of an hour), or 15 and 10 minutes.
        aged: seconds to date the credentials back by; irsa-creds's next refresh is then due
            immediately, which is the hardest case.
    """

    lifetime: float
    pause: float
    seconds: float
    threads: int = 0
    tasks: int = 0
    loops: int = 1
    scaled: bool = True
    aged: float = 0.0

    def __str__(self) -> str:
        return json.dumps(asdict(self))


class _Tally:
    """Slow and failed reads of a child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reads: list[tuple[float, float, Standstills, bool]] = []
        self._waiting: dict[object, tuple[float, Standstills]] = {}

    def begin(self, reader: object, standstills: Standstills) -> None:
        """Note the start of a read."""
        with self._lock:
            self._waiting[reader] = time.perf_counter(), standstills

    def end(self, reader: object, *, failed: bool) -> None:
        """Note the end of a read."""
        now = time.perf_counter()
        with self._lock:
            start, standstills = self._waiting.pop(reader)
            self._reads.append((start, now, standstills, failed))

    def result(self) -> dict[str, float]:
        """Return counts; a read in progress counts with its time until now."""
        now = time.perf_counter()
        with self._lock:
            hung = [(start, now, still, False) for start, still in self._waiting.values()]
            reads = [
                (still.waited(start, end), failed)
                for start, end, still, failed in (*self._reads, *hung)
            ]
            return {
                "reads": len(reads),
                "errors": sum(failed for _, failed in reads),
                "waits": sum(waited > LIMIT for waited, _ in reads),
                # A slow error counts once.
                "bad": sum(failed or waited > LIMIT for waited, failed in reads),
                "worst": max(waited for waited, _ in reads),
                "hung": len(hung),
            }


class Readers:
    """The sessions of one side, and threads and tasks that read them.

    Args:
        side: the side.
        plan: how they read.
    """

    def __init__(self, side: str, plan: Plan) -> None:
        self._plan = plan
        self._tally = _Tally()
        self._ends_at = 0.0
        self._sync = credentials_of(side) if plan.threads else None
        loops = [new_loop() for _ in range(plan.loops if plan.tasks else 0)]
        self._aio = [(loop, on(loop, aio_credentials_of(side))) for loop in loops]

    @property
    def credentials(self) -> list[Any]:
        """All credentials objects."""
        return [each for each in (self._sync, *(each for _, each in self._aio)) if each is not None]

    def fetch(self) -> None:
        """Get the first credentials of each session."""
        if self._sync is not None:
            self._sync.get_frozen_credentials()
        for loop, credentials in self._aio:
            on(loop, credentials.get_frozen_credentials())

    def run(self) -> dict[str, float]:
        """Read, and return counts."""
        plan = self._plan
        self._ends_at = time.perf_counter() + plan.seconds
        if plan.threads:
            pauses = Pauses()
            for _ in range(plan.threads):
                threading.Thread(target=self._read, args=(pauses,), daemon=True).start()
        for loop, credentials in self._aio:
            asyncio.run_coroutine_threadsafe(self._read_in_tasks(credentials), loop)
        # The last standstill is known a little later.
        time.sleep(plan.seconds + 0.2)
        return self._tally.result()

    def _read(self, pauses: Pauses) -> None:
        me = threading.get_ident()
        while time.perf_counter() < self._ends_at:
            failed = False
            self._tally.begin(me, pauses)
            try:
                self._sync.get_frozen_credentials()  # type: ignore[union-attr]  # there are threads
            except Exception:  # noqa: BLE001 - counted
                failed = True
            self._tally.end(me, failed=failed)
            time.sleep(self._plan.pause)

    async def _read_in_tasks(self, credentials: Any) -> None:
        pauses = LoopPauses()
        ticker = asyncio.create_task(pauses.run())
        number = self._plan.tasks // self._plan.loops
        await asyncio.gather(*(self._aread(credentials, pauses, n / number) for n in range(number)))
        ticker.cancel()

    async def _aread(self, credentials: Any, pauses: LoopPauses, phase: float) -> None:
        # At different moments: the last of a hundred tasks would wait for the others.
        await asyncio.sleep(phase * self._plan.pause)
        me = asyncio.current_task()
        while time.perf_counter() < self._ends_at:
            failed = False
            self._tally.begin(me, pauses)
            try:
                await credentials.get_frozen_credentials()
            except Exception:  # noqa: BLE001 - counted
                failed = True
            self._tally.end(me, failed=failed)
            await asyncio.sleep(self._plan.pause)
