"""Readers whose own thread holds what a flight needs: they fly themselves."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds import ExchangeError, RefreshTimeout
from irsa_creds._events import RefreshFailed, RefreshStarted
from irsa_creds._freshness import OVERDUE_GRACE
from irsa_creds._waiting import acquire
from kit import Rig, eventually, failure

if TYPE_CHECKING:
    from irsa_creds import Event

LOGGING_LOCK: Any = vars(logging)["_lock"]


def test_a_log_handler_that_reads_while_logging_is_configured_gets_credentials(here: Rig) -> None:
    with LOGGING_LOCK:
        made = acquire(here.engine, timeout=5)
    assert here.served() is made
    assert here.sts.calls == 1
    assert not [thread for thread in threading.enumerate() if "irsa" in thread.name]


def test_it_does_so_beside_a_flight_that_waits_for_that_very_lock(here: Rig) -> None:
    here.sts.hold.clear()
    stuck = here.joined()
    eventually(lambda: here.sts.calls == 1)
    with LOGGING_LOCK:
        flight = here.joined()
        assert flight is not stuck
        assert flight.pilot == threading.get_ident()
        assert here.flight is flight, "others join the one that gets on"
        here.sts.hold.set()
        here.engine.fly(flight)
    assert here.served()


def test_a_signal_handler_that_interrupts_a_reader_gets_credentials(here: Rig) -> None:
    held: list[bool] = []

    def handler(*_: object) -> None:
        acquire(here.engine, timeout=5)
        held.append(True)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with here.engine._turn():
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert held
    assert here.sts.calls == 1


def test_a_failure_that_is_recorded_answers_them_as_well(here: Rig) -> None:
    here.sts.down = failure("AccessDenied", retryable=False)
    for _ in range(3):
        with LOGGING_LOCK, pytest.raises(ExchangeError, match="AccessDenied"):
            acquire(here.engine, timeout=5)
    assert here.sts.calls == 1


def test_one_readers_short_time_is_no_failure_of_sts_for_others(here: Rig) -> None:
    with LOGGING_LOCK, pytest.raises(RefreshTimeout):
        acquire(here.engine, timeout=0)
    assert here.engine.status().last_failure is None
    assert acquire(here.engine)


def test_a_refresh_that_hangs_is_told_to_subscribers_though_its_thread_never_ends(
    here: Rig,
) -> None:
    heard: list[Event] = []
    here.channel.subscribe(heard.append)
    here.sts.hold.clear()
    here.joined()
    eventually(lambda: here.sts.calls == 1)
    here.clock.advance(30 + OVERDUE_GRACE)
    with pytest.raises(RefreshTimeout):
        here.engine.look()
    eventually(lambda: len(heard) == 2)
    started, failed = heard
    assert isinstance(started, RefreshStarted)
    assert isinstance(failed, RefreshFailed)
    assert failed.code == "RefreshTimeout"
    here.sts.hold.set()
