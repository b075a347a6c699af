"""Responses of STS to a wrong configuration: status of S01, error code, message and fix."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from irsa_creds._errors import Failure
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.http import HttpFailure, HttpResponse
from irsa_creds._exchange.response import network_failure, parse_response
from irsa_creds._identity.token import Token
from irsa_creds.diagnosis._network.network_facts import OnlineFacts
from irsa_creds.diagnosis._network.sts_checks import exchange_check
from sts_server import JWT, ROLE, error_xml

URL = "https://sts.eu-west-1.amazonaws.com"


class Row(NamedTuple):
    """A response, and parts of the expected message and fix."""

    code: str
    words: str
    text: str
    typed: str = ""
    status: int = 400


REFUSED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
ROWS = [
    Row("AccessDenied", REFUSED, "trust policy", "irsa-creds explain", 403),
    Row("AccessDenied", "explicit deny in a service control policy", "SCP", "explain", 403),
    Row("AccessDenied", "no resource-based policy allows it", "endpoint", "explain", 403),
    Row("InvalidIdentityToken", "No OpenIDConnect provider found in your account", "OIDC", "iam"),
    Row("InvalidIdentityToken", "Incorrect token audience", "sts.amazonaws.com", "iam"),
    Row("InvalidIdentityToken", "Couldn't retrieve verification key from your", "keys"),
    Row("InvalidIdentityToken", "The ID Token provided is not a valid JWT.", "segments"),
    Row(
        "InvalidIdentityToken",
        "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
        "none of the thumbprints of the IAM OIDC provider",
        "aws iam update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn",
    ),
    Row("InvalidIdentityToken", "Missing a required claim: sub", "no subject (sub)"),
    Row("InvalidIdentityToken", "Missing a required claim: aud", "no audience (aud)", "manifest"),
    Row("InvalidIdentityToken", "Missing a required claim: iat", "lacks a claim"),
    Row(
        "InvalidIdentityToken",
        "The web identity token that was passed could not be validated by AWS. Get a new "
        "identity token from the identity provider and then retry the request.",
        "is missing, has another client ID or an old thumbprint",
        "aws iam get-open-id-connect-provider --open-id-connect-provider-arn",
    ),
    Row("ExpiredTokenException", "Token expired: current date/time must be before", "expired"),
    Row("IDPCommunicationError", "could not communicate", "issuer"),
    Row("IDPRejectedClaim", "rejected", "token", status=403),
    Row("ValidationError", "The requested DurationSeconds exceeds the maximum", "duration"),
    Row("ValidationError", "1 validation error: roleArn failed to satisfy constraint", "role ARN"),
    Row("MalformedPolicyDocument", "syntax errors in policy", "policy"),
    Row("PackedPolicyTooLarge", "packed size 120 %", "shorten"),
    Row("RegionDisabledException", "STS is not activated in this region", "enable", "region", 403),
    Row("Throttling", "Rate exceeded", "too many calls"),
    Row("ThrottlingException", "Rate exceeded", "too many calls", status=429),
    Row("InternalFailure", "", "healthy", status=500),
    Row("ServiceUnavailable", "", "healthy", status=503),
    Row("Forbidden", "", "STS that knows the role", status=403),
]
UNREACHED = {
    "EndpointConnectionError": "route",
    "ConnectTimeoutError": "route",
    "SSLError": "certificate",
    "ProxyConnectionError": "PROXY",
}


def findings_of(failure: object) -> tuple[str, str, str, object]:
    assert isinstance(failure, Failure)
    facts = OnlineFacts(url=URL, role_arn=ROLE, exchanged=failure)
    found = exchange_check(facts)
    assert found.id == "S01"
    return found.status, found.message, found.fix, found.data


def explained() -> ExchangeRequest:
    return ExchangeRequest(ROLE, URL, 3_600, Token(JWT))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}: {row.words[:30]}")
def test_a_failed_response_has_check_and_fix(row: Row) -> None:
    reply = HttpResponse(row.status, {}, error_xml(row.code, row.words).encode())
    status, message, fix, data = findings_of(parse_response(reply, explained()))
    assert status == "fail"
    assert data == {"code": row.code}
    assert row.text.lower() in message.lower()
    assert row.typed in fix
    assert JWT not in message + fix


@pytest.mark.parametrize(("code", "text"), UNREACHED.items())
def test_an_unreachable_sts_is_reported_as_unreachable(code: str, text: str) -> None:
    status, message, _, data = findings_of(
        network_failure(HttpFailure(code, "refused"), explained())
    )
    assert status == "fail"
    assert data == {"code": code, "reached": False}
    assert text.lower() in message.lower()
