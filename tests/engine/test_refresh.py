"""One refresh: claimed by one thread, waited for by many."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pytest

from engine_fakes import failure, snapshot
from irsa_creds._engine import timing
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.timing import OVERDUE_GRACE

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1000.0


@pytest.fixture
def refresh() -> Refresh:
    """A queued background refresh that may take 10 s."""
    return Refresh(blocking=False, created_at=NOW, seconds=10.0)


# -- the thread that runs it -----------------------------------------------------------------------


def test_one_thread_alone_claims_it(refresh: Refresh) -> None:
    assert not refresh.is_claimed
    assert refresh.claim(NOW)
    assert refresh.is_claimed
    assert not refresh.claim(NOW)


def test_of_many_threads_one_claims_it(refresh: Refresh) -> None:
    claimed: list[bool] = []
    barrier = threading.Barrier(10)

    def claim() -> None:
        barrier.wait(10)
        claimed.append(refresh.claim(NOW))

    threads = [threading.Thread(target=claim) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(claimed) == [False] * 9 + [True]


def test_its_time_counts_from_the_claim_and_not_while_it_is_queued(refresh: Refresh) -> None:
    assert refresh.deadline == refresh.overdue_at == float("inf")
    refresh.claim(NOW + 60)
    assert refresh.started_at == NOW + 60
    assert refresh.deadline == NOW + 70
    assert refresh.overdue_at == NOW + 70 + OVERDUE_GRACE


def test_it_is_run_here_on_its_own_thread_until_it_ends(refresh: Refresh) -> None:
    assert not refresh.is_run_here
    refresh.thread_id = threading.get_ident()
    assert refresh.is_run_here
    elsewhere: list[bool] = []
    other = threading.Thread(target=lambda: elsewhere.append(refresh.is_run_here))
    other.start()
    other.join(10)
    assert elsewhere == [False]
    refresh.ended = True
    assert not refresh.is_run_here


def test_a_queued_background_refresh_gets_a_blocking_ones_time_when_callers_join_it(
    refresh: Refresh,
) -> None:
    refresh.serve_callers(attempts=4)
    assert refresh.blocking
    assert refresh.attempts == 4
    refresh.claim(NOW)
    assert refresh.deadline == NOW + timing.BLOCKING_SECONDS


def test_a_running_background_refresh_stays_one(refresh: Refresh) -> None:
    refresh.claim(NOW)
    refresh.serve_callers(attempts=4)
    assert not refresh.blocking
    assert refresh.attempts == 1
    assert refresh.deadline == NOW + 10


def test_a_blocking_refresh_keeps_its_attempts_when_more_callers_join_it() -> None:
    refresh = Refresh(blocking=True, created_at=NOW, seconds=30.0, attempts=4)
    refresh.serve_callers(attempts=1)
    assert refresh.attempts == 4


# -- its deadline ----------------------------------------------------------------------------------


def test_a_caller_with_less_time_cuts_it(refresh: Refresh) -> None:
    refresh.claim(NOW)
    refresh.shorten_to(NOW + 4)
    assert refresh.fails_alone
    assert refresh.deadline == NOW + 4
    assert not refresh.is_cut_short(NOW + 3.9)
    assert refresh.is_cut_short(NOW + 4)


@pytest.mark.parametrize("seconds", [10, 11])
def test_a_caller_with_enough_time_does_not_cut_it(refresh: Refresh, seconds: float) -> None:
    refresh.claim(NOW)
    refresh.shorten_to(NOW + seconds)
    assert not refresh.fails_alone
    assert refresh.deadline == NOW + 10
    assert not refresh.is_cut_short(NOW + 20)


def test_its_failure_has_the_seconds_that_it_could_take(refresh: Refresh) -> None:
    refresh.claim(NOW)
    failed = refresh.overdue_failure()
    assert (failed.kind, failed.code) == ("timeout", "RefreshTimeout")
    assert "did not end within 10 s" in failed.message
    refresh.shorten_to(NOW - 1)
    assert "did not end within 0 s" in refresh.overdue_failure().message, "its caller came too late"


# -- its callers -----------------------------------------------------------------------------------


def test_all_that_wait_are_released_once_and_in_order(refresh: Refresh) -> None:
    woken: list[int] = []
    for number in range(3):
        refresh.when_done(lambda number=number: woken.append(number))  # type: ignore[misc]
    assert woken == []
    assert not refresh.is_done
    refresh.settle(snapshot())
    assert refresh.is_done
    assert woken == [0, 1, 2]
    refresh.settle(snapshot(2))
    assert woken == [0, 1, 2]


def test_the_first_outcome_counts(refresh: Refresh) -> None:
    refresh.settle(failed := refresh.overdue_failure())
    refresh.settle(snapshot())
    assert refresh.outcome is failed


def test_a_caller_that_comes_after_the_outcome_is_released_at_once(refresh: Refresh) -> None:
    refresh.settle(failure())
    woken: list[bool] = []
    refresh.when_done(lambda: woken.append(True))
    assert woken == [True]


def test_two_threads_that_release_the_same_callers_release_each_once(refresh: Refresh) -> None:
    class Emptied(deque["Callable[[], object]"]):
        """A queue: another thread takes its last entry first."""

        def popleft(self) -> Callable[[], object]:
            others.append(super().popleft())
            return super().popleft()

    others: list[Callable[[], object]] = []
    woken: list[bool] = []
    refresh._wakers = Emptied([lambda: woken.append(True)])
    refresh.settle(snapshot())
    assert len(others) == 1
    assert woken == [], "the other thread does it"


def test_callers_that_join_while_it_settles_are_all_released() -> None:
    for _ in range(300):
        refresh = Refresh(blocking=True, created_at=NOW, seconds=30.0)
        woken: list[int] = []
        barrier = threading.Barrier(3)

        def join(refresh: Refresh = refresh, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            for number in range(5):
                refresh.when_done(lambda: woken.append(number))  # noqa: B023

        threads = [threading.Thread(target=join) for _ in range(2)]
        for thread in threads:
            thread.start()
        barrier.wait(10)
        refresh.settle(snapshot())
        for thread in threads:
            thread.join(10)
        assert len(woken) == 10


# -- its events ------------------------------------------------------------------------------------


def test_it_keeps_its_events_in_order(refresh: Refresh) -> None:
    refresh.add_event("RefreshStarted", "role", False)
    refresh.add_event("TokenRotated", "role")
    assert refresh.events == [("RefreshStarted", ("role", False)), ("TokenRotated", ("role",))]
