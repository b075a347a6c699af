"""AssumeRole: what is sent is what botocore would send, and what comes of it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import parse_qsl

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

from chained_engines import SECOND, THIRD
from engine_fakes import ROLE
from irsa_creds import Credentials
from irsa_creds._botocore.errors import to_botocore
from irsa_creds._errors import ExchangeError, Failure
from irsa_creds._exchange.assume_role import SignedStsClient
from irsa_creds._exchange.chained_fetcher import SigningCredentials
from irsa_creds._exchange.endpoint import signing_region
from irsa_creds._exchange.sts import ExchangeResult
from irsa_creds._identity.config import Config
from irsa_creds._identity.roles import ChainedRole
from secrecy.leak_detector import locals_of_library
from sts_server import (
    DATE,
    SESSION_TOKEN,
    StsServer,
    credentials_xml,
    hang,
    http,
    send_error,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds.testing import Sandbox

TOKEN = "IQoJb3JpZ2luSourceSessionToken" * 12
SOURCE = Credentials("ASIASOURCE", "source-secret-key", TOKEN, datetime(2099, 1, 1, tzinfo=UTC))
EVERYTHING = ChainedRole(
    SECOND,
    "tenant-7",
    900,
    "a/b:c",
    "alice@example.com",
    '{"Version":"2012-10-17"}',
    ("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/Other"),
    (("cost", ""), ("team", "ünï x")),
    ("cost", "team"),
)

DOCUMENT = credentials_xml().replace("AssumeRoleWithWebIdentity", "AssumeRole")


def config(
    url: str | None,
    role: ChainedRole = ChainedRole(SECOND, "pod"),  # noqa: B008 - immutable
    **values: Any,
) -> Config:
    return Config(
        role_arn=ROLE, session_name="pod", endpoint_url=url, chained_roles=(role,), **values
    )


@pytest.fixture
def sts() -> Iterator[StsServer]:
    with StsServer([success()]) as opened:
        yield opened


def attempt(
    asked: Config, key: Credentials = SOURCE, seconds: float = 20
) -> ExchangeResult | Failure:
    return SignedStsClient(asked).attempt(SigningCredentials(key), seconds)


def failed(asked: Config, seconds: float = 20) -> Failure:
    outcome = attempt(asked, seconds=seconds)
    assert isinstance(outcome, Failure)
    return outcome


# -- what is sent ----------------------------------------------------------------------------------


def botocores_form() -> dict[str, str]:
    """Return what botocore's client would send for everything."""
    client = botocore.session.Session().create_client(
        "sts", region_name="eu-west-1", aws_access_key_id="AKID", aws_secret_access_key="secret"
    )
    bodies: list[Any] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        bodies.append(request.body)
        raw = Mock(stream=lambda: iter([DOCUMENT.encode()]))
        return AWSResponse(request.url, 200, {}, raw)

    client.meta.events.register("before-send.sts.AssumeRole", answer)
    client.assume_role(
        RoleArn=SECOND,
        RoleSessionName="tenant-7",
        DurationSeconds=900,
        ExternalId="a/b:c",
        SourceIdentity="alice@example.com",
        Policy='{"Version":"2012-10-17"}',
        PolicyArns=[{"arn": arn} for arn in EVERYTHING.policy_arns],
        Tags=[{"Key": key, "Value": value} for key, value in EVERYTHING.tags],
        TransitiveTagKeys=["cost", "team"],
    )
    return dict(parse_qsl(bodies[0], keep_blank_values=True))


def test_every_parameter_is_written_as_botocore_writes_it(sts: StsServer) -> None:
    assert isinstance(attempt(config(sts.url, EVERYTHING)), ExchangeResult)
    assert sts.seen[0].form == botocores_form()


def test_parameters_without_a_value_are_not_sent(sts: StsServer) -> None:
    attempt(config(sts.url, duration_seconds=43_200, policy="{}", policy_arns=("arn:x",)))
    (seen,) = sts.seen
    # The source role's parameters do not apply to the target role.
    assert seen.form == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": SECOND,
        "RoleSessionName": "pod",
    }
    assert seen.headers["user-agent"].startswith("irsa-creds/")
    assert "user-agent" not in seen.headers["authorization"]
    assert seen.headers["x-amz-security-token"] == TOKEN
    assert seen.headers["host"] == sts.url.partition("//")[2]


def client_region(region: str | None, *, fips: bool, dualstack: bool, legacy: bool) -> str:
    """Return the region that botocore's own client signs for."""
    session = botocore.session.Session()
    session.set_config_variable("sts_regional_endpoints", "legacy" if legacy else "regional")
    client = session.create_client(
        "sts",
        region_name=region or "aws-global",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=ClientConfig(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack),
    )
    seen: list[str] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        seen.append(request.headers["Authorization"].decode().split("/")[2])
        raw = Mock(stream=lambda: iter([DOCUMENT.encode()]))
        return AWSResponse(request.url, 200, {}, raw)

    client.meta.events.register("before-send.sts.AssumeRole", answer)
    client.assume_role(RoleArn=SECOND, RoleSessionName="pod")
    return seen[0]


PLACES = [
    *itertools.product(
        [None, "aws-global", "us-east-1", "eu-west-1", "il-central-1", "cn-north-1"],
        [(False, False, False), (False, False, True)],
    ),
    *itertools.product(
        ["us-east-1", "us-gov-west-1", "us-east-2"],
        [(True, False, False), (False, True, False)],
    ),
]


@pytest.mark.parametrize(("region", "options"), PLACES)
def test_the_region_of_the_signature_is_botocores(
    region: str | None, options: tuple[bool, bool, bool]
) -> None:
    fips, dualstack, legacy = options
    # "legacy" stays on only for a region of its list: `_place` sees to that.
    listed = legacy and region not in {"il-central-1", "cn-north-1"}
    ours = signing_region(
        config(None, region=region, use_fips=fips, use_dualstack=dualstack, legacy_global=listed)
    )
    assert ours == client_region(region, fips=fips, dualstack=dualstack, legacy=legacy)


# -- a real STS verifies it ------------------------------------------------------------------------


def trust(role_arn: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": role_arn}, "Action": "sts:AssumeRole"}
    return {
        "Version": "2012-10-17",
        "Statement": {**statement, **({"Condition": condition} if condition else {})},
    }


@pytest.fixture
def source(sandbox: Sandbox) -> Credentials:
    """Credentials of a pod's role; a target role trusts it with the external ID."""
    pod = sandbox.deploy()
    sandbox.deploy(
        service_account="second",
        role="second",
        trust_policy=trust(pod.role_arn, StringEquals={"sts:ExternalId": "id-1"}),
    )
    given = sandbox.client("sts").assume_role_with_web_identity(
        RoleArn=pod.role_arn, RoleSessionName="pod", WebIdentityToken=pod.token()
    )["Credentials"]
    return Credentials(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        given["SessionToken"],
        given["Expiration"],
    )


HERE = "arn:aws:iam::123456789012:role/second"


@pytest.mark.parametrize("path", ["", "/", "/a/../b//c%20d/", "/?b=1&a=2"])
def test_a_verifying_sts_takes_the_signature(
    sandbox: Sandbox, source: Credentials, path: str
) -> None:
    role = ChainedRole(HERE, "tenant-7", external_id="id-1", tags=(("team", "ünï x"),))
    outcome = attempt(config(sandbox.sts_url + path, role, region="eu-west-1"), source)
    assert isinstance(outcome, ExchangeResult), outcome
    found = outcome.credentials
    assert found.assumed_role_arn == "arn:aws:sts::123456789012:assumed-role/second/tenant-7"
    assert found.account_id == "123456789012"


def test_a_wrong_secret_key_is_denied_with_advice(sandbox: Sandbox, source: Credentials) -> None:
    wrong = Credentials(source.access_key_id, "wrong", source.session_token, source.expiration)
    outcome = attempt(config(sandbox.sts_url, ChainedRole(HERE, "pod", external_id="id-1")), wrong)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.status) == ("SignatureDoesNotMatch", 403)
    assert ROLE in outcome.advice


def test_a_denial_names_both_roles_and_the_missing_permission(
    sandbox: Sandbox, source: Credentials
) -> None:
    outcome = attempt(
        config(sandbox.sts_url, ChainedRole(HERE, "pod", external_id="other")), source
    )
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.retryable) == ("AccessDenied", False)
    advice = outcome.advice
    assert f"{ROLE} may not assume the role {HERE}" in advice
    assert "external ID" in advice
    assert outcome.role_arn == HERE


# -- failures --------------------------------------------------------------------------------------


def test_a_denial_is_a_client_error_of_assume_role(sts: StsServer) -> None:
    sts.script[:] = [send_error("AccessDenied", "No.", "403 Forbidden")]
    error: Any = to_botocore(failed(config(sts.url)).error())
    assert {ExchangeError, ClientError} <= set(type(error).__mro__)
    assert error.operation_name == "AssumeRole"
    assert str(error).startswith(
        "An error occurred (AccessDenied) when calling the AssumeRole operation: No."
    )


@pytest.mark.parametrize(
    ("code", "retryable", "bad_token", "attempts", "words"),
    [
        ("ExpiredToken", True, True, 3, "irsa-creds refreshes them"),
        ("ExpiredTokenException", True, True, 3, "irsa-creds refreshes them"),
        ("InvalidClientTokenId", False, True, 0, "set AWS_REGION"),
        ("SignatureDoesNotMatch", False, False, 0, "clock"),
        ("ValidationError", False, False, 0, "at most one hour"),
        ("PackedPolicyTooLarge", False, False, 0, "tags"),
        ("RegionDisabledException", False, False, 0, "Enable the region"),
        ("Throttling", True, False, 0, "too many calls"),
    ],
)
def test_each_code_has_a_meaning_in_role_chaining(
    sts: StsServer, *, code: str, retryable: bool, bad_token: bool, attempts: int, words: str
) -> None:
    sts.script[:] = [send_error(code, "So it is.", "403 Forbidden")]
    found = failed(config(sts.url))
    assert (found.code, found.retryable, found.bad_token, found.attempts) == (
        code,
        retryable,
        bad_token,
        attempts,
    )
    assert words in found.advice
    assert found.operation == "AssumeRole"


def test_an_external_id_that_a_server_echoes_is_masked(sts: StsServer) -> None:
    sts.script[:] = [send_error("AccessDenied", "I got open sesame 1 as open+sesame+1.")]
    found = failed(config(sts.url, ChainedRole(SECOND, "pod", external_id="open sesame 1")))
    assert found.words == "I got *** as ***."
    assert "sesame" not in repr(found)


def test_an_external_id_may_be_the_account_of_the_role(sts: StsServer) -> None:
    outcome = attempt(config(sts.url, ChainedRole(SECOND, "pod", external_id="123456789012")))
    assert isinstance(outcome, ExchangeResult)
    assert outcome.credentials.account_id == "123456789012"


def test_role_chaining_does_not_omit_a_rejected_duration(sts: StsServer) -> None:
    sts.script[:] = [send_error("ValidationError"), success()]
    role = ChainedRole(SECOND, "pod", 3600)
    assert failed(config(sts.url, role, duration_optional=True)).code == "ValidationError"
    assert len(sts.seen) == 1


def test_missing_and_malformed_responses_are_failures_of_assume_role(sts: StsServer) -> None:
    sts.script[:] = [hang]
    assert failed(config(sts.url), seconds=0.3).operation == "AssumeRole"
    sts.script[:] = [lambda call: call.send(http("<html/>"))]
    found = failed(config(sts.url))
    assert (found.code, found.operation) == ("MalformedAnswer", "AssumeRole")


def test_without_an_endpoint_it_is_the_last_roles_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Every partition of today has an endpoint, so this needs other rules.
    monkeypatch.setattr("irsa_creds._exchange.endpoint.RULE_SET", "missing")
    found = failed(config(None, ChainedRole(THIRD, "pod"), region="not a region"))
    assert (found.code, found.role_arn) == ("EndpointUnresolved", THIRD)


def test_a_rejected_signature_reports_the_clock_of_sts(sts: StsServer) -> None:
    sts.script[:] = [send_error("SignatureDoesNotMatch", "Signature expired.", "403 Forbidden")]
    assert DATE.endswith("2026 10:00:00 GMT")
    assert "this machine's" in failed(config(sts.url)).advice


@pytest.mark.parametrize("echo", [TOKEN, TOKEN[:30], f"I was sent {TOKEN}"])
def test_a_session_token_that_is_echoed_is_masked(sts: StsServer, echo: str) -> None:
    sts.script[:] = [send_error("AccessDenied", echo, "403 Forbidden")]
    assert TOKEN[:30] not in failed(config(sts.url)).text()


def test_signing_credentials_show_no_secret() -> None:
    key = SigningCredentials(SOURCE)
    assert repr(key) == "<SigningCredentials ...URCE>"
    assert (key.claims, key.written) == (None, None)
    assert key.shape() == f"{len(TOKEN)} characters"
    assert SESSION_TOKEN not in repr(key)


def test_only_an_interrupt_propagates_without_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    exchange: Callable[..., Any] = SignedStsClient(config("http://localhost:1")).attempt
    monkeypatch.setattr("irsa_creds._exchange.assume_role.signed_headers", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        exchange(SigningCredentials(SOURCE), 5)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("where", ["_exchange.http._prepared", "_exchange.sts.parse_response"])
def test_an_interrupt_shows_no_external_id_and_no_key(
    where: str, sts: StsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    role = ChainedRole(SECOND, "pod", external_id="canary external id")
    monkeypatch.setattr(f"irsa_creds.{where}", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        attempt(config(sts.url, role))
    seen = list(locals_of_library(caught.value))
    assert any(sts.url in text for text in seen)
    secrets = ("canary external id", TOKEN, SOURCE.secret_access_key)
    assert not [text for text in seen if any(secret in text for secret in secrets)]
