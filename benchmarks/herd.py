"""64 sessions of one process request credentials at once, in 32 threads. Target: 1 STS call."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks._bench import STS, Row, calls_of, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import credentials_of
from irsa_creds.testing import Sandbox

_SESSIONS, _THREADS = 64, 32


def run(source: str = STS) -> list[Row]:
    """Measure one side after the other.

    Args:
        source: `STS` or `AGENT`.
    """
    seconds = {}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox, source)
        for side in (THEIRS, OURS):
            seconds[side] = measured("benchmarks.herd", side, (), pod)
        theirs, ours = calls_of(sandbox, THEIRS), calls_of(sandbox, OURS)
    at = "" if source == STS else f"{source}, "
    what = f"{at}{_SESSIONS} sessions cold, {_THREADS} threads"
    return [
        Row(f"{what}: {source} calls", "", theirs, ours, "1", ours == 1),
        Row(f"{what}: until all have credentials", "s", seconds[THEIRS], seconds[OURS]),
    ]


def main(side: str) -> None:
    """Run the child."""
    ready()
    start = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        keys = set(pool.map(lambda _: _key(side), range(_SESSIONS)))
    seconds = time.perf_counter() - start
    if side == OURS and len(keys) != 1:
        raise AssertionError(f"{len(keys)} different keys were handed out.")
    print(json.dumps(seconds))


def _key(side: str) -> str:
    return str(credentials_of(side).get_frozen_credentials().access_key)


if __name__ == "__main__":
    main(sys.argv[1])
