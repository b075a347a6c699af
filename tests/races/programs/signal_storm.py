"""Signals whose handler raises while the main thread reads, as Celery's soft time limit does.

Args: how many exceptions are to hit a read.
"""

from __future__ import annotations

import itertools
import random
import signal
import sys
import threading
import time

import irsa_creds
from irsa_creds._provider import engine_of

LONGEST = 80.0


class SoftTimeLimitError(Exception):
    """What the handler raises."""


def main(wanted: int) -> None:
    """Read until enough reads were interrupted; then everything must still work."""
    provider = irsa_creds.provider()
    provider.get()
    engine = engine_of(provider)
    hits, armed = 0, False

    def handler(*_: object) -> None:
        if armed:
            raise SoftTimeLimitError

    signal.signal(signal.SIGALRM, handler)
    ends = time.monotonic() + LONGEST
    draw = random.Random(1)
    for number in itertools.count():
        if hits >= wanted or time.monotonic() > ends:
            break
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(5e-6, 1.5e-4))
                armed = True
                for _ in range(200):
                    # The slow path: it takes locks, decides and schedules.
                    engine.snapshot.check_at = float("-inf")
                    provider.get(min_ttl=1)
                    if number % 50 == 0:
                        provider.invalidate()
            finally:
                armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        except SoftTimeLimitError:
            hits += 1
    armed = False
    done: list[str] = []

    def read() -> None:
        provider.invalidate()
        done.append(provider.get(timeout=20).access_key_id)

    # The main thread may own what it left taken: others would wait for it for ever.
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    sys.stdout.write(f"{hits} {len(done)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
