"""Errors, and the record that they are made from."""

from __future__ import annotations

import pickle
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import pytest

import irsa_creds
from engine_fakes import ROLE, failure
from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    Failure,
    IrsaError,
    RefreshTimeout,
    TokenError,
    instant,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("token", TokenError), ("exchange", ExchangeError), ("timeout", RefreshTimeout)],
)
def test_a_failure_makes_the_error_of_its_kind(
    kind: Literal["token", "exchange", "timeout"], expected: type[IrsaError]
) -> None:
    record = Failure(kind=kind, code="Some", message="It broke.", advice="Fix it.")
    error = record.error()
    assert type(error) is expected
    assert error.failure is record
    assert str(error).splitlines()[:2] == ["It broke.", "  advice:  Fix it."]


def test_each_caller_gets_its_own_exception() -> None:
    record = failure()
    assert record.error() is not record.error()


WHOLE = failure(
    "AccessDenied",
    retryable=False,
    role_arn=ROLE,
    endpoint="https://sts.example",
    request_id="r-1",
    iss="https://issuer.example",
    sub="system:serviceaccount:ns:app",
    aud="sts.amazonaws.com",
    exp=1_767_600_000.0,
    advice="Look at the trust policy.",
    command="irsa-creds explain --fetch",
    words="Not authorized",
)


TOLD = (
    "iss https://issuer.example, sub system:serviceaccount:ns:app, "
    "aud sts.amazonaws.com, exp 2026-01-05T08:00:00Z"
)


def test_the_text_is_a_headline_and_one_line_for_each_thing_that_is_known() -> None:
    assert WHOLE.text().splitlines() == [
        "STS said AccessDenied.",
        f"  role:    {ROLE}",
        "  STS:     https://sts.example, request id r-1",
        f"  token:   {TOLD}",
        "  advice:  Look at the trust policy.",
        "  command: irsa-creds explain --fetch",
        "  more:    irsa-creds doctor --online",
    ]


def test_a_cached_failure_says_that_sts_was_not_called_again() -> None:
    again = WHOLE._replace(told_at=1_767_600_000.0, again_in=41.2)
    assert again.text().splitlines()[:3] == [
        "STS said AccessDenied.",
        (
            "  note:    cached failure of 2026-01-05T08:00:00Z; STS was not called again. "
            "Next attempt in 41 s"
        ),
        f"  role:    {ROLE}",
    ]
    assert again.line() == WHOLE.line()
    missing = failure("X", kind="token", bad_token=True, told_at=1_767_600_000.0, again_in=0.2)
    assert missing.text().splitlines()[1] == (
        "  note:    cached failure of 2026-01-05T08:00:00Z; the token was not read again. "
        "Next attempt in 1 s, or when the token changes"
    )


def test_what_is_not_known_has_no_line() -> None:
    assert failure("X").text() == "STS said X.\n  more:    irsa-creds doctor --online"
    assert failure("X", exp=0.0).text().splitlines()[1] == "  token:   exp 1970-01-01T00:00:00Z"
    assert failure("X", request_id="r-1").text().splitlines()[1] == "  STS:     request id r-1"
    assert failure("X", endpoint="https://a").text().splitlines()[1] == "  STS:     https://a"


@pytest.mark.parametrize(
    ("seconds", "date"),
    [(1_767_600_000, "2026-01-05T08:00:00Z"), (1.9, "1970-01-01T00:00:01Z"), (None, None)]
    + [(foolish, None) for foolish in (1e300, float("nan"), float("inf"), -1e15, 10**400)],
)
def test_an_instant_is_a_date_where_a_calendar_has_it(
    seconds: float | None, date: str | None
) -> None:
    assert instant(seconds) == date


def test_a_failure_of_the_token_needs_no_network_to_diagnose() -> None:
    assert failure("TokenFileMissing", kind="token").text().endswith("irsa-creds doctor")


def test_the_line_for_a_log_has_the_cause_the_state_and_the_identifiers() -> None:
    assert WHOLE.line() == (
        f"STS said AccessDenied. Look at the trust policy. role={ROLE} request_id=r-1 "
        "message='Not authorized'"
    )
    state = "No valid credentials."
    assert failure("X").line(state, f"role={ROLE}") == f"STS said X. {state} role={ROLE}"
    assert failure("X", message="It\n  broke.").line() == "X: It broke."


def test_the_line_for_a_log_leaves_the_message_of_sts_to_its_end() -> None:
    denied = WHOLE._replace(message="STS denied it (AccessDenied): Not authorized.")
    assert denied.line().startswith("STS denied it (AccessDenied). Look at the trust policy. role=")
    long = denied._replace(advice="x" * 500 + ". Then do that.", words="y" * 600)
    assert len(long.line("z" * 70, f"role={ROLE}")) == 300
    assert f"{'z' * 70} role=" in long.line("z" * 70, f"role={ROLE}")


def test_the_exceptions_of_one_failure_share_it() -> None:
    record = failure("X", advice="The cause is here. Do this.")
    first, second = record.error(), record.error()
    assert first is not second
    assert first.failure is second.failure is record
    assert "  advice:  The cause is here. Do this.\n" in str(first)
    assert "The cause is here." in record.line()
    assert "Do this." not in record.line()
    assert pickle.loads(pickle.dumps(first)).failure == record


def test_an_exchange_error_has_every_attribute_that_a_handler_needs() -> None:
    error = WHOLE.error()
    assert isinstance(error, ExchangeError)
    assert (error.code, error.retryable) == ("AccessDenied", False)
    assert (error.role_arn, error.endpoint) == (ROLE, "https://sts.example")
    assert error.request_id == "r-1"
    assert (error.iss, error.sub) == ("https://issuer.example", "system:serviceaccount:ns:app")
    assert (error.aud, error.exp) == ("sts.amazonaws.com", datetime(2026, 1, 5, 8, tzinfo=UTC))
    assert error.advice == "Look at the trust policy."
    assert error.command == "irsa-creds explain --fetch"


def test_an_exchange_error_without_a_record_is_unknown_and_retryable() -> None:
    error = ExchangeError("made by a test")
    assert (error.code, error.retryable, error.advice, error.command) == ("Unknown", True, "", "")
    names = ("role_arn", "endpoint", "request_id", "iss", "sub", "aud", "exp")
    assert {getattr(error, name) for name in names} == {None}


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConfigError("a variable is half set"),
        lambda: TokenError("no file", failure=failure("TokenFileMissing", kind="token")),
        WHOLE.error,
        lambda: RefreshTimeout("late"),
    ],
)
def test_every_error_pickles_as_itself(make: Callable[[], IrsaError]) -> None:
    error = make()
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.failure == error.failure


def test_a_traceback_names_the_public_module_of_every_error() -> None:
    public = [getattr(irsa_creds, name) for name in irsa_creds.__all__]
    errors = [each for each in public if isinstance(each, type) and issubclass(each, Exception)]
    assert {IrsaError, ExchangeError, irsa_creds.PolicyError} <= {*errors}
    for each in errors:
        (line,) = traceback.format_exception_only(each("late"))
        assert line == f"irsa_creds.{each.__name__}: late\n"


def test_all_errors_are_irsa_errors() -> None:
    for each in (ConfigError, TokenError, ExchangeError, RefreshTimeout):
        assert issubclass(each, IrsaError)
        assert str(each()) == ""
