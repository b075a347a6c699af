"""Reads of valid credentials per second: 1 and 16 threads or loops.

Threads share one session; each loop runs in a thread of its own and has its own session, because
loops cannot share aiobotocore's credentials. The sides take turns in one process, for a fraction of
a second each; medians of the rounds. There is no target here: `hot_read` has that of one read.
"""

from __future__ import annotations

import json
import threading
import time
from itertools import repeat
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Row, measured, median_of, pod_for, ready, spread_of
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import aio_credentials_of, credentials_of, new_loop, on
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

_MANY = 16
_ROUNDS = 5
_SECONDS = 0.25
# Reads between two reads of the clock; at 5 µs each they take 1 ms.
_BLOCK = 200


def run() -> list[Row]:
    """Measure."""
    with Sandbox() as sandbox:
        results = measured("benchmarks.reads", "reader", (), pod_for(sandbox))
    return [
        Row(
            f"reads in a second: {what}",
            "",
            median_of(rounds[THEIRS]),
            median_of(rounds[OURS]),
            note=spread_of(rounds[THEIRS], rounds[OURS]),
            more=True,
            raw=rounds,
        )
        for what, rounds in results.items()
    ]


def main() -> None:
    """Run the child."""
    kinds = {
        "1 thread": _threads(1),
        f"{_MANY} threads": _threads(_MANY),
        "1 event loop": _loops(1),
        f"{_MANY} event loops, a thread each": _loops(_MANY),
    }
    ready()
    results: dict[str, dict[str, list[float]]] = {}
    for kind, sides in kinds.items():
        rounds = [{side: _rate(readers) for side, readers in sides.items()} for _ in range(_ROUNDS)]
        results[kind] = {side: [each[side] for each in rounds] for side in sides}
    print(json.dumps(results))


def _threads(number: int) -> dict[str, list[Callable[[float], int]]]:
    """Return for each side a function that reads until an instant and counts."""
    sides = {}
    for side in (THEIRS, OURS):
        read = credentials_of(side).get_frozen_credentials
        read()
        sides[side] = [_thread(read)] * number
    return sides


def _thread(read: Callable[[], Any]) -> Callable[[float], int]:
    def run(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            for _ in repeat(None, _BLOCK):
                read()
            count += _BLOCK
        return count

    return run


def _loops(number: int) -> dict[str, list[Callable[[float], int]]]:
    """Return the same for event loops."""
    return {side: [_loop(side) for _ in range(number)] for side in (THEIRS, OURS)}


def _loop(side: str) -> Callable[[float], int]:
    loop = new_loop()
    read = on(loop, aio_credentials_of(side)).get_frozen_credentials
    on(loop, read())

    async def count(until: float) -> int:
        number = 0
        while time.perf_counter() < until:
            for _ in repeat(None, _BLOCK):
                await read()
            number += _BLOCK
        return number

    return lambda until: on(loop, count(until))


def _rate(readers: list[Callable[[float], int]]) -> float:
    """Return the reads per second of all readers together."""
    counts: list[int] = []
    start = time.perf_counter()
    until = start + _SECONDS
    threads = [
        threading.Thread(target=lambda read=read: counts.append(read(until))) for read in readers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
