"""64 sync and async sessions request credentials at once: 32 botocore, 32 aiobotocore on 4 loops.

Each botocore session is read in a thread of its own, each aiobotocore session in a task; none has
credentials yet. Target: 1 STS call, and one key for all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks._bench import STS, Row, calls_of, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import aio_credentials_of, credentials_of, is_ours, new_loop, on
from irsa_creds.testing import Sandbox

_SESSIONS, _LOOPS = 32, 4


def run(source: str = STS) -> list[Row]:
    """Measure one side after the other.

    Args:
        source: `STS` or `AGENT`.
    """
    with Sandbox() as sandbox:
        pod = pod_for(sandbox, source)
        seconds = {side: measured("benchmarks.herd_both", side, (), pod) for side in (THEIRS, OURS)}
        theirs, ours = calls_of(sandbox, THEIRS), calls_of(sandbox, OURS)
    at = "" if source == STS else f"{source}, "
    what = f"{at}{_SESSIONS} + {_SESSIONS} sync and async sessions, {_LOOPS} loops, cold"
    return [
        Row(f"{what}: {source} calls", "", theirs, ours, "1", ours == 1),
        Row(f"{what}: until all have credentials", "s", seconds[THEIRS], seconds[OURS]),
    ]


def main(side: str) -> None:
    """Run the child."""
    loops = [new_loop() for _ in range(_LOOPS)]
    ready()
    start = time.perf_counter()
    with ThreadPoolExecutor(_SESSIONS + _LOOPS) as pool:
        in_loops = [pool.submit(on, loop, _keys(side)) for loop in loops]
        in_threads = [pool.submit(_key, side) for _ in range(_SESSIONS)]
        keys = {future.result() for future in in_threads}
        keys.update(*(future.result() for future in in_loops))
    seconds = time.perf_counter() - start
    if is_ours(side) and len(keys) != 1:
        raise AssertionError(f"{len(keys)} different keys were handed out.")
    print(json.dumps(seconds))


def _key(side: str) -> str:
    return str(credentials_of(side).get_frozen_credentials().access_key)


async def _keys(side: str) -> list[str]:
    return await asyncio.gather(*(_akey(side) for _ in range(_SESSIONS // _LOOPS)))


async def _akey(side: str) -> str:
    credentials = await aio_credentials_of(side)
    return str((await credentials.get_frozen_credentials()).access_key)


if __name__ == "__main__":
    main(sys.argv[1])
