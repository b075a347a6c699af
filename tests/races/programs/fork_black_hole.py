"""Forks while a refresh hangs; parent and child get credentials once STS responds again."""

from __future__ import annotations

import os
import sys
import time
import warnings

import irsa_creds

# The warning about a fork beside a running thread is expected here.
warnings.simplefilter("ignore", DeprecationWarning)


def main() -> None:
    provider = irsa_creds.provider()
    provider.prefetch()
    deadline = time.monotonic() + 20
    while not provider.status().sts_calls:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    pid = os.fork()
    name = "parent" if pid else "child"
    key = provider.get(timeout=25).access_key_id
    sys.stdout.write(f"{name} {key} {provider.status().sts_calls}\n")
    sys.stdout.flush()
    if not pid:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


main()
