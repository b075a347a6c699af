"""Forks while nothing of ours but the sleeping refresher runs; warnings are errors here.

Prints the key, then for each child its key, its refresh in seconds and its calls to STS, and at
last whether the parent's refresher runs again after the next read.
"""

from __future__ import annotations

import os
import sys
import threading

import irsa_creds
from irsa_creds._provider import engine_of

CHILDREN = 8


def refreshers() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "irsa-creds-refresher"]


def main() -> None:
    provider = irsa_creds.provider()
    key = provider.get().access_key_id
    for thread in threading.enumerate():
        if thread.name == "irsa-creds-refresh":
            thread.join(20)
    planned = engine_of(provider).snapshot.refresh_at
    sys.stdout.write(f"{key}\n")
    for _ in range(CHILDREN):
        assert refreshers(), "the refresher does not run: this shows nothing"
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            assert not refreshers()
            key = provider.get().access_key_id
            assert refreshers(), "the child's read starts its own refresher"
            due = engine_of(provider).snapshot.refresh_at - planned
            sys.stdout.write(f"{key} {due} {provider.status().sts_calls}\n")
            sys.stdout.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert not refreshers(), "a fork ends the refresher"
        provider.get()
    sys.stdout.write(f"{refreshers()} {engine_of(provider).snapshot.refresh_at - planned}\n")


main()
