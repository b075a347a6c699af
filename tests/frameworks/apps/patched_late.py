"""gevent patches when there are credentials, locks and a refresher already; greenlets read on.

Args: what else than threads is patched: "all", or "but-ssl".
"""

from __future__ import annotations

import logging
import sys
import warnings

import irsa_creds
from frameworks.apps.reading import provider, read
from frameworks.ledger import Ledger, Reply, live_through

SECONDS = 40

logging.basicConfig(format="%(name)s %(levelname)s %(message)s", stream=sys.stderr)
provider.get()

import gevent  # noqa: E402 - late, as it should not be
from gevent import monkey  # noqa: E402 - as above

with warnings.catch_warnings():
    # gevent has one of its own.
    warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
    monkey.patch_all(ssl=sys.argv[1] == "all")


def read_all() -> list[Reply]:
    started = [gevent.spawn(read) for _ in range(8)]
    gevent.joinall(started, timeout=SECONDS)
    return [each.get(block=False) for each in started]


def but_ssl() -> Ledger:
    return live_through(read_all, lambda _: None, workers=1, restarted=0)


def everything() -> Ledger:
    """Read until nothing can be read: who has imported ssl before can open no new connection."""
    ledger = Ledger()
    while True:
        try:
            replies = read_all()
        except irsa_creds.IrsaError:
            assert provider.status().state == "expired", "a read failed while there was no need to"
            return ledger
        for reply in replies:
            ledger.note(reply)
        gevent.sleep(0.02)


if __name__ == "__main__":
    {"but-ssl": but_ssl, "all": everything}[sys.argv[1]]().print()
