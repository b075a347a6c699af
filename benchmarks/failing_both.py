"""1,000 threads and 1,000 tasks that have nothing yet meet an STS that is down.

It takes 0.1 s to answer 500, which both libraries try again some times before they give up. Per
side one process: the threads share a botocore session, the tasks run on 2 loops that have an
aiobotocore session each. Targets: 1 flight, one failure record for all, and all know after a
thousandth of botocore's time, counted from the end of the flight.

botocore's callers try one after another, each for seconds: all 2,000 would take hours. So both
sides are looked at after 20 s, and how many callers know by then is what is measured. The time for
all is not, and the note that names it says that it is extrapolated, at the pace of these 20 s.
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
    """Measure, one side after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.faults.latency, sandbox.faults.outage = _LATENCY, "500"
        results = {
            side: measured("benchmarks.failing_both", side, (), pod) for side in (THEIRS, OURS)
        }
        calls = {side: calls_of(sandbox, side) for side in results}
    theirs, ours = results[THEIRS], results[OURS]
    what = f"{_THREADS:,} threads, {_TASKS:,} tasks, a cold fetch that fails"
    # Where none has failed yet, the time for all is longer still.
    whole = _ALL / max(1, theirs["errors"]) * _BOUND
    beyond = ours["seconds"] - ours["flight"]
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
            "1 flight",
            ours["flights"] == ours["records"] == 1,
            f"{ours['flights']} flight, {ours['records']} failure record for all here",
        ),
        Row(
            f"{what}: until all know, beyond the flight",
            "s",
            whole,
            beyond,
            f"ratio >= {_TIMES_AS_FAST:,}",
            whole >= _TIMES_AS_FAST * beyond,
            f"the flight itself: {ours['flight']:.1f} s; botocore's is extrapolated",
        ),
    ]


def _extrapolated(known: int) -> str:
    if not known:
        return "there nobody knew yet"
    if known == _ALL:
        return ""
    return f"all of them: {_BOUND * _ALL / known / 60:,.0f} min at that pace (extrapolated)"


class _Callers:
    """All who ask, and what they got."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.errors: list[tuple[float, object]] = []
        self.all_know = threading.Event()

    def failed(self, error: Exception) -> None:
        """Take note of the error that one got."""
        with self._lock:
            # Not the error itself: its traceback would keep all that the caller held.
            self.errors.append((time.perf_counter(), getattr(error, "failure", None)))
            if len(self.errors) == _ALL:
                self.all_know.set()

    def ask(self, credentials: Any, begin: threading.Event) -> None:
        """Ask in a thread."""
        begin.wait()
        try:
            credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - that is what is measured
            self.failed(error)

    async def ask_in_tasks(self, credentials: Any) -> None:
        """Ask in the tasks of one loop."""
        await asyncio.gather(*(self._aask(credentials) for _ in range(_TASKS // _LOOPS)))

    async def _aask(self, credentials: Any) -> None:
        try:
            await credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - that is what is measured
            self.failed(error)


def main(side: str) -> None:
    """Be the child."""
    logging.disable()
    credentials, callers, begin = credentials_of(side), _Callers(), threading.Event()
    loops = [new_loop() for _ in range(_LOOPS)]
    aio = [on(loop, aio_credentials_of(side)) for loop in loops]
    latencies: list[float] = []
    if is_ours(side):
        credentials.provider.subscribe(
            # Of each attempt, from the flight's start.
            lambda event: latencies.append(getattr(event, "latency", 0.0))
        )
    for _ in range(_THREADS):
        threading.Thread(target=callers.ask, args=(credentials, begin), daemon=True).start()
    ready()
    start, cpu = time.perf_counter(), time.process_time()
    begin.set()
    for loop, each in zip(loops, aio, strict=True):
        asyncio.run_coroutine_threadsafe(callers.ask_in_tasks(each), loop)
    callers.all_know.wait(_BOUND)
    known = list(callers.errors)
    print(
        json.dumps(
            {
                "errors": len(known),
                "records": len({id(failure) for _, failure in known if failure}),
                "flights": credentials.provider.status().flights if is_ours(side) else 0,
                "flight": max(latencies, default=0.0),
                # In the JSON it tells a busy machine from work of our own.
                "cpu": time.process_time() - cpu,
                "seconds": max((at for at, _ in known), default=start) - start,
            }
        ),
        flush=True,
    )
    # Most of the other side's callers still wait for their turn.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
