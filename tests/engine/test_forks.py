"""The threads that a fork waits for, and the order of fork hooks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine_fakes import eventually
from irsa_creds._engine import forks as forks_module
from irsa_creds._engine.forks import Forks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not Path(forks_module._TASKS).exists(), reason="it needs /proc")


class Time:
    """A clock that only `sleep` moves. `then` has calls to make at their instants."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: dict[float, Callable[[], object]] = {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for at in [each for each in self.then if each <= self.now]:
            self.then.pop(at)()


class Worker:
    """A thread that runs functions one by one, and waits in between."""

    def __init__(self) -> None:
        self._work: Callable[[], object] = lambda: None
        self._requested, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._is_busy, self._go_on = threading.Event(), threading.Event()
        self._ends = False
        self.thread = threading.Thread(target=self._loop)
        self.thread.start()

    @property
    def id(self) -> int:
        assert self.thread.native_id is not None
        return self.thread.native_id

    def _loop(self) -> None:
        while not self._ends:
            assert self._requested.acquire(timeout=30)
            self._work()
            self._done.release()

    def begin(self, work: Callable[[], object]) -> None:
        self._work = work
        self._requested.release()

    def wait(self) -> None:
        assert self._done.acquire(timeout=10)

    def do(self, work: Callable[[], object]) -> None:
        self.begin(work)
        self.wait()

    def be_busy(self, forks: Forks, *, imports: bool = True) -> None:
        """Stay in `forks.during` until `stop_being_busy`."""

        def work() -> None:
            self._is_busy.set()
            assert self._go_on.wait(30)

        self.begin(lambda: forks.during(work, imports=imports))
        assert self._is_busy.wait(10)

    def stop_being_busy(self) -> None:
        self._is_busy.clear()
        self._go_on.set()
        self.wait()

    def end(self, work: Callable[[], object] = lambda: None) -> None:
        """Run `work` and end; return when the thread is gone from the system."""
        if self._is_busy.is_set():
            self.stop_being_busy()
        self._ends = True
        self.do(work)
        self.thread.join(10)
        eventually(lambda: not forks_module._exists(self.id))


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr("irsa_creds._engine.forks.time", made)
    return made


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread runs."""
    monkeypatch.setattr("irsa_creds._engine.forks._is_running", lambda _: False)


class System:
    """A stand-in for `os.register_at_fork` that calls hooks in Python's order."""

    def __init__(self) -> None:
        self._registered: list[dict[str, Callable[[], object]]] = []

    def register(self, **hooks: Callable[[], object]) -> None:
        self._registered.append(hooks)

    def before(self) -> None:
        for each in reversed(self._registered):
            each["before"]()

    def in_parent(self) -> None:
        for each in self._registered:
            each["after_in_parent"]()

    def in_child(self) -> None:
        for each in self._registered:
            each["after_in_child"]()


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    made = System()
    monkeypatch.setattr(os, "register_at_fork", made.register, raising=False)
    return made


@pytest.fixture
def forks(system: System) -> Forks:
    return Forks()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    if made.thread.is_alive():
        made.end()


# -- the threads that a fork waits for -------------------------------------------------------------


@pytest.mark.usefixtures("idle")
def test_a_fork_waits_until_a_busy_thread_has_finished(
    forks: Forks, worker: Worker, time: Time
) -> None:
    worker.be_busy(forks)
    time.then[0.2] = worker.stop_being_busy
    forks._wait()
    assert time.now == pytest.approx(0.2, abs=0.01)


@pytest.mark.usefixtures("idle")
def test_a_thread_that_waits_for_the_network_is_waited_for_half_a_second(
    forks: Forks, worker: Worker, time: Time
) -> None:
    worker.be_busy(forks)
    forks._wait()
    assert time.now == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("imports", "seconds"), [(False, 5), (True, 30)])
def test_a_refresh_that_runs_is_waited_for_five_seconds_and_an_import_longer(
    forks: Forks,
    worker: Worker,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    *,
    imports: bool,
    seconds: float,
) -> None:
    looked_at = set[int]()

    def runs(thread: int) -> bool:
        looked_at.add(thread)
        return True

    monkeypatch.setattr("irsa_creds._engine.forks._is_running", runs)
    worker.be_busy(forks, imports=imports)
    forks._wait()
    assert time.now == pytest.approx(seconds, abs=0.01)
    assert looked_at == {worker.id}


def test_a_thread_that_has_run_is_waited_for_half_a_second_more(
    forks: Forks, worker: Worker, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._engine.forks._is_running", lambda _: time.now < 2)
    worker.be_busy(forks)
    forks._wait()
    assert time.now == pytest.approx(2.5, abs=0.01)


@pytest.mark.usefixtures("idle")
def test_a_thread_does_not_wait_for_itself(forks: Forks, time: Time) -> None:
    forks.during(forks._wait)
    assert time.now == 0


def test_without_busy_threads_a_fork_waits_for_nothing(forks: Forks, time: Time) -> None:
    forks._wait()
    assert time.now == 0


def test_work_may_fork_and_then_ends_in_the_child(forks: Forks) -> None:
    forks.during(forks.reset_after_fork)
    assert forks._busy == {}


def test_an_import_inside_a_refresh_is_waited_for_as_an_import(forks: Forks) -> None:
    found: list[float] = []

    def look() -> None:
        found.extend(forks._busy.values())

    def work() -> None:
        look()
        forks.during(look)
        look()

    forks.during(work, imports=False)
    assert found == [5, 30, 5]


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_a_thread_is_busy_until_the_outermost_work_ends(
    forks: Forks, error: Exception | None
) -> None:
    def work() -> str:
        forks.during(lambda: None)
        assert forks._busy.keys() == {threading.get_native_id()}
        if error is not None:
            raise error
        return "done"

    if error is None:
        assert forks.during(work) == "done"
    else:
        with pytest.raises(ValueError, match="no"):
            forks.during(work)
    assert forks._busy == {}


# -- threads at their end --------------------------------------------------------------------------


@pytest.mark.usefixtures("idle")
def test_a_fork_waits_until_an_ending_thread_is_gone_from_the_system(
    forks: Forks, worker: Worker, time: Time
) -> None:
    worker.do(forks.mark_ending)
    time.then[0.1] = worker.end
    forks._wait()
    assert time.now == pytest.approx(0.1, abs=0.01)
    assert forks._ending == set()


def test_threads_that_are_gone_are_dropped_when_the_next_one_ends(forks: Forks) -> None:
    for _ in range(20):
        Worker().end(forks.mark_ending)
    assert len(forks._ending) == 1


def test_the_main_thread_does_not_end_with_a_refresh_of_gevents(forks: Forks) -> None:
    # All greenlets run on the main thread, which has the id of the process.
    if threading.get_native_id() == os.getpid():
        forks.mark_ending()
    else:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                (
                    "from irsa_creds._engine.forks import FORKS; FORKS.mark_ending(); "
                    "print(len(FORKS._ending))"
                ),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == ["0"]
    assert forks._ending == set()


def test_whether_a_thread_runs_is_read_from_proc() -> None:
    spins, waits = Worker(), Worker()
    go_on = threading.Event()

    def spin() -> None:
        while not go_on.is_set():
            pass

    spins.begin(spin)
    eventually(lambda: forks_module._is_running(spins.id))
    eventually(lambda: not forks_module._is_running(waits.id))
    go_on.set()
    for each in (spins, waits):
        each.end()
    assert not forks_module._is_running(spins.id), "a thread that is gone does not run"


# -- the hooks -------------------------------------------------------------------------------------


def noting(forks: Forks, called: list[str]) -> None:
    forks.set_hooks(
        before=lambda: called.append("before"),
        in_parent=lambda: called.append("in_parent"),
        in_child=lambda: called.append("in_child"),
    )


def test_the_hooks_are_called_once_at_each_fork(forks: Forks, system: System) -> None:
    called: list[str] = []
    noting(forks, called)
    forks.register_again()
    system.before()
    system.in_parent()
    assert called == ["before", "in_parent"]
    system.before()
    system.in_child()
    assert called == ["before", "in_parent", "before", "in_child"]


def test_the_hooks_run_before_hooks_that_were_registered_since(
    forks: Forks, system: System
) -> None:
    called: list[str] = []
    noting(forks, called)
    system.register(
        before=lambda: called.append("another's"),
        after_in_parent=lambda: called.append("another's in_parent"),
    )
    forks.register_again()
    system.before()
    assert called == ["before", "another's"]
    system.in_parent()
    assert called[2:] == ["another's in_parent", "in_parent"]


@pytest.mark.usefixtures("idle")
def test_before_there_is_a_provider_forks_wait_for_imports_all_the_same(
    forks: Forks, system: System, worker: Worker, time: Time
) -> None:
    worker.be_busy(forks)
    system.before()
    assert time.now == pytest.approx(0.5, abs=0.01)
    system.in_parent()
    system.before()
    system.in_child()
    assert forks._busy == {}


def test_the_last_hooks_given_count(forks: Forks, system: System) -> None:
    first, last = list[str](), list[str]()
    noting(forks, first)
    noting(forks, last)
    system.before()
    system.in_parent()
    assert (first, last) == ([], ["before", "in_parent"])


def test_during_a_fork_no_thread_becomes_busy(forks: Forks, system: System, worker: Worker) -> None:
    noting(forks, [])
    system.before()
    begun, busy = threading.Event(), list[set[int]]()

    def work() -> None:
        begun.set()
        forks.during(lambda: busy.append(set(forks._busy)))

    worker.begin(work)
    assert begun.wait(10)
    eventually(lambda: not forks_module._is_running(worker.id))
    assert not busy
    system.in_parent()
    worker.wait()
    assert busy == [{worker.id}]


@pytest.mark.usefixtures("idle")
def test_a_busy_thread_does_not_wait_for_the_fork_that_waits_for_it(
    forks: Forks, system: System, worker: Worker, time: Time
) -> None:
    noting(forks, [])
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(10)
        forks.during(lambda: None)

    worker.begin(lambda: forks.during(work))
    assert begun.wait(10)

    def nest() -> None:
        go_on.set()
        worker.wait()

    time.then[0.1] = nest
    system.before()
    assert time.now == pytest.approx(0.1, abs=0.01)
    system.in_parent()


def test_a_fork_that_takes_longer_than_the_patience_leaves_the_gate_to_its_owner(
    forks: Forks, system: System, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._engine.forks._PATIENCE", 0.01)
    noting(forks, [])
    worker.do(system.before)
    system.before()
    system.in_parent()
    free: list[bool] = []

    def look() -> None:
        free.append(forks._gate.acquire(timeout=0))

    other = threading.Thread(target=look)
    other.start()
    other.join(10)
    assert free == [False], "the first fork still holds it"
    worker.do(system.in_parent)
    other = threading.Thread(target=look)
    other.start()
    other.join(10)
    assert free == [False, True]


def test_a_child_has_a_free_gate_and_none_of_its_parents_threads(
    forks: Forks, system: System, worker: Worker, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._engine.forks._is_running", lambda _: False)
    noting(forks, [])
    worker.do(forks.mark_ending)
    worker.be_busy(forks)
    system.before()
    system.in_child()
    assert (forks._busy, forks._ending) == ({}, set())
    worker.be_busy(forks)


def test_a_signal_handler_may_fork_inside_during() -> None:
    # In a separate process: if it hangs, the alarm ends it.
    program = textwrap.dedent(
        """
        import os, signal
        from irsa_creds._engine.forks import FORKS

        def fork(*_):
            child = os.fork()
            if child == 0:
                FORKS.during(lambda: None)
                os._exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

        signal.signal(signal.SIGUSR1, fork)
        signal.alarm(20)
        with FORKS._gate:
            signal.raise_signal(signal.SIGUSR1)
        FORKS.during(lambda: None)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["7"]


def test_a_real_child_is_not_forked_in_the_middle_of_an_import() -> None:
    program = textwrap.dedent(
        """
        import os, threading
        from irsa_creds._engine.forks import FORKS

        imports, half = threading.Event(), []

        def work():
            half.append(True)
            imports.set()
            # It runs without a pause, as an import does.
            for _ in range(2_000_000):
                pass
            half.clear()

        for _ in range(5):
            imports.clear()
            importing = threading.Thread(target=FORKS.during, args=(work,))
            importing.start()
            imports.wait(10)
            child = os.fork()
            if child == 0:
                os._exit(len(half))
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            importing.join()
        """
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["0"] * 5


WATCH_IMPORTS = """
import sys
from botocore.session import Session
from irsa_creds import provider
from irsa_creds._engine.forks import FORKS

waited_for = set()

class Finder:
    def find_spec(self, name, path, target=None):
        if name.startswith("irsa_creds") or name == "botocore.configloader":
            waited_for.add(bool(FORKS._busy))

def watch():
    sys.meta_path.insert(0, Finder())

ROLE = "arn:aws:iam::123456789012:role/app"
"""


@pytest.mark.parametrize(
    "program",
    [
        "found = provider(role_arn=ROLE, token=str); watch(); found.status()",
        "found = provider(role_arn=ROLE, token=str); watch(); found.subscribe(print)",
        "found = provider(role_arn=ROLE, token=str); watch(); found.botocore_credentials()",
        "found = provider(role_arn=ROLE, token=str); watch(); found.aiobotocore_credentials()",
        "watch(); provider()",
        "watch(); provider(role_arn=ROLE, token=str, assume=[ROLE])",
        "from irsa_creds import install; install(); watch(); Session().get_credentials()",
    ],
)
def test_a_fork_waits_for_all_imports(program: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\n")
    environ = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
    }
    done = subprocess.run(
        [sys.executable, "-c", f"{WATCH_IMPORTS}{program}\nprint(waited_for)"],
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("{True}\n", "")


def test_an_exception_of_a_signal_handler_leaves_no_thread_registered_for_ever(
    forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object, register: Callable[..., object], *arguments: object) -> None:
        register(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("irsa_creds._engine.forks.hold", interrupted)
    with pytest.raises(KeyboardInterrupt):
        forks.during(lambda: None)
    assert forks._busy == {}
