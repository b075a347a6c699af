"""The first of several waiting tasks is cancelled: do the others get credentials?

STS takes 2 s. A task requests credentials first; 0.5 s later other callers wait for them too, and
at 1.2 s the first task is cancelled. In the first variant all are tasks of one loop, which lives
on. In the second the first task has its own loop, which is then closed, while 20 tasks of another
loop and 8 threads wait. In the third that loop lives on, with two more waiting tasks.

All tasks of a side share one aiobotocore session. With aiobotocore's own credentials, a program
that calls `asyncio.run` more than once does the same. aiobotocore's lock belongs to the first loop
that waits for it, so other loops get a RuntimeError; or the lock passes to a task of a loop that
nothing wakes, and the task hangs. A caller without credentials or an error after 10 s counts as an
error.

Target: the same refresh (1 STS call) and no error. The threads have a botocore session, so the
other side needs at least 2 calls if there are threads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Row, calls_of, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import aio_credentials_of, credentials_of, new_loop, on
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

_LATENCY, _JOIN, _CANCEL, _HANG = 2.0, 0.5, 1.2, 10.0
_TASKS, _THREADS = 20, 8
_CASES = {
    "one-loop": f"first task cancelled, {_TASKS} others on its loop",
    "closed": f"first loop closed, {_TASKS} tasks on another, {_THREADS} threads",
    "two-loops": f"one session on two loops, 2 and {_TASKS} tasks",
}


def run() -> list[Row]:
    """Measure one side after the other."""
    rows = []
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.faults.latency = _LATENCY
        for case, what in _CASES.items():
            results = {
                side: measured("benchmarks.cancelled", side, (case,), pod)
                for side in (THEIRS, OURS)
            }
            for side, result in results.items():
                result["calls"] = calls_of(sandbox, side)
            sandbox.reset_calls()
            rows += _rows(what, results)
    return rows


def _rows(what: str, results: dict[str, dict[str, Any]]) -> list[Row]:
    theirs, ours = results[THEIRS], results[OURS]
    kinds = ", ".join(f"{number} {kind}" for kind, number in theirs["kinds"].items())
    met = ours["errors"] == 0
    note = f"there: {kinds}" if kinds else ""
    return [
        Row(f"{what}: errors", "", theirs["errors"], ours["errors"], "0", met, note, raw=results),
        Row(f"{what}: STS calls", "", theirs["calls"], ours["calls"], "1", ours["calls"] == 1),
        Row(f"{what}: until the last has its answer", "s", theirs["seconds"], ours["seconds"]),
    ]


def main(side: str, case: str) -> None:
    """Run the child."""
    logging.disable()
    home = new_loop()
    shared = on(home, aio_credentials_of(side))
    botocores = credentials_of(side)
    ready()
    start = time.perf_counter()
    others: list[Future[Any]] = []
    match case:
        case "one-loop":
            asyncio.run_coroutine_threadsafe(_cancelled(shared), home)
            time.sleep(_JOIN)
        case "closed":
            threading.Thread(target=_cut, args=(shared,), daemon=True).start()
            time.sleep(_JOIN)
            others += [_in_thread(botocores.get_frozen_credentials) for _ in range(_THREADS)]
        case _:
            others += _ask(new_loop(), shared, 2)
            time.sleep(_JOIN)
    others += _ask(home, shared, _TASKS)
    kinds: dict[str, int] = {}
    for future in others:
        kind = _kind(future, start + _HANG)
        if kind:
            kinds[kind] = kinds.get(kind, 0) + 1
    seconds = time.perf_counter() - start
    print(
        json.dumps({"errors": sum(kinds.values()), "kinds": kinds, "seconds": seconds}), flush=True
    )
    # Some may hang forever.
    os._exit(0)


async def _cancelled(credentials: Any) -> None:
    """Start the first read, and cancel it while STS takes its time."""
    task = asyncio.ensure_future(credentials.get_frozen_credentials())
    await asyncio.sleep(_CANCEL)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _cut(credentials: Any) -> None:
    """Do the same on a new loop, and close the loop."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_cancelled(credentials))
    loop.close()


def _ask(loop: asyncio.AbstractEventLoop, credentials: Any, tasks: int) -> list[Future[Any]]:
    return [
        asyncio.run_coroutine_threadsafe(credentials.get_frozen_credentials(), loop)
        for _ in range(tasks)
    ]


def _in_thread(read: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    threading.Thread(target=partial(_fulfil, future, read), daemon=True).start()
    return future


def _fulfil(future: Future[Any], read: Callable[[], Any]) -> None:
    try:
        future.set_result(read())
    except Exception as error:  # noqa: BLE001 - measured
        future.set_exception(error)


def _kind(future: Future[Any], deadline: float) -> str:
    """Return a read's error, or that it hangs; empty for credentials."""
    try:
        future.result(max(0.0, deadline - time.perf_counter()))
    except TimeoutError:
        return "hung"
    except Exception as error:  # noqa: BLE001 - measured
        return type(error).__name__
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
