"""Suspend, paused VMs, clock steps in both directions, and a missing or wrong `Date`."""

from __future__ import annotations

import pytest

from engine_fakes import FakeTimer, Rig, failure, high, rig
from irsa_creds import ExchangeError
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.waiting import acquire

DAY = 86400.0


# -- suspend ---------------------------------------------------------------------------------------


def test_credentials_that_expired_during_suspend_are_not_returned(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(DAY)
    assert made.check_at < here.clock.now(), "nor are they on the fast path"
    assert here.joined().blocking


def test_credentials_that_became_stale_during_suspend_are_served_and_refreshed(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(3000)
    assert here.served() is made
    here.finish()
    assert here.sts.calls == 2


# -- the wall runs ahead ---------------------------------------------------------------------------


def test_a_small_step_forward_changes_nothing(here: Rig) -> None:
    here.warm()
    here.clock.step_wall(5)
    assert here.served()
    here.finish()
    assert here.sts.calls == 1


def test_a_step_forward_makes_stale_and_no_caller_waits(here: Rig) -> None:
    made = here.warm()
    here.clock.step_wall(5.1)
    assert here.engine.status().state == "stale"
    here.sts.hold.clear()
    assert here.served() is made
    assert here.refresh is not None
    here.finish()
    assert here.served() is not made
    assert here.engine.status().state == "fresh", "the new anchor knows of the step"
    assert here.sts.calls == 2


def test_after_a_pause_past_the_end_callers_wait_for_one_refresh(here: Rig) -> None:
    here.warm()
    here.clock.step_wall(DAY)
    assert here.engine.status().state == "expired"
    here.sts.hold.clear()
    assert here.joined() is here.joined()
    here.sts.hold.set()
    assert acquire(here.engine).credentials.access_key_id == "ASIA0000000000000002"
    assert here.sts.calls == 2


def test_all_reads_leave_the_fast_path_for_that_refresh(here: Rig) -> None:
    made = here.warm()
    here.clock.step_wall(DAY)
    here.sts.hold.clear()
    here.joined()
    assert made.check_at < here.clock.now()


def test_if_that_refresh_fails_boottime_decides(here: Rig) -> None:
    made = here.warm()
    here.clock.step_wall(DAY)
    here.sts.down = failure()
    assert acquire(here.engine) is made
    assert here.engine.status().state == "stale"
    assert made.check_at == here.clock.now() + 2
    here.clock.advance(2)
    here.sts.hold.clear()
    assert here.served() is made, "no caller waits for the next one"
    here.finish()
    assert here.served() is made, "nor after it failed as well"
    assert here.sts.calls == 3


def test_that_refresh_does_not_wait_for_a_back_off(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(failure(retry_after=200.0))
    here.served()
    here.finish()
    here.clock.step_wall(DAY)
    assert acquire(here.engine).credentials.access_key_id == "ASIA0000000000000002"


def test_a_refresh_that_failed_before_the_wall_was_past_the_end_was_not_that_one(
    here: Rig,
) -> None:
    here.warm()
    here.clock.step_wall(600)
    here.sts.script.append(failure())
    here.served()
    here.finish()
    here.clock.step_wall(DAY)
    here.sts.hold.clear()
    assert here.joined()


def test_past_the_end_by_both_clocks_nothing_is_served(here: Rig) -> None:
    made = here.warm()
    here.clock.step_wall(DAY)
    here.sts.down = failure()
    assert acquire(here.engine) is made
    here.clock.advance(3595)
    with pytest.raises(ExchangeError):
        acquire(here.engine)


def test_after_a_pause_without_threads_valid_credentials_are_served(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = here.warm()
    here.clock.step_wall(DAY)
    monkeypatch.setattr(here.engine._overdue, "allows_start", lambda _: False)
    assert here.served() is made
    assert made.check_at == here.clock.now() + 1


# -- the wall is set back --------------------------------------------------------------------------


def test_a_step_back_changes_nothing(here: Rig) -> None:
    made = here.warm()
    here.clock.step_wall(-DAY)
    assert here.served() is made
    here.clock.advance(3595)
    here.joined()


def test_a_skewed_pod_clock_changes_nothing(here: Rig) -> None:
    here.sts.skew = DAY
    made = here.warm()
    assert made.lifetime == 3600
    assert made.left(here.clock.now()) == 3595


@pytest.mark.parametrize(("skew", "lifetime"), [(0.0, 3600.0), (-1800.0, 1801.0), (9e6, 3600.0)])
def test_without_a_date_the_local_clock_counts(here: Rig, skew: float, lifetime: float) -> None:
    here.sts.date = False
    here.sts.skew = skew
    assert here.warm().lifetime == lifetime


# -- the timer ---------------------------------------------------------------------------------


def test_the_timer_notices_a_jump_and_ends_the_fast_path() -> None:
    here = rig(uniform=high, timer=FakeTimer())
    made = here.warm()
    here.clock.step_wall(DAY)
    here.sts.hold.clear()
    here.engine.tick()
    assert here.refresh is not None
    assert made.check_at < here.clock.now()
    assert here.joined() is here.refresh
    here.finish()


def test_the_next_read_of_an_idle_engine_leaves_the_fast_path() -> None:
    here = rig(uniform=high, timer=FakeTimer())
    here.joined()
    here.finish()
    made = here.engine.snapshot
    here.clock.step_wall(DAY)
    here.engine.tick()
    assert here.refresh is None
    assert made.check_at < here.clock.now()
    found = here.read()
    assert not isinstance(found, Snapshot)
    here.finish()


def test_status_starts_nothing_and_changes_nothing(here: Rig) -> None:
    made = here.warm()
    here.clock.step_wall(60)
    assert here.engine.status().state == "stale"
    assert here.refresh is None
    assert made.refresh_at == made.check_at == made.sent_at + 2700
