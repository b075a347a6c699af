"""What happens without reads: ticks, `keep_warm`, prefetch, forks, close and status."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from engine_fakes import EPOCH, FakeTimer, Rig, failure, high, low, rig
from irsa_creds import LastFailure, Status
from irsa_creds._engine.reads import Reads
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.timing import OVERDUE_GRACE
from irsa_creds._engine.waiting import acquire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds._engine.timing import Uniform

UNIFORMS = pytest.mark.parametrize(
    "uniform", [low, high, Random(1).uniform], ids=["low", "high", "any"]
)
FIRST, SECOND = "ASIA0000000000000001", "ASIA0000000000000002"
REFUSED = failure("AccessDenied", retryable=False)


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def here(timer: FakeTimer) -> Iterator[Rig]:
    made = rig(uniform=high, timer=timer)
    yield made
    made.finish()


def tick(here: Rig) -> None:
    here.engine.tick()
    here.finish()


# -- ticks ---------------------------------------------------------------------------------------


def test_a_tick_refreshes_credentials_that_were_read_since_the_last_refresh(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    tick(here)
    assert here.engine.snapshot.credentials.access_key_id == SECOND


def test_a_tick_before_the_refresh_only_schedules_the_next_tick(
    here: Rig, timer: FakeTimer
) -> None:
    made = here.warm()
    timer.at.clear()
    here.clock.advance(1900)
    tick(here)
    assert timer.at == [made.refresh_at]
    assert here.sts.calls == 1


def let_time_pass(here: Rig, timer: FakeTimer, seconds: float) -> None:
    """Move the clock by `seconds`, and call the engine whenever it asked for that."""
    until = here.clock.now() + seconds
    while timer.at and timer.at[-1] <= until:
        at = timer.at[-1]
        timer.at.clear()
        here.clock.advance(max(0.0, at - here.clock.now()))
        tick(here)
    here.clock.advance(until - here.clock.now())


def left(here: Rig) -> float:
    """Read once without waiting; return the seconds until the credentials expire."""
    return here.served().expires_at - here.clock.now()


@UNIFORMS
@pytest.mark.parametrize("lifetime", [900, 3600, 43_200])
def test_an_identity_is_refreshed_until_it_was_not_read_for_a_lifetime_then_never(
    lifetime: float, uniform: Uniform
) -> None:
    timer = FakeTimer()
    here = rig(uniform=uniform, timer=timer, ceiling=lifetime)
    here.sts.lifetime = lifetime
    here.warm()
    let_time_pass(here, timer, lifetime - 1)
    # Not only the one that follows the first read.
    assert left(here) > lifetime / 4
    calls = here.sts.calls
    let_time_pass(here, timer, 30 * lifetime)
    assert 1 <= here.sts.calls - calls <= 3
    assert timer.at == []
    assert here.sts.calls <= 6
    # The next read waits, and starts it all again.
    assert here.joined()
    here.finish()
    assert timer.at


@UNIFORMS
@pytest.mark.parametrize("minutes", [1, 7, 13, 29, 30])
def test_a_program_that_reads_every_half_an_hour_never_finds_less_than_that(
    minutes: int,
    uniform: Uniform,
) -> None:
    timer = FakeTimer()
    here = rig(uniform=uniform, timer=timer)
    here.warm()
    let_time_pass(here, timer, 60 * minutes)
    for _ in range(48):
        assert left(here) >= 1799
        let_time_pass(here, timer, 1800)


def test_credentials_without_an_end_are_looked_at_for_the_time_between_two_looks(here: Rig) -> None:
    given = here.warm()
    now = here.clock.now()
    endless = Snapshot(given.credentials, now, 0.0, 1e11, now + 3600, longest_age=3600.0)
    endless.was_read = True
    reads = Reads()
    assert reads.update(endless, now)
    assert reads.update(endless, now + 3599)
    assert not reads.update(endless, now + 3600)


def test_reads_of_the_credentials_before_the_current_ones_count(
    here: Rig, timer: FakeTimer
) -> None:
    here.warm()
    # A read starts the refresh, and the timer has not looked yet.
    here.clock.advance(2700)
    here.served()
    here.finish()
    assert here.sts.calls == 2
    let_time_pass(here, timer, 3000)
    assert here.sts.calls == 3


def test_a_program_that_reads_all_the_time_keeps_the_later_refreshes(
    here: Rig, timer: FakeTimer
) -> None:
    here.warm()
    for _ in range(600):
        let_time_pass(here, timer, 20)
        here.served()
    # After 45 minutes, then every 40.
    assert here.sts.calls == 1 + 1 + (12_000 - 2700) // 2400


def test_a_tick_after_the_end_leaves_the_refresh_to_the_next_read(
    here: Rig, timer: FakeTimer
) -> None:
    here.warm()
    here.clock.advance(3600)
    timer.at.clear()
    tick(here)
    assert here.sts.calls == 1
    assert timer.at == []


def test_each_tick_schedules_a_later_one(here: Rig, timer: FakeTimer) -> None:
    here.engine.keep_warm = True
    here.warm()
    here.sts.down = failure()
    here.clock.advance(2700)
    for _ in range(200):
        tick(here)
        assert timer.at[-1] > here.clock.now(), "the timer would spin"
        here.clock.advance(timer.at[-1] - here.clock.now())
    # It continues after the end, at last every 15 s.
    assert here.clock.now() > 4600
    assert here.engine.status().state == "expired"


def test_a_tick_disowns_a_refresh_that_hangs(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.hold.clear()
    here.engine.tick()
    here.clock.advance(15 + OVERDUE_GRACE)
    here.engine.tick()
    assert here.refresh is None


# -- keep_warm -----------------------------------------------------------------------------------


def test_keep_warm_refreshes_without_reads(here: Rig) -> None:
    here.engine.keep_warm = True
    here.warm()
    for number in range(2, 6):
        here.clock.advance(2700)
        tick(here)
        assert here.sts.calls == number


def test_keep_warm_fetches_again_after_the_end(here: Rig) -> None:
    here.engine.keep_warm = True
    here.warm()
    here.clock.advance(86400)
    tick(here)
    assert here.engine.snapshot.credentials.access_key_id == SECOND


def test_keep_warm_replaces_invalidated_credentials(here: Rig, timer: FakeTimer) -> None:
    here.engine.keep_warm = True
    here.warm()
    here.engine.invalidate(None)
    assert timer.at[-1] == here.clock.now()
    tick(here)
    assert here.engine.snapshot.credentials.access_key_id == SECOND


def test_keep_warm_obeys_a_cached_failure(here: Rig, timer: FakeTimer) -> None:
    here.engine.keep_warm = True
    here.warm()
    here.clock.advance(3600)
    here.sts.script.append(REFUSED)
    tick(here)
    assert timer.at[-1] == here.clock.now() + 5
    tick(here)
    assert here.sts.calls == 2
    here.clock.advance(5)
    tick(here)
    assert here.sts.calls == 3


def test_keep_warm_does_not_spin_if_no_refresh_may_start(
    here: Rig, timer: FakeTimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.engine.keep_warm = True
    here.warm()
    here.clock.advance(3600)
    monkeypatch.setattr(here.engine._overdue, "allows_start", lambda _: False)
    tick(here)
    assert timer.at[-1] == here.clock.now() + 1


def test_keep_warm_needs_no_first_read(here: Rig) -> None:
    here.engine.keep_warm = True
    tick(here)
    assert here.sts.calls == 1
    assert here.engine.status().state == "fresh"


# -- prefetch --------------------------------------------------------------------------------------


def test_prefetch_fetches_the_first_credentials_and_waits_for_nothing(here: Rig) -> None:
    here.sts.hold.clear()
    here.engine.prefetch()
    here.engine.prefetch()
    assert here.joined() is here.refresh
    here.finish()
    assert here.served()
    assert here.sts.calls == 1


def test_prefetch_of_fresh_credentials_does_nothing(here: Rig) -> None:
    here.warm()
    here.engine.prefetch()
    assert here.refresh is None


def test_prefetch_starts_the_refresh_that_is_due(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.engine.prefetch()
    here.finish()
    assert here.sts.calls == 2


def test_prefetch_obeys_a_cached_failure(here: Rig) -> None:
    here.sts.down = REFUSED
    here.engine.prefetch()
    here.finish()
    here.engine.prefetch()
    here.finish()
    assert here.sts.calls == 1


# -- forks -----------------------------------------------------------------------------------


def test_a_child_keeps_the_credentials_and_has_its_own_refresh_time(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(2800)
    here.engine.reset_after_fork()
    here.engine.resume()
    child = here.engine.snapshot
    assert child.credentials is made.credentials
    assert child.refresh_at == pytest.approx(here.clock.now() + 795 / 3)
    assert child.check_at < here.clock.now(), "the next read starts the timer"
    assert here.served() is child
    assert here.refresh is None


@pytest.mark.parametrize("works", [True, False])
def test_a_child_with_a_shared_cache_keeps_the_refresh_time_of_all_processes(
    here: Rig, *, works: bool
) -> None:
    made = here.warm()
    parents = made.refresh_at
    here.engine.shared_fetcher = cast("Any", SimpleNamespace(is_sharing=works))
    here.clock.advance(1000)
    here.engine.reset_after_fork()
    random_time = here.engine.snapshot.refresh_at
    assert random_time == (parents + 5.0 if works else made.sent_at + 2700.0)


def test_a_child_has_neither_lock_nor_refresh_of_its_parent(here: Rig) -> None:
    here.sts.hold.clear()
    parents = here.joined()
    holder = threading.Thread(target=here.engine._lock.__enter__)
    holder.start()
    holder.join(10)
    here.engine.reset_after_fork()
    assert here.refresh is None
    assert here.engine.status().flights == 0
    assert here.joined() is not parents


def test_a_child_of_an_empty_or_invalidated_engine_starts_over(here: Rig) -> None:
    here.engine.reset_after_fork()
    here.warm()
    here.engine.invalidate(None)
    here.engine.reset_after_fork()
    assert here.engine.status().state == "expired"
    assert acquire(here.engine).credentials.access_key_id == SECOND


# -- close -----------------------------------------------------------------------------------------


def test_close_drops_the_credentials_and_the_next_read_starts_over(here: Rig) -> None:
    here.warm()
    here.engine.close()
    assert here.engine.status().state == "empty"
    assert here.warm().credentials.access_key_id == SECOND


def test_a_refresh_in_progress_at_close_still_counts_for_its_callers(here: Rig) -> None:
    here.sts.hold.clear()
    refresh = here.joined()
    here.engine.close()
    here.finish()
    assert refresh.outcome is here.served()


def test_close_ends_keep_warm(here: Rig) -> None:
    here.engine.keep_warm = True
    here.warm()
    here.engine.close()
    tick(here)
    assert here.sts.calls == 1


# -- status ----------------------------------------------------------------------------------------


def test_status_before_the_first_read(here: Rig) -> None:
    assert here.engine.status() == Status("empty", 0.0, None, None, None, 0, 0)


def test_status_of_fresh_and_stale_credentials(here: Rig) -> None:
    here.warm()
    requested = datetime.fromtimestamp(EPOCH, UTC)
    here.clock.advance(700)
    assert here.engine.status() == Status("fresh", 2895, 2000, requested, None, 1, 1)
    here.clock.advance(2100)
    assert here.engine.status() == Status("stale", 795, 0, requested, None, 1, 1)


def test_status_during_a_back_off_has_the_failure_and_the_next_refresh(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(failure())
    here.served()
    here.finish()
    at = datetime.fromtimestamp(EPOCH + 2700, UTC)
    status = here.engine.status()
    assert status.next_refresh_in == 2
    assert status.last_failure == LastFailure("ServiceUnavailable", at, 1)
    assert (status.flights, status.sts_calls) == (2, 2)


def test_status_without_valid_credentials_shows_how_long_the_failure_is_cached(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(3600)
    status = here.engine.status()
    assert (status.state, status.seconds_left, status.next_refresh_in) == ("expired", 0, None)
    assert made.left(here.clock.now()) < 0
    here.sts.script.append(REFUSED)
    here.joined()
    here.finish()
    assert here.engine.status().next_refresh_in == 5
    here.clock.advance(5)
    assert here.engine.status().next_refresh_in is None, "the next read starts one"
