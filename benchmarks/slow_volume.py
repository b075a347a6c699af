"""The volume of the token is slow, and STS denies the token: how late is an event loop?

For 8 s, a task reads credentials every 5 ms on a loop whose largest gap is measured. The
credentials have 12 minutes left, and STS denies each refresh with `ExpiredTokenException`, so the
token file is read again. Each `stat` or `open` of that file takes 1.5 s, as on a volume of an
overloaded node.

Target: no gap > 100 ms, and no error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Child, Row, children, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import age, aio_credentials_of
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Pod

_LIFETIME, _LEFT = 3600.0, 720.0
_SLOW, _SECONDS, _PAUSE, _MOST = 1.5, 8.0, 0.005, 100.0


def run() -> list[Row]:
    """Measure one side after the other."""
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        pod = pod_for(sandbox)
        theirs, ours = (_measure(sandbox, pod, side) for side in (THEIRS, OURS))
    what = f"a look at the token takes {_SLOW:g} s and STS denies it, valid credentials"
    note = f"looks: {theirs['looks']}, {ours['looks']}"
    gaps = theirs["gap"] * 1000, ours["gap"] * 1000
    target, met = f"< {_MOST:g}", gaps[1] < _MOST
    return [
        Row(f"{what}: largest gap of the event loop", "ms", *gaps, target, met, note),
        Row(f"{what}: errors", "", theirs["errors"], ours["errors"], "0", ours["errors"] == 0),
    ]


def _measure(sandbox: Sandbox, pod: Pod, side: str) -> dict[str, float]:
    sandbox.faults.clear()
    with children(Child("benchmarks.slow_volume", side, (), pod)) as (child,):
        child.go()
        child.await_ready()
        sandbox.faults.fail("ExpiredTokenException")
        child.go()
        result: dict[str, float] = child.result()
        return result


class _SlowVolume:
    """Delays each access to a file in this process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_slow = False
        self.looks = 0
        self._counting = threading.Lock()
        # All ways to open a file.
        sys.addaudithook(self._opened)
        os.stat = self._late(os.stat)

    def become_slow(self) -> None:
        """Start the delays."""
        self._is_slow = True

    def _opened(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._look(arguments[0])

    def _late(self, stat: Callable[..., Any]) -> Callable[..., Any]:
        def late(path: Any, *arguments: Any, **options: Any) -> Any:
            self._look(path)
            return stat(path, *arguments, **options)

        return late

    def _look(self, path: object) -> None:
        if self._is_slow and isinstance(path, str | os.PathLike) and os.fspath(path) == self._path:
            with self._counting:
                self.looks += 1
            time.sleep(_SLOW)


def main(side: str) -> None:
    """Run the child."""
    logging.disable()
    volume = _SlowVolume(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
    ready()
    print(json.dumps(asyncio.run(_main(side, volume))), flush=True)
    os._exit(0)


async def _main(side: str, volume: _SlowVolume) -> dict[str, float]:
    credentials = await aio_credentials_of(side)
    await credentials.get_frozen_credentials()
    await asyncio.to_thread(ready)
    age(credentials, _LIFETIME - _LEFT)
    volume.become_slow()
    reader = asyncio.create_task(_read(credentials))
    gap, now = 0.0, time.perf_counter()
    end = now + _SECONDS
    while now < end:
        before = now
        await asyncio.sleep(_PAUSE)
        now = time.perf_counter()
        gap = max(gap, now - before - _PAUSE)
    reader.cancel()
    (errors,) = await asyncio.gather(reader)
    return {"gap": gap, "errors": errors, "looks": volume.looks}


async def _read(credentials: Any) -> int:
    """Read until this task is cancelled; return the number of failed reads."""
    errors = 0
    try:
        while True:
            try:
                await credentials.get_frozen_credentials()
            except Exception:  # noqa: BLE001 - counted
                errors += 1
            await asyncio.sleep(_PAUSE)
    except asyncio.CancelledError:
        return errors


if __name__ == "__main__":
    main(sys.argv[1])
