"""Processes that fork while another thread gets its first credentials, on a busy machine.

What an STS call needs takes seconds to import there.

Args: the delays in milliseconds, and how many seconds the imports take.
"""

from __future__ import annotations

import importlib.abc
import sys
import threading
import time

from fork_during_refresh import (  # type: ignore[import-not-found]
    in_a_process,
    joined,
)

import irsa_creds

SECONDS = float(sys.argv[1])
DELAYS = [int(argument) for argument in sys.argv[2:]]


class SlowImports(importlib.abc.MetaPathFinder):
    """Delays the import of botocore's HTTP session, as a throttled CPU does."""

    def find_spec(self, name: str, *_: object) -> None:
        # Inside another import: the outer module is incomplete meanwhile.
        if name in {"botocore.httpsession", "urllib3.util.ssl_"}:
            ends = time.monotonic() + SECONDS / 2
            while time.monotonic() < ends:
                pass


def read() -> None:
    assert irsa_creds.provider().get(timeout=40).access_key_id


def fork_after(milliseconds: int) -> None:
    sys.meta_path.insert(0, SlowImports())
    reading = threading.Thread(target=read)
    reading.start()
    time.sleep(milliseconds / 1000)
    child = in_a_process(read)
    reading.join()
    joined(child, f"the child that was forked after {milliseconds} ms")


def main() -> None:
    """Print how many processes had a child that got credentials."""
    sound = 0
    for delay in DELAYS:
        try:
            joined(in_a_process(fork_after, delay), f"the process that forks after {delay} ms")
            sound += 1
        except (RuntimeError, TimeoutError) as error:
            sys.stderr.write(f"{error}\n")
    sys.stdout.write(f"{sound}\n")


if __name__ == "__main__":
    main()
