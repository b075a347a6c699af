"""The memory of one more session's credentials, compared with a session with static keys.

Each kind of session is created in a process of its own, some first and then many more, which are
all kept; those of aiobotocore on one event loop. The figure is the process's resident memory, so
what OpenSSL and others allocate counts too. Target: < 20 kB, sync and async.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session

import irsa_creds
from benchmarks._bench import Row, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from irsa_creds.testing import Pod, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
_STATIC = "static"
# irsa-creds's sessions are so small that only many of them are visible in pages of 4 kB.
_SESSIONS = {THEIRS: 20, OURS: 200, _STATIC: 200}
_FIRST = 5
_MOST = 20.0
_LIBRARIES = ("botocore", "aiobotocore")


def run() -> list[Row]:
    """Measure."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        return [_row(library, pod) for library in _LIBRARIES]


def _row(library: str, pod: Pod) -> Row:
    kilobytes = {}
    for side in _SESSIONS:
        keys = _KEYS if side == _STATIC else {}
        kilobytes[side] = measured("benchmarks.memory", side, (library,), pod, **keys)
    plain = kilobytes[_STATIC]
    theirs, ours = kilobytes[THEIRS] - plain, kilobytes[OURS] - plain
    note = f"over the session itself, {plain:.0f} kB"
    what = f"memory of one more {library} session"
    return Row(what, "kB", theirs, ours, f"< {_MOST:g}", ours < _MOST, note, raw=kilobytes)


def main(side: str, library: str) -> None:
    """Run the child."""
    ready()
    session = _aio_session if library == "aiobotocore" else _session
    print(json.dumps(asyncio.run(_measure(session, side))))


async def _measure(session: Callable[[str], Awaitable[Any]], side: str) -> float:
    kept = [await session(side) for _ in range(_FIRST)]
    gc.collect()
    before = _resident()
    kept += [await session(side) for _ in range(_SESSIONS[side])]
    gc.collect()
    return (_resident() - before) / 1024 / _SESSIONS[side]


async def _session(side: str) -> tuple[object, ...]:
    session = botocore.session.Session()
    if side == OURS:
        irsa_creds.install(session)
    credentials = session.get_credentials()
    credentials.get_frozen_credentials()
    return session, credentials


async def _aio_session(side: str) -> tuple[object, ...]:
    from aiobotocore.session import AioSession  # noqa: PLC0415 - not in the sync child

    session = AioSession()
    if side == OURS:
        irsa_creds.install(session)
    credentials = await session.get_credentials()
    await credentials.get_frozen_credentials()
    return session, credentials


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(*sys.argv[1:])
