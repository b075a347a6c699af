"""The numbers of docs/how-it-works.md: each value, its limits and its edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from engine_fakes import EPOCH, failure, high, low, snapshot
from irsa_creds._engine import timing
from irsa_creds._engine.clock import SystemClock
from irsa_creds._engine.snapshot import LONG_AGO, Snapshot, state

if TYPE_CHECKING:
    from irsa_creds._engine.snapshot import State

MINUTE = 60.0
HOUR = 60 * MINUTE
START = 1000.0
DATE = datetime.fromtimestamp(EPOCH, UTC)


# -- lifetime ----------------------------------------------------------------------------------


def lifetime(
    given: float, *, date: float | None = 0.0, clock: float = 0.0, requested: int | None = 3600
) -> float:
    """Return the lifetime that the engine believes.

    Args:
        given: the seconds that STS gave, by the true time.
        date: by how much the response's `Date` is ahead of the true time; None: it has none.
        clock: by how much the pod's clock is ahead.
        requested: the seconds that were requested.
    """
    reported = None if date is None else DATE + timedelta(seconds=date)
    ceiling = 12 * HOUR if requested is None else requested
    expiration = DATE + timedelta(seconds=given)
    return timing.lifetime(
        expiration, reported, EPOCH + clock, requested=requested, ceiling=ceiling
    )


def test_lifetime_is_expiration_less_date_and_its_one_second() -> None:
    assert lifetime(3600) == 3599
    assert lifetime(3600, requested=None) == 3599
    assert lifetime(900, requested=900) == 899


@pytest.mark.parametrize("requested", [3600, None])
@pytest.mark.parametrize("clock", [-1e6, -HOUR, HOUR, 1e6])
def test_a_wrong_pod_clock_changes_nothing_if_date_gives_the_requested_lifetime(
    clock: float, requested: int | None
) -> None:
    assert lifetime(3600, clock=clock, requested=requested) == 3599


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (60.0, 3539.0),  # a fast `Date` within the tolerance only shortens
        (-0.5, 3599.5),
        (-1.0, 3600.0),
        (-60.0, 3600.0),  # a slow one adds nothing to what was requested
        (60.1, 3538.9),  # beyond it the smaller lifetime counts
        (-60.1, 3600.0),
        (-50 * MINUTE, 3600.0),
        (HOUR, 3600.0),  # by it they have expired, by the pod's clock they have not
        (1e6, 3600.0),
        (-1e6, 3600.0),
    ],
)
@pytest.mark.parametrize("requested", [3600, None])
def test_a_wrong_date_never_makes_credentials_outlive_their_expiration(
    date: float, expected: float, requested: int | None
) -> None:
    assert lifetime(3600, date=date, requested=requested) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "clock", "expected"),
    [
        (1800, 0.0, 1799.0),
        (1800, -HOUR, 1799.0),  # the pod's clock is slow: `Date` is the smaller one
        (1800, 10 * MINUTE, 1200.0),
        (1800, HOUR, 1799.0),  # by the pod's clock they have expired
        (12 * HOUR, 0.0, 3600.0),  # more than was requested
        (0.5, 0.0, 0.5),  # by a `Date` of whole seconds they have expired
        (0.0, 0.0, 0.0),
        (-HOUR, 0.0, 0.0),
        (-HOUR, HOUR, 0.0),
    ],
)
def test_if_sts_does_not_give_the_requested_lifetime_the_smaller_one_counts(
    given: float, clock: float, expected: float
) -> None:
    assert lifetime(given, clock=clock) == expected


def test_without_a_requested_lifetime_sts_may_give_more_than_an_hour() -> None:
    assert lifetime(12 * HOUR, requested=None) == 12 * HOUR - 1
    assert lifetime(12 * HOUR, requested=None, date=-HOUR) == 12 * HOUR
    assert lifetime(12 * HOUR, requested=None, clock=-HOUR) == 12 * HOUR - 1
    assert lifetime(13 * HOUR, requested=None) == 12 * HOUR


def test_without_a_date_the_pods_clock_counts_but_never_beyond_the_requested_lifetime() -> None:
    assert lifetime(1800, date=None) == 1800
    assert lifetime(1800, date=None, clock=-5 * HOUR) == 3600
    assert lifetime(1800, date=None, clock=HOUR) == 0


@given(
    st.integers(1, 10**6), st.none() | st.integers(-(10**6), 10**6),
    st.none() | st.integers(1, 43_200),
)  # fmt: skip
def test_no_date_makes_credentials_outlive_an_expiration_that_the_right_pod_clock_knows(
    given: int, date: int | None, requested: int | None
) -> None:
    expected = timing.DEFAULT_LIFETIME if requested is None else requested
    believed = date is not None and abs(given - date - expected) <= MINUTE
    true = max(given, expected) if believed else given
    assert 0 < lifetime(given, date=date, requested=requested) <= true


# -- states ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0.0, "fresh"),
        (999.9, "fresh"),
        (1000.0, "stale"),
        (3594.9, "stale"),
        (3595.0, "expired"),
        (1e6, "expired"),
    ],
)
def test_fresh_until_the_refresh_stale_until_the_end_of_use_then_expired(
    age: float, expected: State
) -> None:
    assert state(snapshot(refresh_at=START + 1000), START + age) == expected


@pytest.mark.parametrize(("lifetime", "end"), [(3600, 3595), (50, 45), (40, 36), (10, 9), (1, 0.9)])
def test_use_ends_five_seconds_or_a_tenth_before_expiry(lifetime: float, end: float) -> None:
    made = snapshot(lifetime=lifetime)
    assert made.expires_at == START + lifetime
    assert made.end_of_use == START + end
    assert made.left(START + 0.5) == pytest.approx(end - 0.5)


@pytest.mark.parametrize(("ahead", "expected"), [(5.0, "fresh"), (5.1, "stale"), (-HOUR, "fresh")])
def test_a_wall_clock_over_five_seconds_ahead_makes_stale(ahead: float, expected: State) -> None:
    assert state(snapshot(), START + 10, EPOCH + 10 + ahead) == expected


def test_past_the_end_by_the_wall_alone_is_expired_until_that_was_tried() -> None:
    made = snapshot()
    assert state(made, START, EPOCH + 3594.9) == "stale"
    assert state(made, START, EPOCH + 3595) == "expired"
    made.wall_tried = True
    assert state(made, START, EPOCH + 3595) == "stale"


def test_past_the_end_by_boottime_is_expired_at_any_wall_time() -> None:
    made = snapshot()
    made.wall_tried = True
    assert state(made, START + 3595, EPOCH) == "expired"


def test_a_wall_that_is_not_ahead_is_not_past_the_end_either() -> None:
    assert not snapshot().wall_past_end(START + 3594, EPOCH + 3596)


def test_before_the_first_credentials_the_snapshot_is_expired() -> None:
    nothing = Snapshot.nothing()
    assert nothing.empty
    assert not snapshot().empty
    assert state(nothing, START, EPOCH) == "expired"
    assert not nothing.wall_ahead(START, EPOCH)
    assert nothing.left(START) == LONG_AGO


def test_reads_stay_on_the_fast_path_until_the_refresh() -> None:
    assert snapshot(refresh_at=1234.0).check_at == 1234.0


# -- refresh -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime", "window"),
    [
        (4.0, 2.0),
        (10 * MINUTE, 5 * MINUTE),
        (15 * MINUTE, 5 * MINUTE),
        (20 * MINUTE, 5 * MINUTE),
        (20 * MINUTE + 1, (20 * MINUTE + 1) / 2),
        (30 * MINUTE, 15 * MINUTE),
        (HOUR, 15 * MINUTE),
        (90 * MINUTE - 1, 15 * MINUTE),
        (90 * MINUTE, 45 * MINUTE),
        (2 * HOUR, HOUR),
        (12 * HOUR, HOUR),
    ],
)
def test_the_refresh_window_is_awss_table_and_never_over_half_the_lifetime(
    lifetime: float, window: float
) -> None:
    # A lifetime of 20 min and 1 s is in the second row and clamped; 90 min are in the third.
    assert timing.refresh_window(lifetime) == min(window, lifetime / 2)


def test_the_first_refresh_of_a_process_is_spread_from_a_tenth_to_the_window() -> None:
    assert timing.age_after_blocking(HOUR, low) == 6 * MINUTE
    assert timing.age_after_blocking(HOUR, high) == 45 * MINUTE


@pytest.mark.parametrize(
    ("lifetime", "spread"), [(HOUR, 5 * MINUTE), (2 * HOUR, 5 * MINUTE), (12 * MINUTE, MINUTE)]
)
def test_later_refreshes_are_spread_before_the_window(lifetime: float, spread: float) -> None:
    latest = lifetime - timing.refresh_window(lifetime)
    assert timing.age_after_background(lifetime, low) == latest
    assert timing.age_after_background(lifetime, high) == latest - spread


@given(st.floats(0.5, 7 * 24 * HOUR))
def test_every_refresh_falls_between_the_sending_and_the_end_of_use(lifetime: float) -> None:
    for plan in (timing.age_after_blocking, timing.age_after_background):
        for uniform in (low, high):
            assert 0 < plan(lifetime, uniform) < snapshot(lifetime=lifetime).left(START)


def test_a_seed_of_the_program_does_not_change_the_random_times() -> None:
    import random

    uniform = SystemClock().uniform
    random.seed(1)
    first = [uniform(0, 1) for _ in range(8)]
    random.seed(1)
    assert [uniform(0, 1) for _ in range(8)] != first
    assert all(0 <= number <= 1 for number in first)


@pytest.mark.parametrize(
    ("age", "earliest", "latest"),
    [
        (10.0, 360.0, 2700.0),  # a tenth of the lifetime comes first
        (1000.0, 1000.0, 2700.0),
        (2700.0, 2700.0, 2700.0 + 895 / 3),  # past L - A: left/3 from now
        (3000.0, 3000.0, 3000.0 + 595 / 3),
        (4000.0, 4000.0, 4000.0),
    ],
)
def test_a_forked_child_has_a_random_refresh_time_of_its_own(
    age: float, earliest: float, latest: float
) -> None:
    for uniform, expected in ((low, earliest), (high, latest)):
        at = timing.refresh_in_child(snapshot(), START + age, uniform)
        assert at == pytest.approx(START + expected)


@pytest.mark.parametrize(("lifetime", "latest"), [(3600.0, 5.0), (40.0, 2.0)])
def test_a_process_refreshes_up_to_5_seconds_after_the_one_that_wrote_the_entry(
    lifetime: float, latest: float
) -> None:
    assert timing.shared_delay(lifetime, low) == 0
    assert timing.shared_delay(lifetime, high) == latest


# -- refreshes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "seconds"), [(HOUR, 15), (60, 15), (59, 14.75), (8, 2), (4, 1), (1, 1), (0, 1)]
)
def test_a_background_refresh_is_over_before_the_credentials_are(
    left: float, seconds: float
) -> None:
    assert timing.background_seconds(left) == seconds


def test_the_numbers_of_refreshes_and_waiting_callers() -> None:
    assert timing.BLOCKING_ATTEMPTS == 4
    assert timing.BLOCKING_SECONDS == 30
    assert timing.CACHED_FAILURE_SECONDS == 20
    assert timing.WAITER_SECONDS == 35
    assert timing.DEMAND_INTERVAL == 60
    assert timing.TOKEN_WATCH_INTERVAL == 1
    assert (timing.OVERDUE_FEW, timing.OVERDUE_LIMIT, timing.OVERDUE_INTERVAL) == (2, 16, 60)
    assert timing.BLOCKING_SECONDS + timing.OVERDUE_GRACE < timing.WAITER_SECONDS


@pytest.mark.parametrize(
    ("in_a_row", "least", "most"),
    [(1, 1, 2), (2, 2, 4), (3, 4, 8), (6, 32, 64), (7, 64, 120), (8, 120, 120), (999, 120, 120)],
)
def test_back_off_while_valid_doubles_from_two_seconds_to_two_minutes(
    in_a_row: int, least: float, most: float
) -> None:
    assert timing.background_pause(failure(), in_a_row, HOUR, low) == least
    assert timing.background_pause(failure(), in_a_row, HOUR, high) == most


def test_back_off_while_valid_is_at_least_one_second_and_five_when_throttled() -> None:
    def nothing(low: float, high: float) -> float:
        return 0.0

    assert timing.background_pause(failure(), 1, HOUR, nothing) == 1
    throttled = failure(throttled=True)
    assert timing.background_pause(throttled, 1, HOUR, high) == 5
    assert timing.background_pause(throttled, 3, HOUR, high) == 8


@pytest.mark.parametrize(("left", "pause"), [(6, 2), (4.5, 1.5), (0.9, 0.3), (0.6, 0.2), (0, 0.2)])
def test_pauses_become_shorter_towards_expiry(left: float, pause: float) -> None:
    assert timing.background_pause(failure(), 5, left, high) == pytest.approx(pause)
    throttled = failure(throttled=True)
    assert timing.background_pause(throttled, 1, left, high) == pytest.approx(pause)


@pytest.mark.parametrize(
    ("retry_after", "left", "pause"),
    [
        (40, HOUR, 40),
        (0, HOUR, 1),
        (300, HOUR, 300),
        (301, HOUR, 300),
        (300, 600, 200),
        (300, 0.3, 0.2),
    ],
)
def test_retry_after_counts_up_to_300_seconds_and_a_third_of_the_time_left(
    retry_after: float, left: float, pause: float
) -> None:
    for in_a_row in (1, 9):
        found = timing.background_pause(failure(retry_after=retry_after), in_a_row, left, high)
        assert found == pytest.approx(pause)


@pytest.mark.parametrize(("left", "pause"), [(HOUR, 60), (180, 60), (90, 30), (15, 5), (1, 5)])
def test_after_a_denial_while_valid_the_pause_is_a_minute_at_most(
    left: float, pause: float
) -> None:
    denied = failure("AccessDenied", retryable=False)
    for in_a_row in (1, 9):
        assert timing.background_pause(denied, in_a_row, left, low) == pause


@pytest.mark.parametrize(
    ("in_a_row", "least", "most"),
    [(1, 1, 2), (2, 2, 4), (3, 4, 8), (4, 8, 16), (5, 10, 20), (9, 10, 20), (9999, 10, 20)],
)
def test_back_off_with_nothing_valid_doubles_from_two_seconds_to_twenty(
    in_a_row: int, least: float, most: float
) -> None:
    for each in (failure(), failure(throttled=True)):
        assert timing.cached_failure_seconds(each, in_a_row, low) == least
        assert timing.cached_failure_seconds(each, in_a_row, high) == most


@pytest.mark.parametrize(
    ("in_a_row", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (9, 60), (9999, 60)]
)
def test_a_denial_with_nothing_valid_is_repeated_for_five_seconds_up_to_a_minute(
    in_a_row: int, seconds: float
) -> None:
    assert timing.cached_failure_seconds(failure(retryable=False), in_a_row, low) == seconds
    assert timing.cached_failure_seconds(failure(retryable=False), in_a_row, high) == seconds


@pytest.mark.parametrize(("retry_after", "seconds"), [(0, 1), (7, 7), (20, 20), (300, 20)])
def test_retry_after_with_nothing_valid_takes_precedence_up_to_20_seconds(
    retry_after: float, seconds: float
) -> None:
    for in_a_row in (1, 9):
        assert (
            timing.cached_failure_seconds(failure(retry_after=retry_after), in_a_row, low)
            == seconds
        )


@pytest.mark.parametrize("retry_after", [0, 7, 15, 300])
def test_retry_after_is_the_least_pause_between_two_attempts_up_to_15_seconds(
    retry_after: float,
) -> None:
    for attempt in (1, 3):
        found = timing.blocking_pause(failure(retry_after=retry_after), attempt, low)
        assert found == min(15, retry_after)


@pytest.mark.parametrize(("attempt", "most"), [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_attempts_of_a_blocking_refresh_pause_up_to_half_a_second_and_twice_as_long_each(
    attempt: int, most: float
) -> None:
    assert timing.blocking_pause(failure(), attempt, low) == 0
    assert timing.blocking_pause(failure(), attempt, high) == most


@pytest.mark.parametrize(("attempt", "least"), [(1, 1.0), (2, 2.0), (3, 4.0)])
def test_throttled_attempts_pause_at_least_a_second_and_twice_as_long_each(
    attempt: int, least: float
) -> None:
    throttled = failure("Throttling", throttled=True)
    assert timing.blocking_pause(throttled, attempt, low) == least
    assert timing.blocking_pause(throttled, attempt, high) == 2 * least
    assert timing.blocking_pause(throttled._replace(retry_after=9.0), attempt, high) == 9


def test_all_throttled_attempts_fit_into_one_refresh() -> None:
    throttled = failure("Throttling", throttled=True)
    attempts = range(1, timing.BLOCKING_ATTEMPTS)
    pauses = sum(timing.blocking_pause(throttled, each, high) for each in attempts)
    assert pauses + timing.ATTEMPT_SECONDS < timing.BLOCKING_SECONDS
