"""A signal handler that raises while the main thread reads, as Celery's soft time limit does.

Args: how many exceptions are to hit a read.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import irsa_creds

if TYPE_CHECKING:
    from types import FrameType

LONGEST = 80.0


class SoftTimeLimitError(Exception):
    """The exception of the handler."""


def read_until_interrupted(provider: irsa_creds.Provider, seconds: float, *, cold: bool) -> None:
    """Read on the slow path, which takes locks and schedules, and where the handler raises."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # With a limit: Python drops an exception that is raised in a weak reference's callback.
    for _ in range(5 if cold else 200):
        if cold:
            provider.invalidate()
        provider.prefetch()
        provider.get(min_ttl=1)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _leaves_locks_of_python(frame: FrameType | None) -> bool:
    """Whether Python would leave a lock taken itself: `Thread.start` contains a `with`."""
    # The next signal may arrive inside this handler, which then stands on top of `Thread.start`.
    while frame is not None:
        if frame.f_code.co_filename == threading.__file__:
            return sys.version_info >= (3, 14)
        frame = frame.f_back
    return False


def main(wanted: int) -> None:
    """Read until enough reads were interrupted; then everything must still work."""
    provider = irsa_creds.provider()
    provider.get()

    def handler(_: int, frame: FrameType | None) -> None:
        if not _leaves_locks_of_python(frame):
            raise SoftTimeLimitError
        signal.setitimer(signal.ITIMER_REAL, 2e-4)

    signal.signal(signal.SIGALRM, handler)
    hits, ends = 0, time.monotonic() + LONGEST
    generator = random.Random(1)
    while hits < wanted and time.monotonic() < ends:
        try:
            read_until_interrupted(provider, generator.uniform(5e-6, 1.5e-4), cold=hits % 10 == 0)
        except SoftTimeLimitError:
            hits += 1
    done: list[str] = []

    def read() -> None:
        provider.invalidate()
        done.append(provider.get(timeout=20).access_key_id)

    # The main thread may own a lock that it left taken, for which others would wait for ever.
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    sys.stdout.write(f"{hits} {len(done)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
