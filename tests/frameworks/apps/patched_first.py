"""gevent patches before anything else is imported; greenlets read, and print what they replied.

Args: "crowd", to read once with many at a time, or "refreshes".
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - what is imported from here on is patched already
import time  # noqa: E402 - as above

import gevent  # noqa: E402 - as above

from frameworks.apps.reading import provider, read  # noqa: E402 - as above
from frameworks.ledger import Ledger, Reply, live_through  # noqa: E402 - as above

CROWD = 50
SECONDS = 30


def read_all(greenlets: int = 8) -> list[Reply]:
    started = [gevent.spawn(read) for _ in range(greenlets)]
    return [each.get(timeout=SECONDS) for each in started]


def beat(stalls: list[float]) -> None:
    last = time.monotonic()
    while True:
        gevent.sleep(0.01)
        now = time.monotonic()
        stalls.append(now - last)
        last = now


def crowd() -> Ledger:
    stalls: list[float] = []
    heart = gevent.spawn(beat, stalls)
    ledger = Ledger(read_all(CROWD))
    heart.kill()
    # STS takes two seconds: the crowd waited for it, and the rest of the program did not.
    assert len(stalls) > 1, "nothing else ran meanwhile"
    assert max(stalls) < 1, max(stalls)
    assert provider.status().flights == 1
    return ledger


def refreshes() -> Ledger:
    return live_through(read_all, lambda _: None, workers=1, restarted=0)


if __name__ == "__main__":
    {"crowd": crowd, "refreshes": refreshes}[sys.argv[1]]().print()
