"""Errors, the record that they are made from, and what never gets into their text."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Literal

import pytest

from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    Failure,
    IrsaError,
    RefreshTimeout,
    TokenError,
    mask,
)
from kit import failure

if TYPE_CHECKING:
    from collections.abc import Callable

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("token", TokenError), ("exchange", ExchangeError), ("timeout", RefreshTimeout)],
)
def test_a_failure_makes_the_error_of_its_kind(
    kind: Literal["token", "exchange", "timeout"], expected: type[IrsaError]
) -> None:
    record = Failure(kind=kind, code="Some", message="It broke.", advice="Mend it.")
    error = record.error()
    assert type(error) is expected
    assert error.failure is record
    assert str(error) == "It broke. Mend it."


def test_each_waiter_gets_an_exception_of_its_own() -> None:
    record = failure()
    assert record.error() is not record.error()


def test_the_text_ends_with_the_request_id_where_sts_gave_one() -> None:
    assert failure("X", request_id="abc").text() == "STS said X. (STS request id abc)"
    assert failure("X").text() == "STS said X."


def test_words_are_a_failures_last_field_and_no_part_of_its_text() -> None:
    assert Failure._fields[-1] == "words"
    assert failure("X").words == ""
    assert failure("X", words="Not authorized").text() == "STS said X."


def test_an_exchange_error_tells_code_request_id_and_whether_to_try_again() -> None:
    error = failure("AccessDenied", request_id="abc", retryable=False).error()
    assert isinstance(error, ExchangeError)
    assert (error.code, error.request_id, error.retryable) == ("AccessDenied", "abc", False)


def test_an_exchange_error_without_a_record_is_unknown_and_retryable() -> None:
    error = ExchangeError("made by a test")
    assert (error.code, error.request_id, error.retryable) == ("Unknown", None, True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConfigError("a variable is half set"),
        lambda: TokenError("no file", failure=failure("TokenFileMissing", kind="token")),
        lambda: failure("AccessDenied", request_id="abc").error(),
        lambda: RefreshTimeout("late"),
    ],
)
def test_every_error_pickles_as_itself(make: Callable[[], IrsaError]) -> None:
    error = make()
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.failure == error.failure


def test_all_errors_are_irsa_errors() -> None:
    for each in (ConfigError, TokenError, ExchangeError, RefreshTimeout):
        assert issubclass(each, IrsaError)
        assert str(each()) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"body {JWT} end", "body *** end"),
        (f"torn {JWT[:40]}", "torn ***"),
        (f"key {SECRET}", "key ***"),
        ("through http://user:pass@proxy:3128", "through http://***@proxy:3128"),
        (
            "through http://user:pa/ss#w@rd@proxy:3128 it went",
            "through http://***@proxy:3128 it went",
        ),
        ("encrypted eyJhbGciOiJkaXIifQ..dmVjdG9y.Y2lwaGVy.dGFn end", "encrypted *** end"),
        ("two\n  lines", "two lines"),
        ("arn:aws:iam::123456789012:role/app", "arn:aws:iam::123456789012:role/app"),
        ("https://sts.eu-west-1.amazonaws.com/", "https://sts.eu-west-1.amazonaws.com/"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


def test_a_known_secret_is_masked_whatever_it_looks_like() -> None:
    assert mask("it was hunter2, again hunter2", "hunter2", "") == "it was ***, again ***"


def test_a_message_is_bounded() -> None:
    assert mask("ab " * 200) == ("ab " * 200).strip()
    assert len(mask("ab " * 201)) == 600
    assert mask("ab " * 201).endswith("...")
