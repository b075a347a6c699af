"""A signal handler raises in the middle of a read, as Ctrl-C or a soft time limit does.

The main thread reads again and again, each time with a refresh forced by an expiry in the past. A
timer's handler raises at a random moment. Then another thread reads: if that read hangs, the
exception has left a lock taken, and no read of the process ends again. A new process continues.

Target: none hangs.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Row, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import credentials_of
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from irsa_creds.testing import Pod

_SECONDS, _PROCESSES = 8.0, 6
# A read with a forced refresh takes about a millisecond in irsa-creds, and ten in botocore.
_LATEST = {THEIRS: 0.02, OURS: 0.002}
_HANG = 2.0


def run() -> list[Row]:
    """Measure one side after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        results = {side: _interrupted(side, pod) for side in (THEIRS, OURS)}
    theirs, ours = results[THEIRS], results[OURS]
    what = "a signal handler raises in the middle of a read: processes that hang after it"
    note = f"of {theirs['interruptions']:,} and {ours['interruptions']:,} interruptions"
    met = ours["hung"] == 0
    return [Row(what, "", theirs["hung"], ours["hung"], "0", met, note, raw=results)]


def _interrupted(side: str, pod: Pod) -> dict[str, int]:
    """Return the number of interruptions, and how many of them left reads hanging."""
    found = {"interruptions": 0, "hung": 0}
    left = _SECONDS
    for seed in range(_PROCESSES):
        result = measured("benchmarks.signals", side, (seed, left), pod)
        left -= result["seconds"]
        for name in found:
            found[name] += result[name]
        if left <= 0:
            break
    return found


class _InterruptedReadError(BaseException):
    """Raised by the signal handler."""


def main(side: str, seed: int, seconds: float) -> None:
    """Run the child: interrupt reads for some seconds, or until one hangs."""
    logging.disable()
    credentials = credentials_of(side)
    credentials.get_frozen_credentials()
    generator, interruptions, hung = Random(seed), 0, False
    signal.signal(signal.SIGALRM, _raise)
    ready()
    start = time.perf_counter()
    while not hung and time.perf_counter() - start < seconds:
        _interrupt(credentials, generator.uniform(1e-5, _LATEST[side]))
        interruptions += 1
        reader = threading.Thread(target=credentials.get_frozen_credentials, daemon=True)
        reader.start()
        reader.join(_HANG)
        hung = reader.is_alive()
    took = time.perf_counter() - start - _HANG * hung
    print(
        json.dumps({"interruptions": interruptions, "hung": int(hung), "seconds": took}),
        flush=True,
    )
    # Some may hang forever.
    os._exit(0)


def _raise(*_: object) -> None:
    raise _InterruptedReadError


def _interrupt(credentials: Any, seconds: float) -> None:
    """Read until the handler raises."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)  # noqa: SLF001
            credentials.get_frozen_credentials()
    except _InterruptedReadError:
        return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
