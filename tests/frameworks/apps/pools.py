"""Pools of the standard library, whose workers read; prints what they replied.

Args: the pool, "multiprocessing" or "futures", and how workers are started: fork, spawn or
forkserver.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from frameworks.apps.reading import provider, read
from frameworks.ledger import Ledger, Reply, live_through

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import BaseContext

WORKERS = 2
SECONDS = 30


def read_slowly(number: int) -> Reply:
    reply: Reply = read()
    # So that no worker of the pool takes all there is to do.
    time.sleep(0.02)
    return reply


def of_multiprocessing(context: BaseContext) -> Ledger:
    with context.Pool(WORKERS) as pool:

        def read_all() -> list[Reply]:
            return pool.map_async(read_slowly, range(2 * WORKERS), 1).get(SECONDS)

        def die_of_a_task(_: int) -> None:
            # Not by a signal: an idle worker holds the queue's lock, and would take it with it.
            pool.apply_async(os._exit, (1,))

        # The pool puts another one in its place.
        return live_through(read_all, die_of_a_task, workers=WORKERS)


def of_futures(context: Any) -> Ledger:
    pool = ProcessPoolExecutor(WORKERS, context)

    def read_all() -> list[Reply]:
        return list(pool.map(read_slowly, range(2 * WORKERS), timeout=SECONDS))

    def kill(pid: int) -> None:
        nonlocal pool
        os.kill(pid, signal.SIGKILL)
        # A broken pool is for good: the program makes another.
        try:
            pool.submit(read_slowly, 0).result(SECONDS)
        except BrokenProcessPool:
            pool.shutdown()
            pool = ProcessPoolExecutor(WORKERS, context)
        else:
            raise AssertionError("the pool did not break")

    try:
        return live_through(read_all, kill, workers=WORKERS, restarted=WORKERS)
    finally:
        pool.shutdown()


POOLS: dict[str, Callable[[Any], Ledger]] = {
    "multiprocessing": of_multiprocessing,
    "futures": of_futures,
}

if __name__ == "__main__":
    if sys.argv[2] == "fork":
        # As a program has by then that has looked at its bucket.
        provider.get()
    POOLS[sys.argv[1]](multiprocessing.get_context(sys.argv[2])).print()
