"""One read of valid credentials with `get_frozen_credentials`.

Sync reads run in a tight loop, async ones in a tight loop of `await`s on one event loop. Both sides
run in one process and are timed in turn, so that whatever slows the machine slows both; medians of
many rounds. Targets: 50 times as fast as botocore and 35 times as fast as aiobotocore; on Python
3.14, which made their code faster, 36 and 28 times.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import timeit
from itertools import repeat
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Row, measured, median_of, pod_for, ready, spread_of
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import aio_credentials_of, credentials_of
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_ROUNDS = 15
_READS = 20_000
_SYNC, _ASYNC = (50, 35) if sys.version_info < (3, 14) else (36, 28)


def run() -> list[Row]:
    """Measure."""
    with Sandbox() as sandbox:
        rounds = measured("benchmarks.hot_read", "reader", (), pod_for(sandbox))
    return [
        _row("read of valid credentials, a thread", rounds["sync"], _SYNC),
        _row("read of valid credentials, a task", rounds["async"], _ASYNC),
    ]


def _row(what: str, rounds: list[list[float]], least: int) -> Row:
    each = list(zip(*rounds, strict=True))
    theirs, ours = map(median_of, each)
    target, met = f"ratio >= {least}", theirs >= least * ours
    return Row(what, "ns", theirs, ours, target, met, spread_of(*each), raw={"rounds": rounds})


def main() -> None:
    """Run the child."""
    reads = [credentials_of(side).get_frozen_credentials for side in (THEIRS, OURS)]
    for read in reads:
        read()
    ready()
    rounds = [[timeit.timeit(read, number=_READS) for read in reads] for _ in range(_ROUNDS)]
    sync = [[seconds / _READS * 1e9 for seconds in times] for times in rounds]
    print(json.dumps({"sync": sync, "async": asyncio.run(_main())}))


async def _main() -> list[list[float]]:
    reads = [(await aio_credentials_of(side)).get_frozen_credentials for side in (THEIRS, OURS)]
    for read in reads:
        await read()
    return [[await _timed(read) for read in reads] for _ in range(_ROUNDS)]


async def _timed(read: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    for _ in repeat(None, _READS):
        await read()
    return (time.perf_counter() - start) / _READS * 1e9


if __name__ == "__main__":
    main()
