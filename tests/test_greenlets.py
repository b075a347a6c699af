"""Where threads are patched after locks were made, all is made anew, with one warning."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from irsa_creds._greenlets import THREADS, Threads
from irsa_creds._provider import engine_of
from irsa_creds._refresher import Refresher
from irsa_creds._registry import REGISTRY
from kit import FakeClock, FakeSts, eventually, join_flights
from wire import give_irsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What patches, and takes it back unseen."""
    monkeypatch.setattr(THREADS, "_get_ident", threading.get_ident)
    yield monkeypatch
    monkeypatch.undo()


def patch(by: pytest.MonkeyPatch) -> None:
    original = threading.get_ident
    by.setattr(threading, "get_ident", partial(original))


def told(caplog: pytest.LogCaptureFixture) -> int:
    return sum("gevent" in each.getMessage() for each in caplog.records)


def test_nothing_is_renewed_where_nothing_was_patched() -> None:
    calls: list[int] = []
    threads = Threads()
    threads.when_patched(lambda: calls.append(1))
    assert not threads.renew_if_patched()
    assert calls == []


def test_what_was_patched_is_renewed_once_with_one_warning(
    patched: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    threads = Threads()
    threads.when_patched(lambda: calls.append(1))
    patch(patched)
    assert threads.renew_if_patched()
    assert not threads.renew_if_patched()
    assert calls == [1]
    assert told(caplog) == 1
    assert "irsa_creds" in caplog.text


def test_a_provider_keeps_its_credentials_and_forgets_its_flight(
    patched: pytest.MonkeyPatch,
    sts: FakeSts,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    give_irsa(patched, tmp_path)
    provider = irsa_creds.provider()
    engine = engine_of(provider)
    held = provider.get()
    sts.hold.clear()
    engine.snapshot.refresh_at = engine.snapshot.sent_at
    engine.prefetch()
    lock, flight = engine._lock, engine.under_way
    assert flight is not None

    patch(patched)
    engine.rouse()
    assert provider.get() is held
    assert engine._lock is not lock
    assert engine.under_way is not flight
    assert told(caplog) == 1
    sts.hold.set()
    join_flights()


def test_a_provider_that_is_kept_warm_goes_on_being_so(
    patched: pytest.MonkeyPatch, sts: FakeSts, tmp_path: Path
) -> None:
    give_irsa(patched, tmp_path)
    provider = irsa_creds.provider(keep_warm=True)
    join_flights()
    engine = engine_of(provider)
    engine.snapshot.refresh_at = engine.snapshot.sent_at
    patch(patched)
    irsa_creds.provider()
    join_flights()
    assert len(sts.budgets) == 2


def test_asking_for_a_provider_looks_as_well(
    patched: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    give_irsa(patched, tmp_path)
    lock = REGISTRY._lock
    patch(patched)
    irsa_creds.provider()
    assert REGISTRY._lock is not lock
    assert told(caplog) == 1


def test_a_timer_thread_of_before_ends_and_wakes_nobody(patched: pytest.MonkeyPatch) -> None:
    class Engine:
        ticked = False

        def tick(self) -> None:
            self.ticked = True

    clock, engine = FakeClock(), Engine()
    refresher = Refresher(clock)
    refresher.schedule(engine, clock.now() + 60)
    thread = refresher._thread
    assert thread is not None
    patch(patched)
    refresher.schedule(engine, clock.now())
    eventually(lambda: not thread.is_alive())
    assert not engine.ticked
