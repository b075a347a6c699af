"""250 tenants of one process, each with its own identity, get their first credentials at once.

Each is read in a thread of its own, and then in a task of one event loop (irsa-creds only:
aiobotocore creates a client for each on that loop, which takes a minute). STS takes 0.5 s. The
figure is the largest number of threads at one time beyond the reading and the earlier threads.

Target: no error, and at most two such threads for each of the 64 slots: one that ends, and delivers
its events and log lines without a slot, and one that begins.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Row, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import aio_credentials_of, credentials_of
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDENTITIES, _LATENCY, _MOST = 250, 0.5, 128
# After these seconds a read counts as an error: botocore creates its clients one after the other.
_HANG = 30.0
_READERS = {"threads": ("a thread each", (THEIRS, OURS)), "tasks": ("a task each", (OURS,))}


def run() -> list[Row]:
    """Measure one side after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.faults.latency = _LATENCY
        return [
            row
            for mode, (readers, sides) in _READERS.items()
            for row in _rows(
                f"{_IDENTITIES} cold identities, {readers}",
                {
                    side: measured("benchmarks.cold_identities", side, (mode,), pod)
                    for side in sides
                },
            )
        ]


def _rows(what: str, results: dict[str, dict[str, float]]) -> list[Row]:
    theirs: dict[str, float | None] = dict(results.get(THEIRS, {}))
    ours = results[OURS]
    rows = [
        ("errors", "", "errors", "0", 0),
        ("further threads", "", "threads", f"<= {_MOST}", _MOST),
        ("until all have credentials", "s", "seconds", "", None),
    ]
    return [
        Row(
            f"{what}: {title}",
            unit,
            theirs.get(name),
            ours[name],
            target,
            most is None or ours[name] <= most,
            raw={} if name != "threads" else results,
        )
        for title, unit, name, target, most in rows
    ]


class _ThreadCount:
    """Records the largest number of threads at one time, until it is stopped."""

    def __init__(self) -> None:
        self._before = threading.active_count() + 1
        self._stop = threading.Event()
        self.most = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while not self._stop.wait(0.01):
            self.most = max(self.most, threading.active_count())

    def beyond(self, readers: int) -> int:
        """Stop, and return the number of threads beyond those of the readers."""
        self._stop.set()
        return max(0, self.most - self._before - readers)


def main(side: str, mode: str) -> None:
    """Run the child."""
    logging.disable()
    ready()
    print(json.dumps(_in_threads(side) if mode == "threads" else asyncio.run(_in_tasks(side))))
    sys.stdout.flush()
    os._exit(0)


def _names() -> Iterator[None]:
    """Set the session name for each tenant; both libraries read it when they resolve."""
    for number in range(_IDENTITIES):
        os.environ["AWS_ROLE_SESSION_NAME"] = f"tenant-{number}"
        yield


def _in_threads(side: str) -> dict[str, float]:
    each = [credentials_of(side) for _ in _names()]
    count = _ThreadCount()
    start = time.perf_counter()
    pool = ThreadPoolExecutor(_IDENTITIES)
    futures = [pool.submit(credentials.get_frozen_credentials) for credentials in each]
    errors = 0
    for future in futures:
        try:
            future.result(max(0.0, start + _HANG - time.perf_counter()))
        except Exception:  # noqa: BLE001 - counted
            errors += 1
    seconds = time.perf_counter() - start
    return {"errors": errors, "threads": count.beyond(_IDENTITIES), "seconds": seconds}


async def _in_tasks(side: str) -> dict[str, float]:
    each = [await aio_credentials_of(side) for _ in _names()]
    count = _ThreadCount()
    start = time.perf_counter()
    results = await asyncio.gather(*map(_read, each), return_exceptions=True)
    seconds = time.perf_counter() - start
    errors = sum(isinstance(result, BaseException) for result in results)
    return {"errors": errors, "threads": count.beyond(0), "seconds": seconds}


async def _read(credentials: Any) -> None:
    async with asyncio.timeout(_HANG):
        await credentials.get_frozen_credentials()


if __name__ == "__main__":
    main(*sys.argv[1:])
