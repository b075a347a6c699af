"""A child that reads credentials in threads, and counts what a reader would notice.

    python -m benchmarks._reading SIDE PLAN

It says that it is ready, and again when it has credentials, and waits for a line on standard input
each time; then it reads, and prints what happened.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import botocore.session
from botocore.credentials import RefreshableCredentials

import irsa_creds
from benchmarks._measure import LIMIT, OURS, Pauses
from irsa_creds.botocore import IrsaCredentials


@dataclass(frozen=True, slots=True)
class Plan:
    """How a child reads.

    Attributes:
        lifetime: of the credentials, in seconds.
        threads: how many.
        pause: after each read, in seconds.
        seconds: how long.
        scaled: whether botocore's refresh windows are a quarter and a sixth of the lifetime (15 and
            10 minutes of an hour), or 15 and 10 minutes as they are.
        aged: seconds to date the credentials back by; our own next refresh is then due at once,
            the hardest case of what the passing of that time would have brought.
    """

    lifetime: float
    threads: int
    pause: float
    seconds: float
    scaled: bool = True
    aged: float = 0.0

    def __str__(self) -> str:
        return json.dumps(asdict(self))


class Readers:
    """Threads that read, each with a pause after every read."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._pauses = Pauses()
        self._ends_at = 0.0
        self._lock = threading.Lock()
        self._waits: list[tuple[float, float]] = []
        self._waiting: dict[int, float] = {}
        self._errors = 0

    def run(self, plan: Plan) -> dict[str, float]:
        """Read, and return counts; a read that hangs at the end counts as long as it has hung."""
        self._ends_at = time.perf_counter() + plan.seconds
        for _ in range(plan.threads):
            threading.Thread(target=self._read, args=(plan.pause,), daemon=True).start()
        time.sleep(plan.seconds + 0.2)
        now = time.perf_counter()
        with self._lock:
            spans = [*self._waits, *((start, now) for start in self._waiting.values())]
            waited = [self._pauses.waited(*span) for span in spans]
            return {
                "reads": len(waited),
                "errors": self._errors,
                "waits": sum(each > LIMIT for each in waited),
                "worst": max(waited),
            }

    def _read(self, pause: float) -> None:
        me = threading.get_ident()
        while (start := time.perf_counter()) < self._ends_at:
            failed = False
            self._waiting[me] = start
            try:
                self._credentials.get_frozen_credentials()
            except Exception:  # noqa: BLE001 - any is an error that a program would see
                failed = True
            with self._lock:
                del self._waiting[me]
                self._waits.append((start, time.perf_counter()))
                self._errors += failed
            time.sleep(pause)


def credentials_of(side: str) -> Any:
    """Return a session's credentials object, with our provider or botocore's own."""
    session = botocore.session.Session()
    if side == OURS:
        irsa_creds.install(session)
    return session.get_credentials()


def age(credentials: Any, seconds: float) -> None:
    """Date credentials back."""
    if isinstance(credentials, IrsaCredentials):
        engine = credentials._engine  # noqa: SLF001
        snapshot = engine.snapshot
        engine.snapshot = replace(
            snapshot,
            sent_at=snapshot.sent_at - seconds,
            wall_at=snapshot.wall_at - seconds,
            refresh_at=engine.now(),
        )
    else:
        credentials._expiry_time -= timedelta(seconds=seconds)  # noqa: SLF001


def main(side: str, plan: Plan) -> None:
    """Be the child."""
    logging.disable()
    if plan.scaled:
        RefreshableCredentials._advisory_refresh_timeout = plan.lifetime / 4  # noqa: SLF001
        RefreshableCredentials._mandatory_refresh_timeout = plan.lifetime / 6  # noqa: SLF001
    credentials = credentials_of(side)
    _await_go()
    credentials.get_frozen_credentials()
    _await_go()
    if plan.aged:
        age(credentials, plan.aged)
    print(json.dumps(Readers(credentials).run(plan)), flush=True)
    # Threads of botocore's may hang in an STS that says nothing.
    os._exit(0)


def _await_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], Plan(**json.loads(sys.argv[2])))
