"""New processes that fork during their first refresh or its imports.

Each is a fork of this one, which has imported irsa_creds and nothing of botocore.

Args: the delays in milliseconds.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings

import irsa_creds
from irsa_creds import _provider
from irsa_creds._engine import forks

assert _provider, "it registers what is done at a fork"

DEADLINE = 20.0
TOGETHER = 4

# The warning about a fork beside a running thread is expected here.
warnings.simplefilter("ignore", DeprecationWarning)


def in_a_process(work: object, *arguments: object) -> int:
    """Fork; return the id of the child, which exits with 0, or with 1 if `work` fails."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        assert callable(work)
        work(*arguments)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it is to be seen
        sys.stderr.write(f"{arguments}: {traceback.format_exc()}")
    finally:
        sys.stderr.flush()
        os._exit(status)


def joined(pid: int, what: str) -> None:
    """Wait for a process until a deadline."""
    deadline = time.monotonic() + DEADLINE + 10
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            break
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            raise TimeoutError(f"{what} hangs")
        time.sleep(0.005)
    if status:
        raise RuntimeError(f"{what} failed")


def read() -> None:
    assert irsa_creds.provider().get(timeout=DEADLINE).access_key_id


def fork_after(milliseconds: int) -> None:
    assert "botocore" not in sys.modules
    irsa_creds.provider().prefetch()
    time.sleep(milliseconds / 1000)
    child = in_a_process(read)
    read()
    joined(child, f"the child that was forked after {milliseconds} ms")


def main(delays: list[int]) -> None:
    for start in range(0, len(delays), TOGETHER):
        batch = delays[start : start + TOGETHER]
        running = [(in_a_process(fork_after, delay), delay) for delay in batch]
        for pid, delay in running:
            joined(pid, f"the process that forks after {delay} ms")
        sys.stdout.write(f"{len(batch)}\n")


if __name__ == "__main__":
    # A fork waits for a handshake only for a time, and on a busy machine each may take longer.
    forks._IDLE_PATIENCE = forks._PATIENCE = DEADLINE
    main([int(argument) for argument in sys.argv[1:]])
