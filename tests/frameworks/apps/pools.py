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
from frameworks.replies import Replies, Reply, read_and_restart

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import BaseContext

WORKERS = 2
SECONDS = 30


def read_slowly(number: int) -> Reply:
    reply: Reply = read()
    # So that no worker of the pool takes all tasks.
    time.sleep(0.02)
    return reply


def of_multiprocessing(context: BaseContext) -> Replies:
    with context.Pool(WORKERS) as pool:

        def read_all() -> list[Reply]:
            return pool.map_async(read_slowly, range(2 * WORKERS), 1).get(SECONDS)

        def die_of_a_task(_: int) -> None:
            # Without a signal, which could kill a worker that has the queue's lock.
            pool.apply_async(os._exit, (1,))

        # The pool replaces it.
        return read_and_restart(read_all, die_of_a_task, workers=WORKERS)


def of_futures(context: Any) -> Replies:
    pool = ProcessPoolExecutor(WORKERS, context)

    def read_all() -> list[Reply]:
        return list(pool.map(read_slowly, range(2 * WORKERS), timeout=SECONDS))

    def kill(pid: int) -> None:
        nonlocal pool
        os.kill(pid, signal.SIGKILL)
        # A broken pool stays broken, so the program creates another one.
        try:
            pool.submit(read_slowly, 0).result(SECONDS)
        except BrokenProcessPool:
            pool.shutdown()
            pool = ProcessPoolExecutor(WORKERS, context)
        else:
            raise AssertionError("the pool did not break")

    try:
        return read_and_restart(read_all, kill, workers=WORKERS, restarted=WORKERS)
    finally:
        pool.shutdown()


POOLS: dict[str, Callable[[Any], Replies]] = {
    "multiprocessing": of_multiprocessing,
    "futures": of_futures,
}

if __name__ == "__main__":
    if sys.argv[2] == "fork":
        # As in a program that has read its bucket before.
        provider.get()
    POOLS[sys.argv[1]](multiprocessing.get_context(sys.argv[2])).print()
