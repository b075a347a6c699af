"""Forks again and again while eight threads read and credentials are refreshed all the time."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
import warnings

import irsa_creds

THREADS = 8
FORKS = 60

# The warning about a fork beside running threads is expected here.
warnings.simplefilter("ignore", DeprecationWarning)


def joined(pid: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            assert status == 0
            return
        assert time.monotonic() < deadline, "a child hangs"
        time.sleep(0.001)


def main() -> None:
    provider = irsa_creds.provider()
    ended = threading.Event()
    errors: list[str] = []

    def read() -> None:
        while not ended.is_set():
            try:
                provider.get(timeout=20)
            except irsa_creds.IrsaError:
                errors.append(traceback.format_exc())
                return
            time.sleep(0.0005)

    threads = [threading.Thread(target=read) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in range(FORKS):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                provider.invalidate()
                assert provider.get(timeout=20)
                status = 0
            except BaseException:  # noqa: BLE001 - whatever it is, it is to be seen
                traceback.print_exc()
            finally:
                os._exit(status)
        joined(pid)
    ended.set()
    for thread in threads:
        thread.join(25)
        assert not thread.is_alive()
    assert not errors, errors[0]
    sys.stdout.write(f"{provider.status().flights}\n")


main()
