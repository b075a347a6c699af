"""Real processes of one pod, an STS over real HTTP, and signals that kill or stop processes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from irsa_creds._shared_cache.store import Store
from races.harness import LoopbackSts, eventually
from sts_server import JWT

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture
def sts() -> Iterator[LoopbackSts]:
    with LoopbackSts() as opened:
        yield opened


@pytest.fixture
def environ(sts: LoopbackSts, tmp_path: Path, cache_dir: Path) -> dict[str, str]:
    pod = sts.pod(tmp_path)
    (tmp_path / "token").write_text(JWT)
    return {**os.environ, **pod, "IRSA_CREDS_CACHE_DIR": str(cache_dir)}


class Crowd:
    """Run a program with child processes; all are killed at the end of the `with` block."""

    def __init__(self, environ: dict[str, str], program: str, *arguments: object) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self.reports: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / program), *map(str, arguments)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        self._reader.join(20)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self.reports.append(json.loads(line))
            else:
                self.lines.put(line.strip())

    def calling(self) -> int:
        """Return the id of the next process that calls STS."""
        pid, what = self.lines.get(timeout=60).split()
        assert what == "calls"
        return int(pid)

    def reported(self, count: int, seconds: float = 90) -> list[dict[str, Any]]:
        """Return the final reports of `count` processes."""
        eventually(lambda: len(self.reports) >= count or self._process.poll() is not None, seconds)
        if len(self.reports) < count:
            self._reader.join(20)
            assert self._process.stderr is not None
            assert len(self.reports) >= count, self._process.stderr.read()
        return self.reports


def stop(pid: int) -> None:
    """Stop a process, and wait until all its threads have stopped."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    eventually(lambda: all("\nState:\tT" in _status(each) for each in tasks.iterdir()))


def _status(task: Path) -> str:
    return (task / "status").read_text()


def test_a_cold_start_of_sixteen_processes_with_four_sessions_each_is_one_call(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    with Crowd(environ, "crowd.py", 16, 0, 4) as crowd:
        reports = crowd.reported(16)
    assert len(sts.calls) == 1
    assert {tuple(each["keys"]) for each in reports} == {("ASIA0000000000000001",)}
    assert not any(each["errors"] for each in reports)


def test_each_refresh_is_one_call_for_all_processes(
    sts: LoopbackSts, environ: dict[str, str], tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("d", 0))
    with clock.open("r+b") as file, Crowd(environ, "refreshes.py", 16, clock) as crowd:
        for number in range(1, 5):
            reports = crowd.reported(16 * number)
            # Every process has the credentials of the one call.
            assert [each["key"] for each in reports[-16:]] == [f"ASIA{number:016d}"] * 16
            assert len(sts.calls) == number
            # Credentials of an hour are due in every process now, and valid.
            os.pwrite(file.fileno(), struct.pack("d", 3_400.0 * number), 0)


def test_a_lock_holder_killed_during_its_call_costs_one_more_call(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()
    with Crowd(environ, "crowd.py", 16, 0, 1) as crowd:
        holder = crowd.calling()
        assert sts.arrived.wait(30)
        os.kill(holder, signal.SIGKILL)
        assert crowd.calling() != holder, "the lock is free"
        sts.gate.set()
        reports = crowd.reported(15)
    assert not any(each["errors"] for each in reports)
    assert len(sts.calls) <= 3


def test_a_lock_holder_that_is_stopped_for_ever_does_not_stop_other_processes(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.lifetime = 10.0
    sts.gate.clear()
    with Crowd(environ, "crowd.py", 16, 13, 1) as crowd:
        holder = crowd.calling()
        assert sts.arrived.wait(30)
        stop(holder)
        sts.gate.set()
        reports = crowd.reported(15)
    assert not any(each["errors"] for each in reports)
    # 5 s until the lock is replaced, and some time on busy cores; after 30 s a read would fail.
    assert 3.5 < max(each["slowest"] for each in reports) < 25
    # One call of the stopped process, one with the new lock, one or two refreshes in 8 s, and one
    # more if a process replaces the new lock because it had looked at the old one; without sharing
    # 15 for each of these. On a busy machine some more replace a lock.
    assert 3 <= len(sts.calls) <= 9
    assert min(len(each["keys"]) for each in reports) >= 2, "refreshes go on"


def test_two_lock_holders_stopped_one_after_the_other_cost_a_call_each(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()
    with Crowd(environ, "crowd.py", 16, 0, 1) as crowd:
        for _ in range(2):
            holder = crowd.calling()
            assert sts.arrived.wait(30)
            sts.arrived.clear()
            stop(holder)
        sts.gate.set()
        reports = crowd.reported(14)
    assert not any(each["errors"] for each in reports)
    # Twice 5 s, and some time on busy cores; after 30 s a read would fail.
    assert 7 < max(each["slowest"] for each in reports) < 25
    # After 10 s a process calls STS without the lock; on a busy machine several do.
    assert 3 <= len(sts.calls) <= 9


def test_sixteen_processes_share_the_calls_that_sts_denies(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.error = "AccessDenied"
    with Crowd(environ, "crowd.py", 16, 7, 1) as crowd:
        reports = crowd.reported(16)
    assert {error.split()[-1] for each in reports for error in each["errors"]} == {"AccessDenied"}
    assert all(len(each["errors"]) == 1 for each in reports)
    # The first call, and one after 5 s; some more if a process starts seconds later.
    assert len(sts.calls) <= 5


def test_a_child_forked_during_a_call_does_not_keep_the_lock(cache_dir: Path) -> None:
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with Crowd(environ, "fork_holding.py", cache_dir) as crowd:
        parent, child = map(int, crowd.lines.get(timeout=60).split())
        store = Store(str(cache_dir))
        with contextlib.ExitStack() as stack:
            assert not store.lock("name", stack, 60.0)
        os.kill(parent, signal.SIGKILL)

        def free() -> bool:
            with contextlib.ExitStack() as stack:
                return store.lock("name", stack, 60.0)

        eventually(free)
        os.kill(child, 0)


def test_a_warm_start_calls_no_sts_and_imports_neither_botocore_nor_filelock(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    program = """
import sys, irsa_creds
print(irsa_creds.provider().get().access_key_id)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"botocore", "filelock", "boto3"}))
"""
    message = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        ).stdout.split("\n")
        for _ in range(2)
    ]
    assert message == [
        ["ASIA0000000000000001", "['botocore', 'filelock']", ""],
        ["ASIA0000000000000001", "[]", ""],
    ]
    assert len(sts.calls) == 1
