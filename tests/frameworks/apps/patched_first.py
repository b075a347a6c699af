"""gevent patches before all other imports; greenlets read, and the program prints the replies.

Args: "crowd", to read once in 50 greenlets, or "refreshes".
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - after patching
import time  # noqa: E402 - as above

import gevent  # noqa: E402 - as above

from frameworks.apps.reading import provider, read  # noqa: E402 - as above
from frameworks.replies import Replies, Reply, read_and_restart  # noqa: E402 - as above

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


def crowd() -> Replies:
    stalls: list[float] = []
    heart = gevent.spawn(beat, stalls)
    replies = Replies(read_all(CROWD))
    heart.kill()
    # STS takes two seconds: the 50 greenlets waited for it, and the other one did not.
    assert len(stalls) > 1, "nothing else ran meanwhile"
    assert max(stalls) < 1, max(stalls)
    assert provider.status().flights == 1
    return replies


def refreshes() -> Replies:
    return read_and_restart(read_all, lambda _: None, workers=1, restarted=0)


if __name__ == "__main__":
    {"crowd": crowd, "refreshes": refreshes}[sys.argv[1]]().print()
