"""A child that is a whole pod: it forks processes that read credentials, beginning together.

    python -m benchmarks.pod_crowd SIDE PLAN

It says that it is ready when all processes are, and begins upon a line on standard input. With
`plan.announced` it then prints the id of the first process that asks STS. At the end it prints what
each process met. The processes end with it, whatever happens, stopped ones as well.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Child, ready
from benchmarks._sessions import credentials_of, engine_of, scale_windows

if TYPE_CHECKING:
    from irsa_creds.testing import Pod

__all__ = ["Crowd", "crowd"]

_PR_SET_PDEATHSIG = 1
# Seconds for starting, and for reads that take long.
_MOST_OVER = 120


@dataclass(frozen=True, slots=True)
class Crowd:
    """How the processes read.

    Attributes:
        processes: how many.
        seconds: for how long at most; 0 is one read.
        sessions: of botocore in each process, and as many threads: each reads one.
        keys: a thread stops once it has seen so many; 0 is never.
        pause: after each read, in seconds.
        lifetime: that botocore's refresh windows are scaled to; 0 is not.
        announced: whether the first process to ask STS is told of, which is then not waited for.
    """

    processes: int
    seconds: float = 0.0
    sessions: int = 1
    keys: int = 0
    pause: float = 0.1
    lifetime: float = 0.0
    announced: bool = False

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def crowd(side: str, plan: Crowd, pod: Pod, place: str = "") -> Child:
    """Return the child; with a place, its processes share what is in that directory.

    The result is a list with a dictionary for each process: `keys` that each session has seen,
    `reads` and `errors`, seconds of the `slowest` read, and `first_at`, the instant of
    `time.monotonic` when all sessions had credentials (None: they never had).
    """
    environ = {"IRSA_CREDS_CACHE_DIR": place} if place else {}
    return Child("benchmarks.pod_crowd", side, (plan,), pod, **environ)


class _Reader:
    """One session's thread, and what it met."""

    def __init__(self, credentials: Any, plan: Crowd) -> None:
        self._credentials, self._plan = credentials, plan
        self.keys: list[str] = []
        self.reads = self.errors = 0
        self.slowest = 0.0
        self.first_at: float | None = None

    def run(self) -> None:
        """Read until time or keys are enough."""
        end = time.monotonic() + self._plan.seconds
        while True:
            self._read()
            if time.monotonic() >= end or 0 < self._plan.keys <= len(self.keys):
                break
            time.sleep(self._plan.pause)

    def _read(self) -> None:
        start = time.monotonic()
        try:
            key = self._credentials.get_frozen_credentials().access_key
        except Exception:  # noqa: BLE001 - any is an error that a program would see
            self.errors += 1
        else:
            self.first_at = self.first_at or time.monotonic()
            if not self.keys or self.keys[-1] != key:
                self.keys.append(key)
        self.reads += 1
        self.slowest = max(self.slowest, time.monotonic() - start)


def _be_one(side: str, plan: Crowd, begin: int, told: int) -> None:
    """Be one process: make sessions, wait for the others, read, tell."""
    each = [credentials_of(side) for _ in range(plan.sessions)]
    if plan.announced:
        for credentials in each:
            _announce(credentials, told)
    readers = [_Reader(credentials, plan) for credentials in each]
    threads = [threading.Thread(target=reader.run, daemon=True) for reader in readers]
    _say(told, "ready")
    # Returns when the parent closes the other end.
    os.read(begin, 1)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    firsts = [reader.first_at for reader in readers if reader.first_at is not None]
    report = {
        "keys": [len(reader.keys) for reader in readers],
        "reads": sum(reader.reads for reader in readers),
        "errors": sum(reader.errors for reader in readers),
        "slowest": max(reader.slowest for reader in readers),
        "first_at": max(firsts) if len(firsts) == len(readers) else None,
    }
    _say(told, report)


def _announce(credentials: Any, told: int) -> None:
    """Let everybody know who asks STS, at the moment before."""
    exchange = engine_of(credentials)._pilot._exchange  # noqa: SLF001 - no event tells of this
    attempt = exchange.attempt

    def announced(*arguments: Any) -> Any:
        _say(told, os.getpid())
        return attempt(*arguments)

    exchange.attempt = announced


def _say(told: int, what: object) -> None:
    # In one step: all processes write to the same pipe.
    os.write(told, f"{json.dumps(what)}\n".encode())


def _fork(side: str, plan: Crowd, begin: tuple[int, int], told: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(begin[1])
        _be_one(side, plan, begin[0], told)
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run in here
        traceback.print_exc()
    finally:
        os._exit(0)


def main(side: str, plan: Crowd) -> None:
    """Be the child."""
    logging.disable()
    # One that died untimely is waited for in vain.
    signal.alarm(int(plan.seconds) + _MOST_OVER)
    if plan.lifetime:
        scale_windows(plan.lifetime)
    gc.freeze()
    begin, (heard, told) = os.pipe(), os.pipe()
    pids = [_fork(side, plan, begin, told) for _ in range(plan.processes)]
    # Were all of them to die, reading would end.
    os.close(told)
    try:
        with os.fdopen(heard) as lines:
            for _ in pids:
                lines.readline()
            ready()
            os.close(begin[1])
            said = (json.loads(line) for line in lines)
            if plan.announced:
                print(next(what for what in said if isinstance(what, int)), flush=True)
            reports: list[Any] = []
            while len(reports) < plan.processes - plan.announced:
                what = next(said)
                reports += [what] if isinstance(what, dict) else []
            print(json.dumps(reports), flush=True)
    finally:
        for pid in pids:
            # Nobody has waited for them yet, so the id is still theirs.
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], Crowd(**json.loads(sys.argv[2])))
