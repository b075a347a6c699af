"""One refresh from start to end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from engine_fakes import ROLE, FakeSts, Rig, failure, high, low, rig, snapshot
from irsa_creds import ConfigError, Event, RefreshFailed, RefreshSucceeded, TokenRotated
from irsa_creds._engine import timing
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._errors import Failure
from irsa_creds._exchange.sts import ExchangeResult
from irsa_creds._identity.token import Token
from sts_server import jwt


@pytest.fixture
def here() -> Rig:
    return rig()


def claimed(
    here: Rig, *, blocking: bool = True, left: float = 600, attempts: int | None = None
) -> Refresh:
    """Return a refresh that this thread runs; `left` seconds are left in the background."""
    now = here.clock.now()
    seconds = timing.BLOCKING_SECONDS if blocking else timing.background_seconds(left)
    most = attempts or (timing.BLOCKING_ATTEMPTS if blocking else 1)
    refresh = Refresh(blocking=blocking, created_at=now, seconds=seconds, attempts=most)
    assert refresh.claim(now)
    return refresh


def fetch(here: Rig, *, blocking: bool = True, first: bool = True) -> Snapshot | Failure:
    """Run a refresh, and let subscribers hear of it."""
    refresh = claimed(here, blocking=blocking)
    outcome = here.fetcher.fetch(refresh, Snapshot.nothing() if first else snapshot())
    here.subscribers.put(refresh.events)
    here.subscribers.deliver()
    return outcome


def succeeded(here: Rig, **fields: Any) -> Snapshot:
    outcome = fetch(here, **fields)
    assert isinstance(outcome, Snapshot)
    return outcome


def failed(here: Rig, **fields: Any) -> Failure:
    outcome = fetch(here, **fields)
    assert isinstance(outcome, Failure)
    return outcome


def respond_after(seconds: float, here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each response of STS take so many seconds."""
    attempt = here.sts.attempt

    def slow(*args: Any) -> ExchangeResult | Failure:
        answer = attempt(*args)
        here.clock.advance(seconds)
        return answer

    monkeypatch.setattr(here.sts, "attempt", slow)


def heard_by(here: Rig) -> list[Event]:
    heard: list[Event] = []
    here.subscribers.subscribe(heard.append)
    return heard


# -- a success -----------------------------------------------------------------------------------


def test_a_refresh_returns_credentials_with_their_timeline() -> None:
    here = rig(uniform=high)
    made = succeeded(here)
    assert made.credentials.access_key_id == "ASIA0000000000000001"
    assert (made.sent_at, made.wall_at) == (here.clock.now(), here.clock.wall())
    assert made.lifetime == 3600
    assert made.refresh_at == made.sent_at + 2700


def test_a_process_without_valid_credentials_refreshes_next_at_any_time_of_the_lifetime(
    here: Rig,
) -> None:
    # A process that starts, and every process without credentials after an outage.
    for first in (True, False):
        found = succeeded(here, first=first, blocking=True)
        assert found.refresh_at == here.clock.now() + 360


def test_later_refreshes_are_spread_over_the_end_of_it(here: Rig) -> None:
    assert succeeded(here, blocking=False).refresh_at == here.clock.now() + 2700


def test_age_counts_from_the_moment_of_sending(here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    respond_after(4, here, monkeypatch)
    before = here.clock.now()
    assert succeeded(here).sent_at == before


def test_the_token_is_read_again_for_every_attempt(here: Rig) -> None:
    here.sts.script.extend([failure(), failure()])
    succeeded(here)
    assert here.token.reads == here.sts.calls == 3


@pytest.mark.parametrize("lifetime", [-11.0, -1.0])
def test_a_response_that_has_expired_is_a_failure(here: Rig, lifetime: float) -> None:
    here.sts.lifetime = lifetime
    here.sts.date = False
    record = failed(here, blocking=False)
    assert (record.code, record.retryable) == ("ExpiredCredentials", True)
    headline = "STS returned expired credentials (ExpiredCredentials): their expiration was "
    assert record.message.startswith(headline)
    assert "2027-01-15T0" in record.message


def test_the_failure_of_an_expired_response_has_the_role_and_the_tokens_claims(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = here.sts.attempt

    def regional(token: Token, seconds: float) -> ExchangeResult | Failure:
        answer = attempt(token, seconds)
        assert isinstance(answer, ExchangeResult)
        return answer._replace(endpoint="https://sts.example")

    monkeypatch.setattr(here.sts, "attempt", regional)
    here.sts.lifetime = -11.0
    here.token.value = jwt({"sub": "system:serviceaccount:ns:app", "exp": 1e9})
    record = failed(here, blocking=False)
    assert (record.role_arn, record.endpoint) == (ROLE, "https://sts.example")
    assert (record.sub, record.exp) == ("system:serviceaccount:ns:app", 1e9)


def test_a_response_that_expires_on_its_way_is_a_failure(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond_after(9, here, monkeypatch)
    here.sts.lifetime = 10.0
    assert failed(here, blocking=False).code == "ExpiredCredentials"


# -- attempts ------------------------------------------------------------------------------------


def test_a_background_refresh_has_one_attempt(here: Rig) -> None:
    here.sts.script.append(failure())
    assert failed(here, blocking=False).code == "ServiceUnavailable"
    assert here.sts.calls == 1
    assert here.clock.slept == []


def test_a_blocking_refresh_has_four_attempts_with_pauses() -> None:
    here = rig(uniform=high)
    here.sts.down = failure()
    failed(here)
    assert here.sts.calls == 4
    assert here.clock.slept == [0.5, 1.0, 2.0]


def test_throttled_attempts_pause_for_seconds() -> None:
    here = rig(uniform=high)
    here.sts.down = failure("Throttling", throttled=True)
    failed(here)
    assert here.sts.calls == 4
    assert here.clock.slept == [2.0, 4.0, 8.0]


def test_a_refresh_may_have_fewer_attempts_than_its_failure_allows(here: Rig) -> None:
    here.sts.down = failure(attempts=3)
    outcome = here.fetcher.fetch(claimed(here, attempts=1), Snapshot.nothing())
    assert outcome == here.sts.down
    assert here.sts.calls == 1


def test_a_failure_may_allow_fewer_attempts(here: Rig) -> None:
    here.sts.down = failure(attempts=3)
    failed(here)
    assert here.sts.calls == 3


def test_a_denied_request_is_not_repeated(here: Rig) -> None:
    here.sts.script.append(failure("AccessDenied", retryable=False))
    assert failed(here).code == "AccessDenied"
    assert here.sts.calls == 1


def test_retry_after_is_kept_as_long_as_the_refresh_lasts(here: Rig) -> None:
    here.sts.down = failure(retry_after=300.0)
    failed(here)
    assert here.clock.slept == [15.0], "a second pause would end with the refresh"
    assert here.sts.calls == 2


def test_an_attempt_has_fifteen_seconds_and_never_more_than_its_refresh(here: Rig) -> None:
    here.sts.down = failure(retry_after=10.0)
    failed(here)
    assert here.sts.budgets == [15, 15, 10]
    here.sts.budgets.clear()
    here.sts.down = None
    here.fetcher.fetch(claimed(here, blocking=False, left=8), snapshot())
    assert here.sts.budgets == [2]


def test_a_token_that_takes_too_long_is_not_sent(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> Token:
        here.clock.advance(31)
        return Token("late")

    monkeypatch.setattr(here.token, "read", slow)
    record = failed(here)
    assert (record.kind, record.code) == ("timeout", "RefreshTimeout")
    assert here.sts.calls == 0


# -- what goes wrong ---------------------------------------------------------------------------


def test_a_token_that_cannot_be_had_is_the_tokens_own_failure(here: Rig) -> None:
    here.token.failure = failure("TokenFileMissing", kind="token", retryable=False)
    assert failed(here) is here.token.failure
    assert here.sts.calls == 0


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (ConfigError("No endpoint for mars-1."), "ConfigError", False),
        (ValueError("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln is odd"), "ValueError", True),
    ],
)
def test_a_defect_on_the_way_is_a_failure(
    error: Exception, code: str, here: Rig, monkeypatch: pytest.MonkeyPatch, *, retryable: bool
) -> None:
    def broken(token: Token, seconds: float) -> ExchangeResult | Failure:
        raise error

    monkeypatch.setattr(here.sts, "attempt", broken)
    record = failed(here, blocking=False)
    assert (record.code, record.retryable, record.role_arn) == (code, retryable, ROLE)
    assert "eyJ" not in record.text()


# -- events ----------------------------------------------------------------------------------------


def test_each_attempt_has_an_event_with_its_number_and_latency() -> None:
    here = rig(uniform=high)
    heard = heard_by(here)
    here.sts.script.append(failure("Throttling"))
    expiration = succeeded(here).credentials.expiration
    assert heard == [
        RefreshFailed(ROLE, "Throttling", 1, 0.0),
        RefreshSucceeded(ROLE, 2, 0.5, expiration),
    ]


def test_a_rotated_token_has_an_event(here: Rig) -> None:
    heard = heard_by(here)
    succeeded(here)
    succeeded(here)
    here.token.rotate()
    succeeded(here)
    assert [event for event in heard if isinstance(event, TokenRotated)] == [TokenRotated(ROLE)]
    assert isinstance(heard[2], TokenRotated)


# -- a token that was denied ----------------------------------------------------------------------


def denied(here: Rig) -> None:
    here.sts.script.append(failure("ExpiredTokenException", retryable=False, bad_token=True))
    failed(here)


def test_a_token_is_changed_when_its_content_is(here: Rig) -> None:
    denied(here)
    assert not here.fetcher.token_changed()
    here.clock.advance(1)
    here.token.rotate()
    assert here.fetcher.token_changed()


def test_a_file_that_was_only_touched_is_not_changed(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied(here)
    monkeypatch.setattr(here.token, "version", lambda: "touched")
    assert not here.fetcher.token_changed()


def test_without_a_version_nothing_is_read(here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    denied(here)
    here.token.rotate()
    reads = here.token.reads
    monkeypatch.setattr(here.token, "version", lambda: None)
    assert not here.fetcher.token_changed()
    assert here.token.reads == reads


def test_a_token_that_still_cannot_be_read_is_not_changed(here: Rig) -> None:
    denied(here)
    here.token.failure = failure("TokenFileEmpty", kind="token")
    assert not here.fetcher.token_changed()


def test_a_token_that_can_be_read_at_last_is_changed_even_if_it_is_the_old_one(here: Rig) -> None:
    succeeded(here)
    here.token.failure = failure("TokenFileUnreadable", kind="token", retryable=False)
    failed(here)
    here.token.failure = None
    assert here.fetcher.token_changed()


def test_the_note_of_a_result_is_logged(
    here: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = here.sts.attempt

    def noted(token: Token, seconds: float) -> ExchangeResult | Failure:
        outcome = attempt(token, seconds)
        return outcome._replace(note="a note") if isinstance(outcome, ExchangeResult) else outcome

    monkeypatch.setattr(here.sts, "attempt", noted)
    succeeded(here)
    assert [record.getMessage() for record in caplog.records] == ["a note"]


# -- the client ------------------------------------------------------------------------------------


def test_threads_that_prepare_at_the_same_time_use_one_client(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[object] = []
    other = threading.Thread(target=lambda: used.append(here.fetcher.prepare()))

    def make_client() -> FakeSts:
        if other.ident is None:
            # It calls STS while this thread still imports modules.
            other.start()
            other.join()
            succeeded(here)
        return FakeSts(here.clock)

    monkeypatch.setattr(here.fetcher, "_make_client", make_client)
    used.append(here.fetcher.prepare())
    assert used[0] is used[1]
    assert here.fetcher.calls == 1


# -- forks -----------------------------------------------------------------------------------------


def test_a_child_counts_its_own_calls(here: Rig) -> None:
    succeeded(here)
    here.fetcher.reset_after_fork()
    assert here.fetcher.calls == 0
    succeeded(here)
    assert here.fetcher.calls == 1


def test_a_random_factor_shortens_pauses() -> None:
    here = rig(uniform=low)
    here.sts.down = failure()
    failed(here)
    assert here.clock.slept == [0.0, 0.0, 0.0]
