"""1,000 threads without credentials call an STS that returns AccessDenied.

Target: 1 refresh with 1 STS call, and one failure for all.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import Any

from benchmarks._bench import Row, calls_of, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import credentials_of
from irsa_creds.testing import Sandbox

_THREADS = 1000


def run() -> list[Row]:
    """Measure one side after the other."""
    results = {}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.faults.fail("AccessDenied")
        for side in (THEIRS, OURS):
            results[side] = measured("benchmarks.failing_cold", side, (), pod)
        theirs, ours = calls_of(sandbox, THEIRS), calls_of(sandbox, OURS)
    result = results[OURS]
    met = ours == result["flights"] == result["records"] == 1 and result["errors"] == _THREADS
    what = f"{_THREADS:,} threads meet a cold fetch that fails"
    note = (
        f"{result['flights']} refresh, {result['records']} failure, "
        f"{result['errors']:,} typed errors"
    )
    return [
        Row(f"{what}: STS calls", "", theirs, ours, "1", met, note),
        Row(f"{what}: until all know", "s", results[THEIRS]["seconds"], result["seconds"]),
    ]


def main(side: str) -> None:
    """Run the child."""
    logging.disable()
    credentials = credentials_of(side)
    begin = threading.Barrier(_THREADS + 1)
    errors: list[Exception] = []
    threads = [
        threading.Thread(target=_read, args=(credentials, begin, errors)) for _ in range(_THREADS)
    ]
    for thread in threads:
        thread.start()
    ready()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    records = {id(failure) for error in errors if (failure := getattr(error, "failure", None))}
    flights = credentials.provider.status().flights if side == OURS else 0
    print(
        json.dumps(
            {
                "seconds": seconds,
                "errors": len(errors),
                "records": len(records),
                "flights": flights,
            }
        )
    )


def _read(credentials: Any, begin: threading.Barrier, errors: list[Exception]) -> None:
    begin.wait()
    try:
        credentials.get_frozen_credentials()
    except Exception as error:  # noqa: BLE001 - measured
        errors.append(error)


if __name__ == "__main__":
    main(sys.argv[1])
