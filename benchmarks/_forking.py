"""A child that forks again and again while one of its threads gets the first credentials.

    python -m benchmarks._forking SIDE

No side makes its credentials before: imports are a part of what the thread does.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from benchmarks._bench import ready
from benchmarks._measure import OURS

if TYPE_CHECKING:
    from collections.abc import Callable

_FORKS = 10
# Seconds between two forks, and seconds for all forks, each of which may wait.
_PAUSE, _FORKING = 0.1, 15.0
_HANG = 10


def main(side: str) -> None:
    """Run the child, which forks."""
    logging.disable()
    read = _reader_of(side)
    cpus = os.sched_getaffinity(0)
    ready()
    os.sched_setaffinity(0, {max(cpus)})
    reader = threading.Thread(target=read, daemon=True)
    start, (waiting, go) = time.monotonic(), os.pipe()
    reader.start()
    forks: list[int] = []
    while len(forks) < _FORKS and time.monotonic() - start < _FORKING:
        time.sleep(_PAUSE)
        pid = os.fork()
        if not pid:
            os.close(go)
            _read(read, waiting, cpus)
        forks.append(pid)
    print("forked", flush=True)
    sys.stdin.readline()
    os.close(go)
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in forks]
    hung = ends.count(-signal.SIGALRM)
    failed = len(ends) - ends.count(0) - hung
    print(json.dumps({"forks": len(ends), "failed": failed, "hung": hung}), flush=True)
    os._exit(0)


def _reader_of(side: str) -> Callable[[], object]:
    if side == OURS:
        import irsa_creds  # noqa: PLC0415 - not on the other side

        return lambda: irsa_creds.provider().get()
    from benchmarks._sessions import credentials_of  # noqa: PLC0415 - not on this side

    return lambda: credentials_of(side).get_frozen_credentials()


def _read(read: Callable[[], object], waiting: int, cpus: set[int]) -> None:
    """Run a forked child: wait until the CPU is free, read once, and end."""
    status = 1
    try:
        os.read(waiting, 1)
        os.sched_setaffinity(0, cpus)
        # The default action of the signal ends the process.
        signal.alarm(_HANG)
        read()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
