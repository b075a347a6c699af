"""Whoever catches botocore's errors around a call today catches ours."""

from __future__ import annotations

import pickle
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

from irsa_creds import _dual_errors
from irsa_creds._dual_errors import RefusedError, UnreachableError, dual
from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    Failure,
    IrsaError,
    RefreshTimeout,
    TokenError,
)
from kit import failure

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


def test_it_is_of_our_family_and_of_botocores_and_of_no_other(
    case: tuple[IrsaError, set[type[Exception]]],
) -> None:
    error, families = case
    made = dual(error)
    assert {family for family in FAMILIES if isinstance(made, family)} == families
    assert isinstance(made, IrsaError)
    assert isinstance(made, CredentialRetrievalError)


def test_it_says_the_same_and_keeps_the_record(
    case: tuple[IrsaError, set[type[Exception]]],
) -> None:
    error, families = case
    made = dual(error)
    if ClientError not in families:
        assert str(made) == str(error)
    assert made.failure is error.failure
    assert isinstance(made, BotoCoreError)
    assert made.kwargs["error_msg"] == str(made)
    assert made.kwargs["provider"] == "irsa-creds"


def test_each_is_a_fresh_instance(case: tuple[IrsaError, set[type[Exception]]]) -> None:
    assert dual(case[0]) is not dual(case[0])


def test_it_survives_a_pickle_whole(case: tuple[IrsaError, set[type[Exception]]]) -> None:
    made = dual(case[0])
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is type(made)
    assert vars(again) == vars(made)
    assert again.args == made.args


def test_a_refusal_has_a_clients_response() -> None:
    made = dual(REFUSED.error())
    assert isinstance(made, RefusedError)
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


def test_a_refusal_begins_as_a_client_says_it_and_goes_on_with_what_to_do() -> None:
    said = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": WORDS}}, "AssumeRoleWithWebIdentity"
    )
    made = dual(REFUSED.error())
    assert str(made).splitlines() == [
        f"{said}.",
        "  STS:     request id r-1",
        "  token:   sub system:serviceaccount:ns:app, exp 2026-01-05T08:00:00Z",
        "  advice:  Look at the trust policy.",
        "  command: irsa-creds explain",
        "  more:    irsa-creds doctor --online",
    ]


def test_a_refusal_without_words_of_stss_has_ours() -> None:
    made = dual(failure("HTTP403", status=403, message="STS answered HTTP403.").error())
    assert isinstance(made, RefusedError)
    assert made.response["Error"]["Message"] == "STS answered HTTP403."
    assert str(made).splitlines()[0].endswith("operation: STS answered HTTP403.")


def test_a_network_failure_names_the_endpoint() -> None:
    made = dual(UNREACHABLE.error())
    assert isinstance(made, UnreachableError)
    assert made.kwargs["endpoint_url"] == "https://sts.example"


@pytest.mark.parametrize("make", [RefusedError, UnreachableError])
def test_it_can_be_made_by_hand(make: Callable[[str], IrsaError]) -> None:
    assert str(make("by hand")) == "by hand"


def test_every_kind_of_failure_has_its_class() -> None:
    kinds = [Failure(kind=kind, code="", message="") for kind in ("token", "exchange", "timeout")]
    assert {type(dual(each.error())).__module__ for each in kinds} == {_dual_errors.__name__}
