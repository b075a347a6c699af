"""Code of others that runs in the middle of ours, and reads credentials there."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import irsa_creds
from irsa_creds._flight import Flight
from irsa_creds._lock import CountedLock, forget_sections, inside, sections_here
from irsa_creds._provider import engine_of
from irsa_creds._tower import Tower
from kit import FakeAgenda, FakeClock, land_all, rig
from races.lab import eventually

if TYPE_CHECKING:
    from races.lab import LoopbackSts

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("pod")]


def test_a_signal_handler_that_reads_does_not_deadlock_with_the_read_it_interrupts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = irsa_creds.provider()
    engine = engine_of(provider)
    provider.get()
    signals: list[int] = []
    heard: list[str] = []

    def handler(number: int, _: object) -> None:
        engine.rouse()
        heard.append(provider.get(timeout=5).access_key_id)

    class InterruptingClock:
        """The engine looks at the wall under its lock; a signal may come there as anywhere."""

        def now(self) -> float:
            return engine.now()

        def wall(self) -> float:
            if not signals:
                signals.append(signal.SIGUSR1)
                signal.raise_signal(signal.SIGUSR1)
            return time.time()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        monkeypatch.setattr(engine, "_clock", InterruptingClock())
        engine.rouse()
        assert provider.get(timeout=5).access_key_id == "ASIA0000000000000001"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == ["ASIA0000000000000001"]


def test_a_log_handler_that_reads_credentials_does_not_deadlock(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    irsa_creds.install()
    provider = irsa_creds.provider()
    session = boto3.Session()
    heard: list[str] = []

    class ToCloudWatch(logging.Handler):
        """Sends what it hears to AWS, on the thread that logs, with these very credentials."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                session.get_credentials().get_frozen_credentials()
            except irsa_creds.IrsaError as error:
                heard.append(type(error).__name__)
            else:
                heard.append("served")

    caplog.set_level(logging.INFO, "irsa_creds")
    monkeypatch.setattr(logging.getLogger("irsa_creds"), "handlers", [ToCloudWatch()])
    sts.refusal = "AccessDenied"
    with pytest.raises(irsa_creds.ExchangeError):
        provider.get(timeout=5)
    eventually(lambda: heard)
    sts.refusal = ""
    engine_of(provider)._outage.retry_now(0)
    assert provider.get(timeout=5)
    eventually(lambda: len(heard) > 1)
    assert heard == ["RefusedError", "served"]


class Interrupted:
    """Two identities; a handler reads the second in the middle of what all engines share.

    Another thread has the second one's lock by then, and waits for what this one is inside of.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.tower = Tower(clock)
        self.clock = clock
        self.first, self.second = (
            rig(clock=clock, tower=self.tower, agenda=FakeAgenda()) for _ in range(2)
        )
        self.heard: list[object] = []

    def read(self, **how: Any) -> None:
        """Read the second one while the first asks for its turn."""
        other = threading.Thread(target=self._wait_for_the_tower)
        with inside(self.tower._lock):
            other.start()
            eventually(lambda: self.second.engine._lock.depth)
            try:
                self.heard.append(self.second.engine.look(**how))
            except irsa_creds.RefreshTimeout as error:
                self.heard.append(error)
        other.join(10)
        assert not other.is_alive()

    def _wait_for_the_tower(self) -> None:
        with self.second.engine._lock, inside(self.tower._lock):
            pass


def test_a_handler_in_the_middle_of_anothers_change_is_served_what_is_valid(
    clock: FakeClock,
) -> None:
    here = Interrupted(clock)
    here.second.joined()
    land_all()
    here.read()
    assert here.heard == [here.second.engine.snapshot]


def test_and_is_told_so_where_nothing_is_valid(clock: FakeClock) -> None:
    here = Interrupted(clock)
    here.read()
    assert "in the middle of a change" in str(here.heard[0])


def test_or_where_it_is_not_valid_for_long_enough(clock: FakeClock) -> None:
    here = Interrupted(clock)
    here.second.joined()
    land_all()
    here.read(min_ttl=10_000)
    assert "in the middle of a change" in str(here.heard[0])


def test_what_else_a_handler_asks_of_another_identity_waits_for_nobody(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._lock._PATIENCE", 0.01)
    here = Interrupted(clock)
    here.second.joined()
    land_all()
    engine = here.second.engine
    key = engine.snapshot.credentials.access_key_id
    go_on, held = threading.Event(), threading.Event()

    def hold() -> None:
        with engine._lock:
            held.set()
            go_on.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    with inside(here.tower._lock):
        engine.tick()
        engine.prefetch()
        engine.take_turn(warming=True)
        engine.distrust(key)
        assert engine.status().state == "fresh"
        assert not engine.is_flown_here()
        engine.invalidate(key)
        assert engine.snapshot.left(clock.now()) <= 0
        engine.close()
    go_on.set()
    holder.join(10)
    assert here.second.sts.calls == 1


def test_a_handler_that_finds_nothing_valid_fetches_it_on_its_own_thread(clock: FakeClock) -> None:
    here = Interrupted(clock)
    with inside(here.tower._lock):
        flight = here.second.engine.look()
        assert isinstance(flight, Flight)
        assert flight.pilot is not None, "another thread could wait for what this one is inside of"
        here.second.engine.fly(flight)
    assert here.second.served()


def test_what_it_fetched_lands_though_another_thread_waits_with_the_lock(clock: FakeClock) -> None:
    here = Interrupted(clock)
    engine = here.second.engine
    with inside(here.tower._lock):
        flight = engine.look()
        assert isinstance(flight, Flight)
        other = threading.Thread(target=here._wait_for_the_tower)
        other.start()
        eventually(lambda: engine._lock.depth)
        engine.fly(flight)
    other.join(10)
    assert not other.is_alive()
    assert here.second.served()
    assert sections_here() == 0


def test_no_lock_is_counted_for_a_thread_that_has_none() -> None:
    lock = CountedLock()
    with inside(lock), lock:
        assert sections_here() == 3
        forget_sections()
    assert sections_here() == 0
