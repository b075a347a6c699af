"""1,000 threads and 1,000 tasks without credentials call an STS that is down.

STS returns 500 after 0.1 s, and both libraries retry a few times. Each side is one process: the
threads share a botocore session, and the tasks run on 2 loops with one aiobotocore session each.
Targets: 1 refresh, one failure for all callers, and all callers have it within a thousandth of
botocore's time, counted from the end of the refresh.

botocore's callers try one after another, each for seconds: all 2,000 would take hours. So the bench
counts on both sides how many callers have an error after 20 s. The time for all of them is
extrapolated from these 20 s, and the note that shows it says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from typing import Any

from benchmarks._bench import Row, calls_of, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import (
    aio_credentials_of,
    credentials_of,
    is_ours,
    new_loop,
    on,
)
from irsa_creds.testing import Sandbox

_THREADS, _TASKS, _LOOPS = 1000, 1000, 2
_ALL = _THREADS + _TASKS
_LATENCY = 0.1
_BOUND = 20.0
_TIMES_AS_FAST = 1000


def run() -> list[Row]:
    """Measure one side after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.faults.latency, sandbox.faults.outage = _LATENCY, "500"
        results = {
            side: measured("benchmarks.failing_both", side, (), pod) for side in (THEIRS, OURS)
        }
        calls = {side: calls_of(sandbox, side) for side in results}
    theirs, ours = results[THEIRS], results[OURS]
    what = f"{_THREADS:,} threads, {_TASKS:,} tasks, a cold fetch that fails"
    # Without any error so far, the time for all is longer still.
    whole = _ALL / max(1, theirs["errors"]) * _BOUND
    beyond = ours["seconds"] - ours["longest"]
    return [
        Row(
            f"{what}: have their error after {_BOUND:g} s",
            "",
            theirs["errors"],
            ours["errors"],
            f"{_ALL:,}",
            ours["errors"] == _ALL,
            _extrapolated(theirs["errors"]),
            more=True,
            raw=results,
        ),
        Row(
            f"{what}: STS calls in that time",
            "",
            calls[THEIRS],
            calls[OURS],
            "1 refresh",
            ours["flights"] == ours["records"] == 1,
            f"{ours['flights']} refresh, {ours['records']} failure for all here",
        ),
        Row(
            f"{what}: until all have the error, beyond the refresh",
            "s",
            whole,
            beyond,
            f"ratio >= {_TIMES_AS_FAST:,}",
            whole >= _TIMES_AS_FAST * beyond,
            f"the refresh itself: {ours['longest']:.1f} s; botocore's is extrapolated",
        ),
    ]


def _extrapolated(known: int) -> str:
    if not known:
        return "there nobody knew yet"
    if known == _ALL:
        return ""
    return f"all of them: {_BOUND * _ALL / known / 60:,.0f} min at that pace (extrapolated)"


class _Callers:
    """All callers and their errors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.errors: list[tuple[float, object]] = []
        self.all_failed = threading.Event()

    def failed(self, error: Exception) -> None:
        """Note a caller's error."""
        with self._lock:
            # The error itself would keep its traceback, and with it the caller's locals.
            self.errors.append((time.perf_counter(), getattr(error, "failure", None)))
            if len(self.errors) == _ALL:
                self.all_failed.set()

    def read(self, credentials: Any, begin: threading.Event) -> None:
        """Read in a thread."""
        begin.wait()
        try:
            credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - measured
            self.failed(error)

    async def read_in_tasks(self, credentials: Any) -> None:
        """Read in the tasks of one loop."""
        await asyncio.gather(*(self._aread(credentials) for _ in range(_TASKS // _LOOPS)))

    async def _aread(self, credentials: Any) -> None:
        try:
            await credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - measured
            self.failed(error)


def main(side: str) -> None:
    """Run the child."""
    logging.disable()
    credentials, callers, begin = credentials_of(side), _Callers(), threading.Event()
    loops = [new_loop() for _ in range(_LOOPS)]
    aio = [on(loop, aio_credentials_of(side)) for loop in loops]
    latencies: list[float] = []
    if is_ours(side):
        credentials.provider.subscribe(
            # Each attempt's latency, from the refresh's start.
            lambda event: latencies.append(getattr(event, "latency", 0.0))
        )
    for _ in range(_THREADS):
        threading.Thread(target=callers.read, args=(credentials, begin), daemon=True).start()
    ready()
    start, cpu = time.perf_counter(), time.process_time()
    begin.set()
    for loop, each in zip(loops, aio, strict=True):
        asyncio.run_coroutine_threadsafe(callers.read_in_tasks(each), loop)
    callers.all_failed.wait(_BOUND)
    known = list(callers.errors)
    print(
        json.dumps(
            {
                "errors": len(known),
                "records": len({id(failure) for _, failure in known if failure}),
                "flights": credentials.provider.status().flights if is_ours(side) else 0,
                "longest": max(latencies, default=0.0),
                # In the JSON, to tell a busy machine from irsa-creds's own work.
                "cpu": time.process_time() - cpu,
                "seconds": max((at for at, _ in known), default=start) - start,
            }
        ),
        flush=True,
    )
    # Most of botocore's callers still wait.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
