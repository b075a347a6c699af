"""Real processes of one pod, an STS over real HTTP, and signals that end or stop them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
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
pytestmark = pytest.mark.timeout(110)


@pytest.fixture
def sts() -> Iterator[LoopbackSts]:
    with LoopbackSts() as opened:
        yield opened


@pytest.fixture
def environ(sts: LoopbackSts, tmp_path: Path, place: Path) -> dict[str, str]:
    pod = sts.pod(tmp_path)
    (tmp_path / "token").write_text(JWT)
    return {**os.environ, **pod, "IRSA_CREDS_CACHE_DIR": str(place)}


class Crowd:
    """A program with processes of its own, which end with the `with` block whatever happens."""

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

    def asking(self) -> int:
        """Return the id of the next process that asks STS."""
        pid, what = self.lines.get(timeout=60).split()
        assert what == "asks"
        return int(pid)

    def reported(self, count: int, seconds: float = 90) -> list[dict[str, Any]]:
        """Return what so many processes have to say at their end."""
        eventually(lambda: len(self.reports) >= count or self._process.poll() is not None, seconds)
        if len(self.reports) < count:
            self._reader.join(20)
            assert self._process.stderr is not None
            assert len(self.reports) >= count, self._process.stderr.read()
        return self.reports


def stop(pid: int) -> None:
    """Stop a process: it goes on until the one thread that gets the signal has stopped the rest."""
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


def test_refreshes_are_one_call_each_for_all_processes(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    # Refreshed for the first time after 1 to 5 s, and then after 4.2 to 5 s each.
    sts.lifetime = 10.0
    with Crowd(environ, "crowd.py", 16, 12, 4) as crowd:
        reports = crowd.reported(16)
    assert not any(each["errors"] for each in reports)
    # Two or three refreshes in that time; on a busy machine one may take longer than 5 s.
    assert 3 <= len(sts.calls) <= 5
    longest = max((each["keys"] for each in reports), key=len)
    assert len(longest) == len(sts.calls), "each call brought what was used"
    assert all(longest[: len(each["keys"])] == each["keys"] for each in reports)


def test_a_holder_that_is_killed_in_mid_exchange_costs_one_more_call(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()
    with Crowd(environ, "crowd.py", 16, 0, 1) as crowd:
        holder = crowd.asking()
        assert sts.arrived.wait(30)
        os.kill(holder, signal.SIGKILL)
        assert crowd.asking() != holder, "the lock is free"
        sts.gate.set()
        reports = crowd.reported(15)
    assert not any(each["errors"] for each in reports)
    assert len(sts.calls) <= 3


def test_a_holder_that_is_stopped_for_ever_stops_nobodys_refresh(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.lifetime = 10.0
    sts.gate.clear()
    with Crowd(environ, "crowd.py", 16, 13, 1) as crowd:
        holder = crowd.asking()
        assert sts.arrived.wait(30)
        stop(holder)
        sts.gate.set()
        reports = crowd.reported(15)
    assert not any(each["errors"] for each in reports)
    # Five seconds until the lock is replaced, and what two busy cores take.
    assert 3.5 < max(each["slowest"] for each in reports) < 10
    # The stopped one's, that of the new lock, and that of each refresh, of which 8 s have one or
    # two; one more where a process replaces the new lock, for it looked at the old one before.
    assert 3 <= len(sts.calls) <= 5
    assert min(len(each["keys"]) for each in reports) >= 2, "refreshes go on"


def test_two_holders_that_are_stopped_one_after_the_other_cost_a_call_each(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.gate.clear()
    with Crowd(environ, "crowd.py", 16, 0, 1) as crowd:
        for _ in range(2):
            holder = crowd.asking()
            assert sts.arrived.wait(30)
            sts.arrived.clear()
            stop(holder)
        sts.gate.set()
        reports = crowd.reported(14)
    assert not any(each["errors"] for each in reports)
    # Twice five seconds, and what two busy cores take.
    assert 7 < max(each["slowest"] for each in reports) < 15
    # After ten seconds a process calls STS without the lock, on a busy machine more than one.
    assert 3 <= len(sts.calls) <= 6


def test_sixteen_processes_find_out_together_that_sts_refuses(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.refusal = "AccessDenied"
    with Crowd(environ, "crowd.py", 16, 7, 1) as crowd:
        reports = crowd.reported(16)
    assert {error.split()[-1] for each in reports for error in each["errors"]} == {"AccessDenied"}
    assert all(len(each["errors"]) == 1 for each in reports)
    # At once, and after 5 s.
    assert len(sts.calls) <= 3


def test_a_child_that_was_forked_in_mid_exchange_does_not_keep_the_lock(place: Path) -> None:
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with Crowd(environ, "fork_holding.py", place) as crowd:
        parent, child = map(int, crowd.lines.get(timeout=60).split())
        store = Store(str(place))
        with contextlib.ExitStack() as stack:
            assert not store.lock("name", stack, 60.0)
        os.kill(parent, signal.SIGKILL)

        def free() -> bool:
            with contextlib.ExitStack() as stack:
                return store.lock("name", stack, 60.0)

        eventually(free)
        os.kill(child, 0)


def test_a_warm_start_asks_nobody_and_imports_neither_botocore_nor_filelock(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    program = """
import sys, irsa_creds
print(irsa_creds.provider().get().access_key_id)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"botocore", "filelock", "boto3"}))
"""
    said = [
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
    assert said == [
        ["ASIA0000000000000001", "['botocore', 'filelock']", ""],
        ["ASIA0000000000000001", "[]", ""],
    ]
    assert len(sts.calls) == 1
