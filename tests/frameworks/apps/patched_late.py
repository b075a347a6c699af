"""gevent patches when there are credentials, locks and a timer already, which is not supported.

Prints the key that each greenlet gets, of credentials that stay valid.
"""

from __future__ import annotations

import logging
import sys
import warnings

import irsa_creds
from frameworks.apps.reading import provider

SECONDS = 20

logging.basicConfig(format="%(name)s %(levelname)s %(message)s", stream=sys.stderr)
provider.get()

import gevent  # noqa: E402 - deliberately late
from gevent import monkey  # noqa: E402 - as above

with warnings.catch_warnings():
    # gevent warns too.
    warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
    monkey.patch_all()


def read() -> str:
    """Read as code does that calls `provider()` each time."""
    return irsa_creds.provider().get().access_key_id


if __name__ == "__main__":
    started = [gevent.spawn(read) for _ in range(8)]
    gevent.joinall(started, timeout=SECONDS)
    for each in started:
        sys.stdout.write(f"{each.get(block=False)}\n")
