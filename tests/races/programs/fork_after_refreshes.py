"""Forks right after a refresh: its thread may not yet be gone from the system.

Each child fetches for itself, and is ended where that takes 10 s. Prints how many did not get any.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import irsa_creds

FORKS = 80


def child_fetches() -> bool:
    """Return whether a child that is forked right after a refresh gets credentials of its own."""
    provider = irsa_creds.provider()
    held = provider.get()
    for thread in threading.enumerate():
        if thread.name == "irsa-creds-refresh":
            thread.join(20)
    pid = os.fork()
    if not pid:
        signal.alarm(10)
        provider.invalidate()
        os._exit(0 if provider.get() != held else 2)
    status = os.waitpid(pid, 0)[1]
    irsa_creds.reset()
    return not status


if __name__ == "__main__":
    sys.stdout.write(str(sum(not child_fetches() for _ in range(FORKS))))
