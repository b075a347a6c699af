"""How late an event loop is while credentials are refreshed: the largest gap of a 1 ms ticker.

A task sleeps 1 ms again and again on a loop where aiobotocore's credentials are read every 5 ms.
The largest oversleep of a span with a refresh is compared with that of a span of the same length
right before, without a refresh. An expiry in the past forces each refresh; STS takes 50 ms.
Credentials last 800 s, because aiobotocore caches longer ones and would not call STS; its refresh
windows are in proportion. The first fetch has a row of its own, each in a new process: with all
that a refresh imports, and with botocore's endpoint rules, which the sandbox's custom endpoint
would skip for irsa-creds.

The figures are medians of many differences, because some spans contain a gap of the machine's, with
a refresh or without. So the note has the worst gap of all, and the worst that the process caused
itself ("own"), first aiobotocore's, then irsa-creds's: there a gap counts for at most the CPU time
that the process used in it, as a thread that holds the interpreter, or code on the loop, would.
Target: a refresh adds at most half of what it adds with aiobotocore's own provider.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks._bench import Row, measured, median_of, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import aio_credentials_of, engine_of, scale_windows
from irsa_creds.testing import Sandbox

_LIFETIME = 800.0
_LATENCY = 0.05
_SPAN, _FIRST_SPAN = 0.25, 0.4
_REFRESHES, _PROCESSES = 15, 7
_TIMES_LESS = 2


def run() -> list[Row]:
    """Measure."""
    first: dict[str, list[list[float]]] = {THEIRS: [], OURS: []}
    later: dict[str, list[list[float]]] = {}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.lifetime, sandbox.faults.latency = _LIFETIME, _LATENCY
        for _ in range(_PROCESSES):
            for side, spans in first.items():
                spans.extend(measured("benchmarks.lag", side, (0,), pod))
        for side in first:
            later[side] = measured("benchmarks.lag", side, (_REFRESHES,), pod)[1:]
    return [
        _row("a later refresh", later),
        _row("the first fetch of a process", first),
    ]


def _row(what: str, spans: dict[str, list[list[float]]]) -> Row:
    """Return what a refresh adds to the largest gap, from gaps without it and with it."""
    theirs, ours = (median_of([gap - usual for usual, gap, _ in each]) for each in spans.values())
    usual = median_of([usual for usual, _, _ in spans[OURS]])
    worst, own = (
        ", ".join(f"{max(found[n] for found in each):.1f}" for each in spans.values())
        for n in (1, 2)
    )
    return Row(
        f"largest gap of a 1 ms ticker on an event loop: {what} adds",
        "ms",
        theirs,
        ours,
        f"ratio >= {_TIMES_LESS}",
        theirs >= _TIMES_LESS * ours,
        f"without {usual:.1f}; worst {worst}; own {own}",
        raw=spans,
    )


def main(side: str, refreshes: int) -> None:
    """Run the child: print the gaps of the first fetch, then of the refreshes."""
    scale_windows(_LIFETIME)
    ready()
    print(json.dumps(asyncio.run(_main(side, refreshes))))


async def _main(side: str, refreshes: int) -> list[list[float]]:
    credentials = await aio_credentials_of(side)
    usual, _ = await _largest_gap(_FIRST_SPAN)
    fetch = asyncio.create_task(_first(credentials))
    spans = [[usual, *await _largest_gap(_FIRST_SPAN)]]
    await fetch
    reader = asyncio.create_task(_read(credentials))
    for _ in range(refreshes):
        usual, _ = await _largest_gap(_SPAN)
        before = await _key(credentials)
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)  # noqa: SLF001
        spans.append([usual, *await _largest_gap(_SPAN)])
        if await _key(credentials) == before:
            raise AssertionError(f"{side}: no refresh happened in the measured span.")
    reader.cancel()
    return spans


async def _first(credentials: Any) -> None:
    if engine_of(credentials) is not None:
        from irsa_creds._exchange import endpoint  # noqa: PLC0415 - a refresh imports it too

        config = credentials.provider._identity  # noqa: SLF001
        # On another thread, as in a refresh.
        await asyncio.to_thread(endpoint.endpoint_url, config._replace(endpoint_url=None))
    await credentials.get_frozen_credentials()


async def _key(credentials: Any) -> str:
    return str((await credentials.get_frozen_credentials()).access_key)


async def _read(credentials: Any) -> None:
    while True:
        await credentials.get_frozen_credentials()
        await asyncio.sleep(0.005)


async def _largest_gap(seconds: float) -> tuple[float, float]:
    """Return the largest lateness of a 1 ms tick, in milliseconds.

    The second figure is the largest part for which this process was busy itself.
    """
    largest = own = 0.0
    now, used = time.perf_counter(), time.process_time()
    end = now + seconds
    while now < end:
        due, before = now + 0.001, used
        await asyncio.sleep(0.001)
        now, used = time.perf_counter(), time.process_time()
        largest = max(largest, now - due)
        own = max(own, min(now - due, used - before))
    return largest * 1000, own * 1000


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
