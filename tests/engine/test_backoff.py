"""What has failed since the last success, and what is said of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from engine_fakes import EPOCH, ROLE, failure, high, low
from irsa_creds._engine.backoff import Backoff
from irsa_creds._engine.events import LastFailure
from irsa_creds._engine.policy import NEVER

NOW = 1000.0


@pytest.fixture
def outage() -> Backoff:
    return Backoff(ROLE, high)


def begin(outage: Backoff, code: str = "X", *, left: float = 600.0, **fields: Any) -> None:
    blocking = fields.pop("blocking", left <= 0)
    outage.begin(failure(code, **fields), left=left, blocking=blocking, now=NOW, wall=EPOCH)


def test_before_the_first_failure_nothing_backs_off(outage: Backoff) -> None:
    assert outage.failure is None
    assert outage.last_failure is None
    assert not outage.bad_token
    assert outage.recorded(NOW) is None
    assert outage.backed_off(NOW) is None


def test_while_credentials_are_valid_a_failure_delays_background_refreshes_only(
    outage: Backoff,
) -> None:
    begin(outage)
    assert outage.backed_off(NOW + 1) == failure("X", again_in=1.0, told_at=EPOCH)
    assert outage.backed_off(NOW + 2) is None
    assert outage.recorded(NOW) is None


def test_the_background_backs_off_twice_as_long_each_time(outage: Backoff) -> None:
    pauses = []
    for _ in range(4):
        begin(outage)
        pauses.append(outage.not_before - NOW)
    assert pauses == [2, 4, 8, 16]


def test_callers_within_one_second_share_one_failure(outage: Backoff) -> None:
    begin(outage, left=0, blocking=True)
    first = outage.recorded(NOW + 0.25)
    assert outage.recorded(NOW + 0.75) is first
    begin(outage, left=0, blocking=True, code="Y")
    assert outage.recorded(NOW + 0.75) is not first


def test_with_nothing_valid_a_blocking_failure_is_cached(outage: Backoff) -> None:
    begin(outage, left=0)
    assert outage.failure == failure("X")
    assert outage.recorded(NOW + 0.75) == failure("X", again_in=2.0, told_at=EPOCH)
    assert outage.recorded(NOW + 2) is None


def test_with_nothing_valid_pods_that_fail_together_do_not_stay_in_step() -> None:
    earliest, latest = Backoff(ROLE, low), Backoff(ROLE, high)
    for outage in (earliest, latest):
        begin(outage, left=0)
    assert (earliest.record_until, latest.record_until) == (NOW + 1, NOW + 2)


def test_after_a_refresh_that_failed_for_its_callers_the_next_has_one_attempt(
    outage: Backoff,
) -> None:
    begin(outage)
    assert outage.attempts == 4, "how long the background has failed does not count"
    begin(outage, left=0)
    assert outage.attempts == 1
    outage.end()
    assert outage.attempts == 4


def test_a_failure_of_another_process_keeps_its_instant(outage: Backoff) -> None:
    begin(outage, left=0, again_in=40.0, told_at=EPOCH - 20)
    recorded = outage.recorded(NOW + 10)
    assert recorded is not None
    assert (recorded.told_at, recorded.again_in) == (EPOCH - 20, 30)


def test_with_nothing_valid_a_background_failure_is_not_cached(outage: Backoff) -> None:
    begin(outage, left=0, blocking=False)
    assert outage.failure is not None
    assert outage.recorded(NOW) is None


def test_background_failures_do_not_slow_down_the_first_recovery(
    outage: Backoff,
) -> None:
    for _ in range(5):
        begin(outage)
    begin(outage, left=0)
    assert outage.record_until == NOW + 2


def test_a_success_ends_it_all_but_the_memory(outage: Backoff) -> None:
    begin(outage)
    begin(outage, left=0)
    outage.end()
    assert outage.failure is None
    assert outage.backed_off(NOW) is outage.recorded(NOW) is None
    assert outage.last_failure == LastFailure("X", datetime.fromtimestamp(EPOCH, UTC), 0)
    begin(outage)
    assert outage.not_before == NOW + 2
    begin(outage, left=0)
    assert outage.record_until == NOW + 2


def test_the_last_failure_tells_code_instant_and_number(outage: Backoff) -> None:
    begin(outage, "A")
    begin(outage, "B")
    assert outage.last_failure == LastFailure("B", datetime.fromtimestamp(EPOCH, UTC), 2)


def test_a_back_off_can_be_stretched(outage: Backoff) -> None:
    begin(outage)
    outage.postpone(NOW + 3)
    assert outage.backed_off(NOW + 2) == failure("X", again_in=1.0, told_at=EPOCH)
    assert outage.backed_off(NOW + 3) is None


def test_a_token_is_to_blame_only_while_its_failure_lasts(outage: Backoff) -> None:
    begin(outage, bad_token=True)
    assert outage.bad_token
    outage.end()
    assert not outage.bad_token


def test_a_success_between_two_looks_at_the_failure_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([failure(bad_token=True), None])
    monkeypatch.setattr(Backoff, "failure", property(lambda _: next(answers)))
    assert Backoff(ROLE, high).bad_token


def test_an_outage_is_one_log_line_and_its_end_another(
    outage: Backoff, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "irsa_creds")
    for _ in range(3):
        begin(outage, "Unavailable")
    outage.end()
    outage.end()
    assert caplog.records == [], "nothing is logged under the engine's lock"
    outage.report()
    outage.report()
    failed, ended = caplog.records
    assert (failed.levelname, ended.levelname) == ("WARNING", "INFO")
    assert failed.getMessage() == (
        f"STS said Unavailable. Credentials valid for 600 s; next attempt in 2 s. role={ROLE}"
    )
    assert ended.getMessage() == (f"Credentials refreshed after 3 failed refreshes. role={ROLE}")


def test_a_thread_that_cannot_start_does_not_shorten_a_back_off(outage: Backoff) -> None:
    begin(outage, throttled=True, retry_after=150.0)
    outage.postpone(NOW + 1)
    assert outage.not_before == NOW + 150


def test_credentials_that_expire_during_an_outage_are_logged_as_an_error(
    outage: Backoff, caplog: pytest.LogCaptureFixture
) -> None:
    for left in (600, 300, 0, -60):
        begin(outage, "Unavailable", left=left)
    outage.report()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert " No valid credentials; next attempt in 2 s. " in caplog.messages[1]


def test_a_failure_that_no_read_followed_says_when_the_next_attempt_is(
    outage: Backoff, caplog: pytest.LogCaptureFixture
) -> None:
    begin(outage, left=NEVER)
    begin(outage, "Y", left=NEVER, blocking=False)
    outage.end()
    begin(outage, left=NEVER, blocking=False)
    outage.report()
    first, _, unread = caplog.messages
    assert first == (f"STS said X. No valid credentials; next attempt in 2 s. role={ROLE}")
    assert "; next attempt at the next read. " in unread


def test_another_code_is_another_line_and_a_refusal_is_an_error(
    outage: Backoff, caplog: pytest.LogCaptureFixture
) -> None:
    begin(outage, "Unavailable")
    begin(outage, "AccessDenied", left=0, retryable=False)
    begin(outage, "AccessDenied", left=0, retryable=False)
    outage.report()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert "AccessDenied. No valid credentials; next attempt in 5 s." in caplog.text


def test_the_same_failure_after_a_success_is_said_again(
    outage: Backoff, caplog: pytest.LogCaptureFixture
) -> None:
    begin(outage)
    outage.end()
    begin(outage)
    outage.report()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
