"""Instruments a program from outside, as a tracing library does.

It times the wait for credentials, which is the signer's call of `get_frozen_credentials`, and not
the S3 request, which is the same on both sides.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import asdict
from typing import Any

from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient

from benchmarks._measure import LoopPauses, Pauses
from demo.meter import Meter, Wait
from demo.suspension import NoteSuspension

__all__ = ["READERS", "TASKS", "THREADS", "Probe"]

THREADS, TASKS = READERS = "threads", "tasks"
# Calls of the STS client of botocore's provider are not reads.
_READ = "GetObject"


class Probe:
    """Counts reads and times their waits for credentials, separately for threads and tasks.

    Args:
        loops: number of the tasks' loops, each with its own credentials.
    """

    def __init__(self, loops: int) -> None:
        pauses = Pauses()
        self._meters = {THREADS: Meter(pauses), TASKS: Meter(pauses, objects=loops)}
        self._loops: dict[asyncio.AbstractEventLoop, LoopPauses] = {}
        self._tickers: list[asyncio.Task[None]] = []

    def watch_threads(self, *classes: type[Any]) -> None:
        """Instrument these credentials classes, and boto3's clients."""
        meter = self._meters[THREADS]
        for each in classes:
            each.get_frozen_credentials = _timed(meter, each.get_frozen_credentials)
        BaseClient._make_api_call = _counted(meter, BaseClient._make_api_call)  # noqa: SLF001

    def watch_tasks(self, *classes: type[Any]) -> None:
        """Instrument these credentials classes, and aiobotocore's clients."""
        meter = self._meters[TASKS]
        for each in classes:
            each.get_frozen_credentials = self._timed_task(meter, each.get_frozen_credentials)
        client = AioBaseClient
        client._make_api_call = _counted_task(meter, client._make_api_call)  # noqa: SLF001

    def reports(self) -> dict[str, dict[str, Any]]:
        """Return the counts so far, and begin the next tick."""
        return {readers: asdict(meter.report()) for readers, meter in self._meters.items()}

    def _timed_task(self, meter: Meter, original: Any) -> Any:
        @functools.wraps(original)
        async def get_frozen_credentials(credentials: Any) -> Any:
            with meter.waiting(Wait(id(credentials), self._pauses_here())) as wait:
                found = await NoteSuspension(original(credentials), wait.suspended)
            meter.found(wait, found.access_key)
            return found

        return get_frozen_credentials

    def _pauses_here(self) -> LoopPauses:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = LoopPauses()
            self._tickers.append(loop.create_task(self._loops[loop].run()))
        return self._loops[loop]


def _timed(meter: Meter, original: Any) -> Any:
    @functools.wraps(original)
    def get_frozen_credentials(credentials: Any) -> Any:
        with meter.waiting(Wait(id(credentials))) as wait:
            found = original(credentials)
        meter.found(wait, found.access_key)
        return found

    return get_frozen_credentials


def _counted(meter: Meter, original: Any) -> Any:
    @functools.wraps(original)
    def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
        if operation != _READ:
            return original(client, operation, parameters)
        with meter.reading():
            return original(client, operation, parameters)

    return make_api_call


def _counted_task(meter: Meter, original: Any) -> Any:
    @functools.wraps(original)
    async def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
        if operation != _READ:
            return await original(client, operation, parameters)
        with meter.reading():
            return await original(client, operation, parameters)

    return make_api_call
