"""What callers get while STS works, and `min_ttl`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from engine_fakes import FakeTimer, Rig, failure, high, rig
from irsa_creds import ExchangeError, RefreshTimeout
from irsa_creds._engine.events import RefreshStarted
from irsa_creds._engine.timing import OVERDUE_GRACE
from irsa_creds._engine.waiting import acquire

if TYPE_CHECKING:
    from irsa_creds import Event
    from irsa_creds._engine.snapshot import Snapshot


def at_refresh(here: Rig) -> Snapshot:
    """Let the first credentials grow old enough to be refreshed; return them."""
    made = here.warm()
    here.clock.advance(2700)
    return made


# -- promise 1 -------------------------------------------------------------------------------------


def test_fresh_credentials_are_served_and_nothing_else_happens(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(2699.9)
    assert here.served() is made
    here.finish()
    assert here.sts.calls == 1


def test_stale_credentials_are_served_during_a_background_refresh(here: Rig) -> None:
    made = at_refresh(here)
    here.sts.hold.clear()
    assert here.served() is made
    assert here.refresh is not None
    assert not here.refresh.blocking
    assert here.served() is made
    here.finish()
    assert here.served().credentials.access_key_id == "ASIA0000000000000002"
    assert here.sts.calls == 2


def test_any_number_of_reads_of_stale_credentials_starts_one_refresh(here: Rig) -> None:
    at_refresh(here)
    here.sts.hold.clear()
    for _ in range(100):
        here.served()
    here.finish()
    assert here.sts.calls == 2


def test_reads_stay_on_the_fast_path_during_a_refresh(here: Rig) -> None:
    made = at_refresh(here)
    assert made.check_at == here.clock.now(), "a read looks at the engine now"
    here.sts.hold.clear()
    here.served()
    assert here.refresh is not None
    assert made.check_at == here.refresh.overdue_at == here.clock.now() + 15 + OVERDUE_GRACE


def test_reads_stay_on_the_fast_path_during_a_back_off(here: Rig) -> None:
    made = at_refresh(here)
    here.sts.script.append(failure())
    here.served()
    here.finish()
    assert made.check_at == here.clock.now() + 2
    assert here.served() is made
    here.finish()
    assert here.sts.calls == 2


def test_the_fast_path_never_outlasts_the_credentials(here: Rig) -> None:
    here.sts.lifetime = 10
    made = here.warm()
    here.clock.advance(8.9)
    here.sts.hold.clear()
    here.served()
    assert here.refresh is not None
    assert made.check_at == made.end_of_use < here.refresh.overdue_at


def test_a_read_marks_the_snapshot_and_a_refresh_starts_unmarked(here: Rig) -> None:
    here.joined()
    here.finish()
    assert not here.engine.snapshot.was_read
    assert here.served().was_read


def test_while_valid_no_thread_is_needed(here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = at_refresh(here)

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert here.served() is made
        assert here.refresh is not None
        assert not here.refresh.is_claimed
    assert made.check_at == here.clock.now() + 1, "the next try is soon"
    here.clock.advance(1)
    here.served()
    here.finish()
    assert here.sts.calls == 2


# -- promises 3 and 6 ------------------------------------------------------------------------------


def test_all_callers_without_valid_credentials_join_one_refresh(here: Rig) -> None:
    here.sts.hold.clear()
    first = here.joined()
    assert first.blocking
    assert all(here.joined() is first for _ in range(100))
    here.finish()
    assert here.sts.calls == 1


def test_a_crowd_of_threads_makes_one_call_and_gets_one_set(here: Rig) -> None:
    here.sts.hold.clear()
    found: list[Snapshot] = []
    barrier = threading.Barrier(51)

    def read() -> None:
        barrier.wait(10)
        found.append(acquire(here.engine))

    threads = [threading.Thread(target=read) for _ in range(50)]
    for thread in threads:
        thread.start()
    barrier.wait(10)
    here.sts.hold.set()
    for thread in threads:
        thread.join(10)
    assert len(found) == 50
    assert {id(each) for each in found} == {id(here.engine.snapshot)}
    assert here.sts.calls == 1


def test_the_values_of_one_read_are_from_one_response(here: Rig) -> None:
    for number in range(1, 4):
        given = here.warm().credentials
        assert given.access_key_id == f"ASIA{number:016d}"
        assert given.secret_access_key == f"secret-{number}"
        assert given.session_token == f"session-{number}"
        here.engine.invalidate(None)


def test_events_are_delivered_after_the_callers_are_released(here: Rig) -> None:
    events: list[Event] = []
    released: list[bool] = []
    here.sts.hold.clear()
    refresh = here.joined()
    here.subscribers.subscribe(events.append)
    here.subscribers.subscribe(lambda _: released.append(refresh.is_done))
    here.finish()
    here.clock.advance(2700)
    here.served()
    here.finish()
    assert RefreshStarted(here.fetcher.name, blocking=False) in events
    assert released == [True, True, True, True]


# -- min_ttl ---------------------------------------------------------------------------------------


def test_credentials_that_last_long_enough_are_served_at_once(here: Rig) -> None:
    made = here.warm()
    assert here.read(3595) is made
    assert here.refresh is None


def test_a_caller_whose_min_ttl_is_more_than_is_left_waits_and_no_other_does(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(100)
    here.sts.hold.clear()
    refresh = here.joined(3500)
    assert not refresh.blocking
    assert here.joined(3500) is refresh
    assert here.served() is made
    here.finish()
    assert here.read(3500) is here.engine.snapshot
    assert here.sts.calls == 2


def test_a_min_ttl_beyond_what_sts_gives_is_an_error_with_the_seconds_left(
    here: Rig,
) -> None:
    here.warm()
    with pytest.raises(RefreshTimeout, match=r"valid for 3595 s, and min_ttl is 4000"):
        acquire(here.engine, 4000)
    assert here.sts.calls == 2


def test_min_ttl_starts_a_refresh_only_a_minute_after_its_last_one(here: Rig) -> None:
    here.warm()
    here.joined(4000)
    here.finish()
    here.clock.advance(60)
    with pytest.raises(RefreshTimeout, match="min_ttl"):
        here.read(4000)
    here.clock.advance(0.1)
    here.joined(4000)
    here.finish()
    assert here.sts.calls == 3


def test_min_ttl_obeys_the_back_off(here: Rig) -> None:
    here.warm()
    here.sts.script.append(failure("Throttling", throttled=True))
    here.joined(4000)
    here.finish()
    with pytest.raises(ExchangeError, match="Throttling"):
        here.read(4000)
    here.served()
    assert here.sts.calls == 2


def test_min_ttl_without_a_thread_is_an_error_at_once(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.warm()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RefreshTimeout, match="min_ttl"):
        acquire(here.engine, 4000)


# -- the timer ------------------------------------------------------------------------------------


def test_the_timer_is_scheduled_for_the_refresh_its_deadline_and_the_back_off() -> None:
    timer = FakeTimer()
    here = rig(uniform=high, timer=timer)
    here.warm()
    start = here.clock.now()
    # Before the refresh come two looks at whether the credentials are being read.
    for seconds in (1740, 1800):
        assert timer.at[-1] == start + seconds
        here.clock.advance(start + seconds - here.clock.now())
        here.served()
        here.engine.tick()
    assert timer.at[-1] == start + 2700
    here.clock.advance(900)
    here.sts.script.append(failure())
    here.sts.hold.clear()
    here.served()
    assert timer.at[-1] == start + 2700 + 15 + OVERDUE_GRACE
    here.finish()
    assert timer.at[-1] == start + 2700 + 2


def test_a_failed_first_refresh_does_not_start_the_timer() -> None:
    timer = FakeTimer()
    here = rig(timer=timer)
    here.sts.down = failure("AccessDenied", retryable=False)
    here.joined()
    here.finish()
    assert timer.at == []
