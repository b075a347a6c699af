"""Callers that must not wait for another thread: they run the refresh themselves."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import Rig, eventually, failure, join_refreshes, refreshing
from irsa_creds import ExchangeError, RefreshTimeout
from irsa_creds._engine.events import RefreshFailed, RefreshStarted
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import HERE
from irsa_creds._engine.timing import OVERDUE_GRACE
from irsa_creds._engine.waiting import acquire

if TYPE_CHECKING:
    from irsa_creds import Event

LOGGING_LOCK: Any = vars(logging)["_lock"]


def test_a_log_handler_that_reads_while_logging_is_configured_gets_credentials(here: Rig) -> None:
    # Refreshes of other tests.
    join_refreshes()
    with LOGGING_LOCK:
        made = acquire(here.engine, timeout=5)
    assert here.served() is made
    assert here.sts.calls == 1
    assert not refreshing()


def test_it_does_so_beside_a_refresh_that_waits_for_the_same_lock(here: Rig) -> None:
    here.sts.hold.clear()
    stuck = here.joined()
    eventually(lambda: here.sts.calls == 1)
    with LOGGING_LOCK:
        refresh = here.engine.get_or_join(must_not_wait=True)
        assert isinstance(refresh, Refresh)
        assert refresh is not stuck
        assert not refresh.is_claimed
        assert here.read() is refresh, "others join the one that can go on"
        here.sts.hold.set()
        assert acquire(here.engine, timeout=5)
    assert here.served()


@pytest.mark.parametrize("inside", ["a read", "a change"])
def test_a_signal_handler_that_interrupts_a_read_gets_credentials_or_a_typed_error(
    here: Rig, inside: str
) -> None:
    results: list[str] = []

    def handler(*_: object) -> None:
        try:
            results.append(acquire(here.engine, timeout=5).credentials.access_key_id)
        except RefreshTimeout as error:
            results.append(str(error))

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        if inside == "a read":
            with HERE.slow_path:
                signal.raise_signal(signal.SIGUSR1)
        else:
            # A refresh here would hold the lock for as long as STS takes.
            HERE.section = here.engine._lock
            with here.engine._lock:
                signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    (found,) = results
    if inside == "a read":
        assert found == "ASIA0000000000000001"
    else:
        assert "while irsa-creds changed them" in found
    assert here.sts.calls == (inside == "a read")


def test_they_get_a_cached_failure_as_well(here: Rig) -> None:
    here.sts.down = failure("AccessDenied", retryable=False)
    for _ in range(3):
        with LOGGING_LOCK, pytest.raises(ExchangeError, match="AccessDenied"):
            acquire(here.engine, timeout=5)
    assert here.sts.calls == 1


def test_a_caller_that_joins_a_refresh_cut_by_another_caller_looks_again(
    here: Rig,
) -> None:
    refresh = claimed_with_no_time(here)
    joined: list[Snapshot] = []
    other = threading.Thread(target=lambda: joined.append(acquire(here.engine)))
    other.start()
    eventually(lambda: refresh._wakers)
    here.engine.run(refresh)
    other.join(10)
    assert joined == [here.engine.snapshot]


def test_a_refresh_cut_by_one_callers_deadline_is_not_a_failure_for_the_next(here: Rig) -> None:
    claimed_with_no_time(here)
    here.clock.advance(OVERDUE_GRACE)
    assert acquire(here.engine)
    assert here.engine.status().last_failure is None


def claimed_with_no_time(here: Rig) -> Refresh:
    """Return a refresh that a caller claimed at the instant of its deadline."""
    refresh = here.engine.get_or_join(must_not_wait=True)
    assert isinstance(refresh, Refresh)
    assert refresh.claim(here.clock.now())
    refresh.shorten_to(here.clock.now())
    return refresh


@pytest.mark.parametrize("moment", ["status", "close", "finish"])
def test_a_read_in_a_signal_handler_during_a_change_gets_an_error_and_blocks_nothing(
    here: Rig, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[str] = []
    now = here.clock.now

    def interrupted() -> float:
        if HERE.is_in_section and not errors:
            monkeypatch.undo()
            try:
                acquire(here.engine, timeout=5)
            except RefreshTimeout as error:
                errors.append(str(error))
        return now()

    refresh = here.joined() if moment == "finish" else None
    here.finish()
    here.engine.invalidate(None)
    monkeypatch.setattr(here.clock, "now", interrupted)
    if refresh is not None:
        here.engine._finish(refresh, failure())
    elif moment == "status":
        here.engine.status()
    else:
        monkeypatch.setattr(Snapshot, "expire", lambda _: interrupted())
        here.engine.close()
    assert "while irsa-creds changed them" in errors[0]
    assert acquire(here.engine), "nothing is left of it"


def test_one_callers_short_timeout_is_not_a_failure_for_others(here: Rig) -> None:
    with LOGGING_LOCK, pytest.raises(RefreshTimeout):
        acquire(here.engine, timeout=0)
    assert here.engine.status().last_failure is None
    assert acquire(here.engine)


def test_subscribers_get_the_failure_of_a_refresh_whose_thread_never_ends(
    here: Rig,
) -> None:
    events: list[Event] = []
    here.subscribers.subscribe(events.append)
    here.sts.hold.clear()
    here.joined()
    eventually(lambda: here.sts.calls == 1)
    here.clock.advance(30 + OVERDUE_GRACE)
    with pytest.raises(RefreshTimeout):
        here.read()
    eventually(lambda: len(events) == 2)
    started, failed = events
    assert isinstance(started, RefreshStarted)
    assert isinstance(failed, RefreshFailed)
    assert failed.code == "RefreshTimeout"
    here.sts.hold.set()


def test_a_read_at_interpreter_exit_gets_the_failure_of_a_hanging_refresh(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    here.subscribers.subscribe(events.append)
    here.sts.hold.clear()
    here.joined()
    eventually(lambda: here.sts.calls == 1)
    here.clock.advance(30 + OVERDUE_GRACE)
    # At that time no module can be imported and no thread started.
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    with pytest.raises(RefreshTimeout):
        here.read()
    assert events == []
    monkeypatch.undo()
    here.sts.hold.set()
