"""Failures since the last success: how long they delay refreshes, and what is logged."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import EPOCH, ROLE, failure, high, low
from irsa_creds._engine.backoff import Backoff
from irsa_creds._engine.snapshot import LONG_AGO
from irsa_creds._engine.this_thread import log_all

if TYPE_CHECKING:
    from irsa_creds._engine.this_thread import Line

NOW = 1000.0


@pytest.fixture
def lines() -> deque[Line]:
    return deque()


@pytest.fixture
def backoff(lines: deque[Line]) -> Backoff:
    return Backoff(f"role={ROLE}", high, lines)


def fail(backoff: Backoff, code: str = "X", *, left: float = 600.0, **fields: Any) -> None:
    blocking = fields.pop("blocking", left <= 0)
    found = failure(code, **fields)
    backoff.record_failure(found, left=left, blocking=blocking, now=NOW, wall=EPOCH)


def test_before_the_first_failure_there_is_no_back_off(backoff: Backoff) -> None:
    assert backoff.failure is None
    assert backoff.last is None
    assert not backoff.bad_token
    assert backoff.cached_failure(NOW) is None
    assert backoff.background_failure(NOW) is None


def test_while_credentials_are_valid_a_failure_delays_background_refreshes_only(
    backoff: Backoff,
) -> None:
    fail(backoff)
    assert backoff.background_failure(NOW + 1) == failure("X", again_in=1.0, told_at=EPOCH)
    assert backoff.background_failure(NOW + 2) is None
    assert backoff.cached_failure(NOW) is None


def test_each_pause_of_background_refreshes_is_twice_as_long(backoff: Backoff) -> None:
    pauses = []
    for _ in range(4):
        fail(backoff)
        pauses.append(backoff.not_before - NOW)
    assert pauses == [2, 4, 8, 16]


def test_callers_within_one_second_share_one_failure(backoff: Backoff) -> None:
    fail(backoff, left=0, blocking=True)
    first = backoff.cached_failure(NOW + 0.25)
    assert backoff.cached_failure(NOW + 0.75) is first
    fail(backoff, left=0, blocking=True, code="Y")
    assert backoff.cached_failure(NOW + 0.75) is not first


def test_without_valid_credentials_a_blocking_failure_is_cached(backoff: Backoff) -> None:
    fail(backoff, left=0)
    assert backoff.failure == failure("X")
    assert backoff.cached_failure(NOW + 0.75) == failure("X", again_in=2.0, told_at=EPOCH)
    assert backoff.cached_failure(NOW + 2) is None


def test_pods_that_fail_together_without_credentials_do_not_stay_in_step() -> None:
    earliest, latest = Backoff(f"role={ROLE}", low, deque()), Backoff(ROLE, high, deque())
    for backoff in (earliest, latest):
        fail(backoff, left=0)
    assert (earliest.cached_until, latest.cached_until) == (NOW + 1, NOW + 2)


def test_after_a_blocking_refresh_failed_the_next_has_one_attempt(backoff: Backoff) -> None:
    fail(backoff)
    assert backoff.attempts == 4, "background failures do not count"
    fail(backoff, left=0)
    assert backoff.attempts == 1
    for _ in range(8):
        fail(backoff, left=0)
    assert backoff.attempts == 1
    backoff.record_success()
    assert backoff.attempts == 4


def test_a_failure_of_another_process_keeps_its_instant(backoff: Backoff) -> None:
    fail(backoff, left=0, again_in=40.0, told_at=EPOCH - 20)
    cached = backoff.cached_failure(NOW + 10)
    assert cached is not None
    assert (cached.told_at, cached.again_in) == (EPOCH - 20, 30)


def test_without_valid_credentials_a_background_failure_is_not_cached(backoff: Backoff) -> None:
    fail(backoff, left=0, blocking=False)
    assert backoff.failure is not None
    assert backoff.cached_failure(NOW) is None


def test_background_failures_do_not_slow_down_the_first_recovery(backoff: Backoff) -> None:
    for _ in range(5):
        fail(backoff)
    fail(backoff, left=0)
    assert backoff.cached_until == NOW + 2


def test_a_success_ends_the_back_off_and_keeps_the_last_failure(backoff: Backoff) -> None:
    fail(backoff)
    fail(backoff, left=0)
    backoff.record_success()
    assert backoff.failure is None
    assert backoff.background_failure(NOW) is backoff.cached_failure(NOW) is None
    assert (backoff.last, backoff.failed_at, backoff.in_a_row) == (failure("X"), EPOCH, 0)
    fail(backoff)
    assert backoff.not_before == NOW + 2
    fail(backoff, left=0)
    assert backoff.cached_until == NOW + 2


def test_the_last_failure_has_code_instant_and_count(backoff: Backoff) -> None:
    fail(backoff, "A")
    fail(backoff, "B")
    assert (backoff.last, backoff.failed_at, backoff.in_a_row) == (failure("B"), EPOCH, 2)


def test_a_back_off_can_be_extended(backoff: Backoff) -> None:
    fail(backoff)
    backoff.postpone(NOW + 3)
    assert backoff.background_failure(NOW + 2) == failure("X", again_in=1.0, told_at=EPOCH)
    assert backoff.background_failure(NOW + 3) is None


def test_a_thread_that_cannot_start_does_not_shorten_a_back_off(backoff: Backoff) -> None:
    fail(backoff, throttled=True, retry_after=150.0)
    backoff.postpone(NOW + 1)
    assert backoff.not_before == NOW + 150


def test_a_success_ends_the_search_for_a_new_token(backoff: Backoff) -> None:
    fail(backoff, bad_token=True)
    assert backoff.bad_token
    backoff.record_success()
    assert not backoff.bad_token


def test_a_success_during_a_read_of_bad_token_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, backoff: Backoff
) -> None:
    failures = iter([failure(bad_token=True), None])
    monkeypatch.setattr(Backoff, "failure", property(lambda _: next(failures)))
    assert backoff.bad_token


def test_an_outage_is_one_line_of_the_log_and_its_end_another(
    backoff: Backoff, lines: deque[Line], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "irsa_creds")
    for _ in range(3):
        fail(backoff, "Unavailable")
    backoff.record_success()
    backoff.record_success()
    assert caplog.records == [], "nothing is logged under the engine's lock"
    log_all(lines)
    log_all(lines)
    failed, ended = caplog.records
    assert (failed.levelname, ended.levelname) == ("WARNING", "INFO")
    assert failed.getMessage() == (
        f"STS said Unavailable. Credentials valid for 600 s; next attempt in 2 s. role={ROLE}"
    )
    assert ended.getMessage() == f"Credentials refreshed after 3 failed refreshes. role={ROLE}"


def test_credentials_that_expire_in_an_outage_are_logged_once_as_an_error(
    backoff: Backoff, lines: deque[Line], caplog: pytest.LogCaptureFixture
) -> None:
    for left in (600, 300, 0, -60):
        fail(backoff, "Unavailable", left=left)
    log_all(lines)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert " No valid credentials; next attempt in 2 s. " in caplog.messages[1]


def test_the_log_says_when_the_next_attempt_is(
    backoff: Backoff, lines: deque[Line], caplog: pytest.LogCaptureFixture
) -> None:
    fail(backoff, left=LONG_AGO)
    fail(backoff, "Y", left=LONG_AGO, blocking=False)
    backoff.record_success()
    fail(backoff, left=LONG_AGO, blocking=False)
    log_all(lines)
    first, _, unread = caplog.messages
    assert first == f"STS said X. No valid credentials; next attempt in 2 s. role={ROLE}"
    assert "; next attempt at the next read. " in unread


def test_each_code_has_its_line_and_a_denial_is_an_error(
    backoff: Backoff, lines: deque[Line], caplog: pytest.LogCaptureFixture
) -> None:
    fail(backoff, "Unavailable")
    fail(backoff, "AccessDenied", left=0, retryable=False)
    fail(backoff, "AccessDenied", left=0, retryable=False)
    log_all(lines)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert "AccessDenied. No valid credentials; next attempt in 5 s." in caplog.text


def test_the_same_failure_after_a_success_is_logged_again(
    backoff: Backoff, lines: deque[Line], caplog: pytest.LogCaptureFixture
) -> None:
    fail(backoff)
    backoff.record_success()
    fail(backoff)
    log_all(lines)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
