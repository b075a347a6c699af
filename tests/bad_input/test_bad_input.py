"""Every case of bad input is a typed error with a clear text, in time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore import exceptions

import irsa_creds
from bad_input.cases import ARGUMENTS, CASES

if TYPE_CHECKING:
    from bad_input.broken_pods import Case, Scene

EVERYTHING = CASES | ARGUMENTS


def check(error: irsa_creds.IrsaError, case: Case) -> None:
    headline, *lines = str(error).splitlines()
    text = " ".join(str(error).split())
    pattern = ".*".join(re.escape(part) for part in case.says)
    assert re.search(pattern, text), text
    assert isinstance(error, case.type)
    assert (error.failure.code if error.failure else "") == case.code
    # The headline says what failed; the lines of a failure's record lead to the doctor.
    assert headline[-1] in ".)"
    assert bool(lines) is bool(error.failure)
    assert all(re.match(r"  (role|STS|token|advice|command|more):  *\S", line) for line in lines)
    assert "irsa-creds doctor" in lines[-1] if lines else True
    if error.failure:
        line = error.failure.line("No valid credentials; next attempt in 5 s.", "role")
        assert len(line) <= 300
        assert len(line.splitlines()) == 1
    assert len(text) < 1_200
    # A sentence; a key of the profile keeps its spelling at the beginning.
    assert text[0].isupper() or text.startswith("duration_seconds of the profile")
    assert ".." not in text
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_provider_reports_the_error_and_the_fix(what: str, scene: Scene) -> None:
    case = EVERYTHING[what]
    case.spoil(scene)
    timeout = scene.arguments.pop("timeout", 20)
    with pytest.raises(irsa_creds.IrsaError) as caught:
        irsa_creds.provider(**scene.arguments).get(timeout=timeout)
    assert type(caught.value) is case.type
    check(caught.value, case)


@pytest.mark.parametrize("what", CASES)
def test_boto3_gets_an_error_of_both_families(what: str, scene: Scene) -> None:
    case = CASES[what]
    case.spoil(scene)
    irsa_creds.install()
    with pytest.raises(exceptions.CredentialRetrievalError) as caught:
        # As a program meets it: somewhere in its first request.
        boto3.Session(region_name="eu-west-1").client("s3").list_buckets()
    check(caught.value, case)
    family = {
        irsa_creds.ConfigError: exceptions.InvalidConfigError,
        irsa_creds.TokenError: exceptions.CredentialRetrievalError,
        irsa_creds.ExchangeError: exceptions.CredentialRetrievalError,
    }[case.type]
    assert isinstance(caught.value, family)
    failure = caught.value.failure
    if failure is not None and failure.unreachable:
        assert isinstance(caught.value, exceptions.EndpointConnectionError)
    if case.code == "AccessDenied":
        assert isinstance(caught.value, exceptions.ClientError)
        assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_an_opaque_token_is_passed_on(scene: Scene) -> None:
    scene.token.write_text("opaque-token\n")
    assert irsa_creds.provider().get()
    assert scene.sts.seen[0].form["WebIdentityToken"] == "opaque-token"


def test_a_role_without_a_token_file_is_not_irsa_for_boto3(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.set("AWS_WEB_IDENTITY_TOKEN_FILE", None)
    irsa_creds.install()
    assert boto3.Session().get_credentials() is None
    irsa_creds.install(strict=True)
    with pytest.raises(irsa_creds.ConfigError, match="no web identity token is named"):
        boto3.Session().get_credentials()
