"""Processes of one pod on one clock, which stands still until the test moves it.

Args: how many, and a file of eight bytes: by how many seconds the clock is ahead.

Each prints a line of JSON when it reads other credentials than before.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path

import irsa_creds

# Before the forks: on a busy machine, a lock holder that imports it looks suspended to the others.
from irsa_creds._exchange import sts  # noqa: F401
from irsa_creds._provider import REGISTRY

_STARTED = time.time()
_PAUSE = 0.01


class SharedClock:
    """The clock of all processes. It stands still, so a busy machine makes no refresh late."""

    def __init__(self, file: str) -> None:
        with Path(file).open("r+b") as opened:
            self._ahead = mmap.mmap(opened.fileno(), 8)

    def now(self) -> float:
        (ahead,) = struct.unpack("d", self._ahead[:8])
        return float(ahead)

    def wall(self) -> float:
        return _STARTED + self.now()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)


def one() -> None:
    """Read until the test ends."""
    provider = irsa_creds.provider()
    last = ""
    while os.getppid() > 1:
        key = provider.get().access_key_id
        if key != last:
            last = key
            os.write(1, (json.dumps({"key": key}) + "\n").encode())
        time.sleep(_PAUSE)


def main(count: int, file: str) -> None:
    # A private name, because no public one takes a clock.
    REGISTRY._clock = SharedClock(file)
    for _ in range(count):
        if not os.fork():
            try:
                one()
            finally:
                os._exit(1)
    for _ in range(count):
        os.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
