"""Forks while the timer sleeps and no refresh runs; warnings are errors here.

Prints the key, then for each child its key, its refresh in seconds and its calls to STS, and at
last whether the parent's timer runs again after the next read.
"""

from __future__ import annotations

import os
import sys
import threading

import irsa_creds
from irsa_creds._registry import engine_of

CHILDREN = 8


def timers() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "irsa-creds-timer"]


def main() -> None:
    provider = irsa_creds.provider()
    key = provider.get().access_key_id
    for thread in threading.enumerate():
        if thread.name == "irsa-creds-refresh":
            thread.join(20)
    planned = engine_of(provider).snapshot.refresh_at
    sys.stdout.write(f"{key}\n")
    for _ in range(CHILDREN):
        assert timers(), "the timer does not run: this shows nothing"
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            assert not timers()
            key = provider.get().access_key_id
            assert timers(), "the child's read starts its own timer"
            due = engine_of(provider).snapshot.refresh_at - planned
            sys.stdout.write(f"{key} {due} {provider.status().sts_calls}\n")
            sys.stdout.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert not timers(), "a fork ends the timer"
        provider.get()
    sys.stdout.write(f"{timers()} {engine_of(provider).snapshot.refresh_at - planned}\n")


main()
