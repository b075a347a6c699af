"""Processes of one pod that start at the same instant, and read credentials for some time.

Args: how many, for how many seconds (0: one read), and sessions in each.

Each prints "PID calls" before it calls STS, and one line of JSON at its end.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from botocore.session import Session

import irsa_creds
from irsa_creds._registry import engine_of

if TYPE_CHECKING:
    from irsa_creds._credentials import Credentials

DEADLINE = 60.0
_PAUSE = 0.02


def say(text: str) -> None:
    """Write one line in one step: many processes write to the same pipe."""
    os.write(1, f"{text}\n".encode())


def announce() -> None:
    """Print this process's id before each call of STS."""
    fetcher: Any = engine_of(irsa_creds.provider()).fetcher
    make_client = fetcher._make_client

    def announcing() -> Any:
        client = make_client()
        original = client.attempt

        def attempt(*args: Any) -> Any:
            say(f"{os.getpid()} calls")
            return original(*args)

        client.attempt = attempt
        return client

    fetcher._make_client = announcing


def read(sessions: list[Session], errors: set[str], keys: list[str]) -> None:
    """Read once in each session, and note errors and new keys."""
    for session in sessions:
        try:
            found = session.get_credentials().get_frozen_credentials()
        except irsa_creds.IrsaError as error:
            errors.add(f"{type(error).__name__} {getattr(error, 'code', '')}")
            return
        if found.secret_key != f"secret-{found.access_key}":
            errors.add("three values of two responses")
        if not keys or keys[-1] != found.access_key:
            keys.append(found.access_key)
    current: Credentials = irsa_creds.provider().get()
    if current.expiration.timestamp() <= time.time():
        errors.add("expired credentials")


def one(seconds: float, count: int) -> None:
    """Run as one process of the pod."""
    irsa_creds.install()
    announce()
    sessions = [Session() for _ in range(count)]
    errors: set[str] = set()
    keys: list[str] = []
    started, slowest = time.monotonic(), 0.0
    while True:
        before = time.monotonic()
        read(sessions, errors, keys)
        slowest = max(slowest, time.monotonic() - before)
        if time.monotonic() - started >= seconds:
            break
        time.sleep(_PAUSE)
    calls = irsa_creds.provider().status().sts_calls
    report = {"keys": keys, "errors": sorted(errors), "slowest": slowest, "calls": calls}
    say(json.dumps(report))


def main(count: int, seconds: float, sessions: int) -> None:
    gc.freeze()
    together = os.pipe()
    children = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                os.close(together[1])
                os.read(together[0], 1)
                one(seconds, sessions)
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    os.close(together[1])
    deadline = time.monotonic() + seconds + DEADLINE
    while children:
        for pid in list(children):
            if os.waitpid(pid, os.WNOHANG)[0]:
                children.remove(pid)
        if time.monotonic() > deadline:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            sys.exit(f"{len(children)} processes hang")
        time.sleep(0.01)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
