"""Errors of irsa-creds are also those of botocore, so that existing `except` clauses work."""

from __future__ import annotations

import pickle
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidConfigError,
)

import irsa_creds.botocore
from engine_fakes import failure
from fresh_interpreter import python
from irsa_creds._botocore import errors
from irsa_creds._botocore.errors import DeniedError, UnreachableError, to_botocore
from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    Failure,
    IrsaError,
    RefreshTimeout,
    TokenError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
REFUSED = failure(
    "AccessDenied",
    status=403,
    request_id="r-1",
    retryable=False,
    words=WORDS,
    sub="system:serviceaccount:ns:app",
    exp=1_767_600_000.0,
    advice="Look at the trust policy.",
    command="irsa-creds explain",
)
UNREACHABLE = failure("ConnectTimeoutError", unreachable=True, endpoint="https://sts.example")
MALFORMED = failure("MalformedAnswer", status=200)
UNRESOLVED = failure("EndpointUnresolved", retryable=False)
ERRORS: dict[str, tuple[IrsaError, set[type[Exception]]]] = {
    "config": (ConfigError("Set it."), {ConfigError, InvalidConfigError}),
    "token": (TokenError("No file."), {TokenError}),
    "timeout": (RefreshTimeout("Late."), {RefreshTimeout}),
    "refused": (REFUSED.error(), {ExchangeError, ClientError}),
    "unreachable": (UNREACHABLE.error(), {ExchangeError, EndpointConnectionError}),
    "malformed": (MALFORMED.error(), {ExchangeError}),
    "unresolved": (UNRESOLVED.error(), {ExchangeError}),
    "no record": (ExchangeError("Odd."), {ExchangeError}),
}
FAMILIES: set[type[Exception]] = {
    ClientError,
    ConfigError,
    EndpointConnectionError,
    ExchangeError,
    InvalidConfigError,
    RefreshTimeout,
    TokenError,
}


@pytest.fixture(params=ERRORS.values(), ids=list(ERRORS))
def case(request: pytest.FixtureRequest) -> tuple[IrsaError, set[type[Exception]]]:
    found: tuple[IrsaError, set[type[Exception]]] = request.param
    return found


def test_an_error_is_an_instance_of_exactly_the_documented_classes(
    case: tuple[IrsaError, set[type[Exception]]],
) -> None:
    error, families = case
    made = to_botocore(error)
    assert {family for family in FAMILIES if isinstance(made, family)} == families
    assert isinstance(made, IrsaError)
    assert isinstance(made, CredentialRetrievalError)


def test_an_error_keeps_its_text_and_its_failure(
    case: tuple[IrsaError, set[type[Exception]]],
) -> None:
    error, families = case
    made = to_botocore(error)
    if ClientError not in families:
        assert str(made) == str(error)
    assert made.failure is error.failure
    assert isinstance(made, BotoCoreError)
    assert made.kwargs["error_msg"] == str(made)
    assert made.kwargs["provider"] == "irsa-creds"


def test_each_conversion_returns_a_new_exception(
    case: tuple[IrsaError, set[type[Exception]]],
) -> None:
    assert to_botocore(case[0]) is not to_botocore(case[0])


def test_an_error_pickles_with_all_its_values(case: tuple[IrsaError, set[type[Exception]]]) -> None:
    made = to_botocore(case[0])
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is type(made)
    assert vars(again) == vars(made)
    assert again.args == made.args


def test_a_denial_has_the_response_of_a_client_error() -> None:
    made = to_botocore(REFUSED.error())
    assert isinstance(made, DeniedError)
    assert made.operation_name == "AssumeRoleWithWebIdentity"
    assert made.response["Error"] == {"Code": "AccessDenied", "Message": WORDS}
    metadata = made.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["RequestId"]) == (403, "r-1")
    assert not made.retryable
    assert (made.sub, made.exp) == (
        "system:serviceaccount:ns:app",
        datetime(2026, 1, 5, 8, tzinfo=UTC),
    )
    assert (made.advice, made.command) == ("Look at the trust policy.", "irsa-creds explain")


def test_the_text_of_a_denial_starts_with_the_sentence_of_a_client_error() -> None:
    client_error = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": WORDS}}, "AssumeRoleWithWebIdentity"
    )
    made = to_botocore(REFUSED.error())
    assert str(made).splitlines() == [
        f"{client_error}.",
        "  STS:     request id r-1",
        "  token:   sub system:serviceaccount:ns:app, exp 2026-01-05T08:00:00Z",
        "  advice:  Look at the trust policy.",
        "  command: irsa-creds explain",
        "  more:    irsa-creds doctor --online",
    ]


def test_a_denial_without_a_message_of_sts_has_the_failures_message() -> None:
    made = to_botocore(failure("HTTP403", status=403, message="STS answered HTTP403.").error())
    assert isinstance(made, DeniedError)
    assert made.response["Error"]["Message"] == "STS answered HTTP403."
    assert str(made).splitlines()[0].endswith("operation: STS answered HTTP403.")


def test_a_network_failure_names_the_endpoint() -> None:
    made = to_botocore(UNREACHABLE.error())
    assert isinstance(made, UnreachableError)
    assert made.kwargs["endpoint_url"] == "https://sts.example"


@pytest.mark.parametrize("make", [DeniedError, UnreachableError])
def test_an_error_can_be_created_without_a_failure(make: Callable[[str], IrsaError]) -> None:
    assert str(make("by hand")) == "by hand"


def test_every_kind_of_failure_has_its_class() -> None:
    kinds = [Failure(kind=kind, code="", message="") for kind in ("token", "exchange", "timeout")]
    assert {vars(errors)[type(to_botocore(each.error())).__name__] for each in kinds} == {
        type(to_botocore(each.error())) for each in kinds
    }


def test_a_traceback_names_the_public_module_of_an_error(
    case: tuple[IrsaError, set[type[Exception]]],
) -> None:
    family = type(to_botocore(case[0]))
    assert family.__module__ == "irsa_creds.botocore"
    assert getattr(irsa_creds.botocore, family.__name__) is family
    (line,) = traceback.format_exception_only(family("It broke."))
    assert line == f"irsa_creds.botocore.{family.__name__}: It broke.\n"


def test_an_error_unpickles_in_a_process_without_earlier_errors() -> None:
    data = pickle.dumps(to_botocore(REFUSED.error()))
    found = python(f"import pickle; print(pickle.loads({data!r}).code)")
    assert found == "AccessDenied"


def test_the_errors_module_is_not_imported_without_an_error() -> None:
    statement = "from irsa_creds.botocore import IrsaCredentials"
    found = python(f"import sys; {statement}; print('irsa_creds._botocore.errors' in sys.modules)")
    assert found == "False"
    with pytest.raises(AttributeError, match=r"'irsa_creds\.botocore' has no attribute 'dual'"):
        _ = irsa_creds.botocore.dual
