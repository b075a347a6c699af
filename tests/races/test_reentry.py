"""Handlers and finalizers that interrupt irsa-creds and read credentials."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import irsa_creds
from engine_fakes import join_refreshes, low, rig
from irsa_creds import RefreshTimeout
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import HERE, Line, log, logging_is_held_here
from irsa_creds._engine.waiting import acquire
from irsa_creds._registry import engine_of
from races.harness import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine_fakes import FakeClock, Rig
    from races.harness import LoopbackSts

pytestmark = pytest.mark.usefixtures("pod")


def test_a_signal_handler_that_reads_does_not_deadlock_with_the_read_it_interrupts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = irsa_creds.provider()
    engine = engine_of(provider)
    provider.get()
    signals: list[int] = []
    results: list[str] = []

    def handler(number: int, _: object) -> None:
        engine.leave_fast_path()
        results.append(provider.get(timeout=5).access_key_id)

    class InterruptingClock:
        """Raise a signal: the engine reads the wall clock while it holds its lock."""

        uniform = staticmethod(low)

        def now(self) -> float:
            return engine.now()

        def wall(self) -> float:
            if not signals:
                signals.append(signal.SIGUSR1)
                signal.raise_signal(signal.SIGUSR1)
            return time.time()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        monkeypatch.setattr(engine, "clock", InterruptingClock())
        engine.leave_fast_path()
        assert provider.get(timeout=5).access_key_id == "ASIA0000000000000001"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert results == ["ASIA0000000000000001"]


def test_a_log_handler_that_reads_credentials_does_not_deadlock(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    irsa_creds.install()
    provider = irsa_creds.provider()
    session = boto3.Session()
    results: list[str] = []

    class ToCloudWatch(logging.Handler):
        """Sends records to AWS with these credentials, on the thread that logs."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                session.get_credentials().get_frozen_credentials()
            except irsa_creds.IrsaError as error:
                results.append(type(error).__name__)
            else:
                results.append("served")

    caplog.set_level(logging.INFO, "irsa_creds")
    monkeypatch.setattr(logging.getLogger("irsa_creds"), "handlers", [ToCloudWatch()])
    sts.error = "AccessDenied"
    with pytest.raises(irsa_creds.ExchangeError):
        provider.get(timeout=5)
    eventually(lambda: results)
    sts.error = ""
    # End the cached failure.
    outage = engine_of(provider)._backoff
    outage.cached_until = outage.not_before = 0.0
    assert provider.get(timeout=5)
    eventually(lambda: len(results) > 1)
    assert results == ["DeniedError", "served"]


# -- a read inside a read --------------------------------------------------------------------------


@pytest.fixture
def no_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread of irsa-creds may start: it could wait for the interrupted code."""
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        assert not self.name.startswith("irsa-creds"), "a thread was started"
        original(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    yield
    join_refreshes()


@pytest.mark.usefixtures("no_thread")
def test_a_read_inside_a_read_refreshes_on_its_own_thread(here: Rig) -> None:
    with HERE.slow_path:
        assert HERE.is_busy
        found = acquire(here.engine)
    assert not HERE.is_busy
    assert found is here.engine.snapshot
    assert here.sts.calls == 1


@pytest.mark.usefixtures("no_thread")
def test_it_is_served_valid_credentials_and_starts_no_refresh(
    here: Rig,
) -> None:
    found = acquire(here.engine, must_not_wait=True)
    here.clock.advance(here.engine.snapshot.refresh_at - here.clock.now())
    with HERE.slow_path:
        assert acquire(here.engine) is found
    assert here.refresh is None
    assert here.sts.calls == 1


def test_it_does_not_wait_for_the_thread_that_runs_the_refresh(here: Rig) -> None:
    here.sts.hold.clear()
    others = here.joined()
    eventually(lambda: here.sts.calls == 1)
    attempt = here.sts.attempt

    def answering(*arguments: Any) -> Any:
        # The other thread gets its response only once this one has credentials.
        here.sts.hold.set()
        return attempt(*arguments)

    here.sts.attempt = answering  # type: ignore[method-assign, assignment]
    with HERE.slow_path:
        found = acquire(here.engine)
    join_refreshes()
    assert here.sts.calls == 2
    assert here.engine.snapshot.end_of_use >= found.end_of_use
    assert isinstance(others.outcome, Snapshot), "its callers were released as well"


@pytest.mark.usefixtures("no_thread")
def test_it_refreshes_for_min_ttl_on_its_own_thread_too(here: Rig) -> None:
    first = acquire(here.engine, must_not_wait=True)
    here.clock.advance(600)
    with HERE.slow_path:
        found = acquire(here.engine, min_ttl=first.lifetime - 60)
    assert found is not first
    assert here.sts.calls == 2


def test_with_min_ttl_it_does_not_wait_for_another_threads_refresh(here: Rig) -> None:
    first = acquire(here.engine)
    here.finish()
    here.sts.hold.clear()
    here.clock.advance(600)
    here.joined(first.lifetime - 60)
    eventually(lambda: here.sts.calls == 2)
    with HERE.slow_path, pytest.raises(RefreshTimeout, match="min_ttl"):
        acquire(here.engine, min_ttl=first.lifetime - 60)


# -- a read inside a change ------------------------------------------------------------------------


@pytest.fixture
def changed(clock: FakeClock) -> Iterator[Rig]:
    """Return an identity that this thread is changing."""
    made = rig(clock=clock)
    HERE.section = made.engine._lock
    with made.engine._lock:
        assert HERE.is_in_section
        yield made
    assert not HERE.is_in_section
    assert not HERE.is_busy


@pytest.mark.usefixtures("no_thread")
def test_a_read_in_the_middle_of_a_change_of_the_same_identity_gets_a_typed_error(
    changed: Rig,
) -> None:
    # Other threads would wait for the lock for as long as STS takes.
    with pytest.raises(RefreshTimeout, match="while irsa-creds changed them"):
        acquire(changed.engine)
    assert changed.sts.calls == 0


def test_a_read_of_another_identity_is_served_what_is_valid(clock: FakeClock) -> None:
    first, second = rig(clock=clock), rig(clock=clock)
    made = second.warm()
    HERE.section = first.engine._lock
    with first.engine._lock:
        assert acquire(second.engine) is made
        with pytest.raises(RefreshTimeout, match="while irsa-creds changed them"):
            acquire(second.engine, min_ttl=10_000)
    assert second.sts.calls == 1


@pytest.mark.usefixtures("no_thread", "changed")
def test_without_valid_credentials_it_gets_a_typed_error(clock: FakeClock) -> None:
    second = rig(clock=clock)
    # Another thread in the same situation may hold the other lock and wait for this one.
    with pytest.raises(RefreshTimeout, match="while irsa-creds changed them"):
        acquire(second.engine)
    assert second.sts.calls == 0


def test_two_threads_that_read_each_others_identity_inside_a_change_do_not_deadlock(
    clock: FakeClock,
) -> None:
    rigs = rig(clock=clock), rig(clock=clock)
    both = threading.Barrier(2)
    errors: list[str] = []

    def read(mine: Rig, other: Rig) -> None:
        HERE.section = mine.engine._lock
        with mine.engine._lock:
            both.wait(10)
            try:
                acquire(other.engine, timeout=5)
            except RefreshTimeout as error:
                errors.append(str(error))

    threads = [threading.Thread(target=read, args=each, daemon=True) for each in (rigs, rigs[::-1])]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
        assert not each.is_alive()
    assert len(errors) == 2


def test_a_change_on_another_thread_does_not_matter_here(clock: FakeClock) -> None:
    first, second = rig(clock=clock), rig(clock=clock)
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        HERE.section = first.engine._lock
        with first.engine._lock, HERE.slow_path:
            held.set()
            go_on.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    assert not HERE.is_busy
    assert acquire(second.engine)
    second.finish()
    go_on.set()
    holder.join(10)


# -- logging ---------------------------------------------------------------------------------------


def test_a_thread_in_a_log_handler_knows_it(caplog: pytest.LogCaptureFixture) -> None:
    held: list[bool] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            held.append(logging_is_held_here())
            other = threading.Thread(target=lambda: held.append(logging_is_held_here()))
            other.start()
            other.join(10)

    logger = logging.getLogger("tests.reentry")
    logger.addHandler(handler := Handler())
    try:
        logger.warning("A line.")
    finally:
        logger.removeHandler(handler)
    assert held == [True, False]
    assert not logging_is_held_here()
    assert caplog.messages == ["A line."]


def test_a_handler_without_a_lock_and_a_logging_without_one_hold_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler = logging.NullHandler()
    assert handler.lock is None
    # The names are private: without them no lock counts as held.
    for without in (SimpleNamespace(), SimpleNamespace(_lock=object())):
        monkeypatch.setattr("irsa_creds._engine.this_thread.logging", without)
        assert not logging_is_held_here()


def test_lines_of_a_refresh_are_kept_until_its_callers_are_released(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log(logging.WARNING, "No refresh runs: %s.", 1)
    kept: deque[Line] = deque()
    HERE.lines = kept
    try:
        with HERE.slow_path:
            log(logging.WARNING, "A refresh runs: %s.", 2)
    finally:
        HERE.lines = None
    assert caplog.messages == ["No refresh runs: 1."]
    assert list(kept) == [(logging.WARNING, "A refresh runs: %s.", 2)]
