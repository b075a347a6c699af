"""A child that is a whole pod: it forks processes that read credentials and begin together.

    python -m benchmarks.pod_crowd SIDE PLAN

It prints a line when all processes are ready, and begins after a line on standard input. With
`plan.announced` it then prints the id of the first process that calls STS. At the end it prints
the result of each process. The processes, stopped ones too, end with it.
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
# Seconds for the start and for slow reads.
_MOST_OVER = 120


@dataclass(frozen=True, slots=True)
class Crowd:
    """How the processes read.

    Attributes:
        processes: number of processes.
        seconds: longest duration; 0 is one read.
        sessions: botocore sessions in each process, each with a thread that reads it.
        keys: number of keys after which a thread stops; 0 is never.
        pause: seconds after each read.
        lifetime: lifetime to scale botocore's refresh windows to; 0 does not scale.
        announced: whether to print the first process that calls STS, whose end is not awaited.
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


def crowd(side: str, plan: Crowd, pod: Pod, cache_dir: str = "") -> Child:
    """Return the child, whose processes share a cache if `cache_dir` is given.

    The result is a list with a dictionary for each process: `keys` that each session has seen,
    `reads` and `errors`, seconds of the `slowest` read, and `first_at`, the instant of
    `time.monotonic` when all sessions had credentials, or None.
    """
    environ = {"IRSA_CREDS_CACHE_DIR": cache_dir} if cache_dir else {}
    return Child("benchmarks.pod_crowd", side, (plan,), pod, **environ)


class _Reader:
    """One session's thread, with its counts."""

    def __init__(self, credentials: Any, plan: Crowd) -> None:
        self._credentials, self._plan = credentials, plan
        self.keys: list[str] = []
        self.reads = self.errors = 0
        self.slowest = 0.0
        self.first_at: float | None = None

    def run(self) -> None:
        """Read until the time is over or there are enough keys."""
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
        except Exception:  # noqa: BLE001 - counted
            self.errors += 1
        else:
            self.first_at = self.first_at or time.monotonic()
            if not self.keys or self.keys[-1] != key:
                self.keys.append(key)
        self.reads += 1
        self.slowest = max(self.slowest, time.monotonic() - start)


def _run_one(side: str, plan: Crowd, begin: int, writer: int) -> None:
    """Run one process: create sessions, wait for the others, read, report."""
    each = [credentials_of(side) for _ in range(plan.sessions)]
    if plan.announced:
        for credentials in each:
            _announce(credentials, writer)
    readers = [_Reader(credentials, plan) for credentials in each]
    threads = [threading.Thread(target=reader.run, daemon=True) for reader in readers]
    _report(writer, "ready")
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
    _report(writer, report)


def _announce(credentials: Any, writer: int) -> None:
    """Report this process right before it calls STS."""
    client = engine_of(credentials).fetcher.prepare()
    attempt = client.attempt

    def announced(*arguments: Any) -> Any:
        _report(writer, os.getpid())
        return attempt(*arguments)

    client.attempt = announced


def _report(writer: int, message: object) -> None:
    # In one write, because all processes share the pipe.
    os.write(writer, f"{json.dumps(message)}\n".encode())


def _fork(side: str, plan: Crowd, begin: tuple[int, int], writer: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(begin[1])
        _run_one(side, plan, begin[0], writer)
    except BaseException:  # noqa: BLE001 - none of the parent's code may run here
        traceback.print_exc()
    finally:
        os._exit(0)


def main(side: str, plan: Crowd) -> None:
    """Run the child."""
    logging.disable()
    # The wait for a process that died would not end.
    signal.alarm(int(plan.seconds) + _MOST_OVER)
    if plan.lifetime:
        scale_windows(plan.lifetime)
    gc.freeze()
    begin, (reader_end, writer) = os.pipe(), os.pipe()
    pids = [_fork(side, plan, begin, writer) for _ in range(plan.processes)]
    # If all processes die, reading from the pipe ends.
    os.close(writer)
    try:
        with os.fdopen(reader_end) as lines:
            for _ in pids:
                lines.readline()
            ready()
            os.close(begin[1])
            messages = (json.loads(line) for line in lines)
            if plan.announced:
                print(next(message for message in messages if isinstance(message, int)), flush=True)
            reports: list[Any] = []
            while len(reports) < plan.processes - plan.announced:
                message = next(messages)
                reports += [message] if isinstance(message, dict) else []
            print(json.dumps(reports), flush=True)
    finally:
        for pid in pids:
            # They have not been reaped, so the ids are still theirs.
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], Crowd(**json.loads(sys.argv[2])))
