"""Rules for every message of an STS call: short, plain, the code first, no question."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from engine_fakes import eventually
from irsa_creds._errors import Failure
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.causes import classify, codes
from irsa_creds._exchange.http import HttpFailure, HttpResponse, _reason
from irsa_creds._exchange.response import network_failure, parse_response
from irsa_creds._identity.token import Token
from sts_server import CLAIMS, JWT, ROLE, StsServer, error_xml, jwt, send_error

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://sts.eu-west-1.amazonaws.com"
SOURCE = "arn:aws:iam::123456789012:role/source"
NETWORK = (
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "EndpointConnectionError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "SSLError",
    "SomethingNew",
)
WORDS = (
    "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    "Couldn't retrieve verification key from your identity provider",
    "No OpenIDConnect provider found in your account for https://issuer.example/id/EXAMPLE",
    "Incorrect token audience",
    "one " * 200,
)
RESPONSES = [
    *((code, 400, words) for code in sorted(codes() | {"SomethingNew"}) for words in WORDS),
    ("", 302, ""),
    ("", 404, ""),
    ("", 403, ""),
    ("", 503, ""),
    ("InternalFailure", 500, "one moment"),
    ("ThrottlingException", 429, "Rate exceeded"),
]


def request(signer: str | None = None) -> ExchangeRequest:
    file = "/var/run/secrets/token"
    return ExchangeRequest(ROLE, URL, 43_200, Token(JWT), signer=signer, token_file=file)


def check(failure: Failure) -> None:
    """Check the rules for one failure."""
    headline, *details = failure.text().split("\n")
    state = "Credentials valid for 86399 s; next attempt in 300 s."
    line = failure.line(state, f"role={ROLE}")
    assert failure.code in headline[:80]
    assert failure.code in line[:80]
    assert len(line) <= 300
    assert f" {state} role={ROLE}" in line
    assert failure.error().args[0] not in line
    assert "?" not in failure.text() + line
    assert details[-1] == "  more:    irsa-creds doctor --online"


@pytest.mark.parametrize("signer", [None, SOURCE])
@pytest.mark.parametrize(("code", "status", "words"), RESPONSES)
def test_every_error_of_sts_has_a_short_plain_message(
    code: str, status: int, words: str, signer: str | None
) -> None:
    body = error_xml(code, words) if code else ""
    failure = parse_response(HttpResponse(status, {}, body.encode()), request(signer))
    assert isinstance(failure, Failure)
    check(failure)
    assert failure.advice
    assert "{" not in failure.advice


@pytest.mark.parametrize("code", NETWORK)
def test_every_network_failure_has_a_short_plain_message(code: str) -> None:
    check(network_failure(HttpFailure(code, "connection refused"), request()))


def test_a_log_line_has_the_first_step_if_the_headline_has_the_cause() -> None:
    failure = network_failure(HttpFailure("EndpointConnectionError", "host not found"), request())
    assert failure.line("No valid credentials.").startswith(
        "Cannot connect to STS (EndpointConnectionError): host not found. Check DNS, network "
        f"policies and routes from the pod to {URL}. No valid credentials."
    )


@pytest.mark.parametrize("body", [b"", b"<a/>", b"<!DOCTYPE html>", b"\xff", b"<" * 2**21])
def test_every_malformed_response_has_a_short_plain_message(body: bytes) -> None:
    failure = parse_response(HttpResponse(200, {}, body), request())
    assert isinstance(failure, Failure)
    check(failure)


def test_every_cause_has_a_text() -> None:
    statuses = (None, 400, 403, 429, 500)
    causes = {
        classify(code, words, status, chained=chained)
        for code in codes() | {"SomethingNew"}
        for words in WORDS
        for status in statuses
        for chained in (False, True)
    }
    assert all(cause.fix.endswith((".", "{clue}")) for cause in causes)
    assert all(cause.sentence.endswith((".", ")")) for cause in causes if cause.sentence)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "host not found (Name or service"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (TimeoutError("timed out"), "timed out"),
        (OSError(113, "No route to host"), "no route to host"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "[SSL: WRONG"),
        (ValueError(), "ValueError"),
        (FileNotFoundError("CA bundle '/x' not found"), "CA bundle '/x' not found"),
    ],
)
def test_a_network_failure_has_a_plain_reason(error: Exception, reason: str) -> None:
    assert _reason(error).startswith(reason)


def test_an_untrusted_certificate_has_a_plain_reason() -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] ...")
    error.verify_message = "self-signed certificate"
    assert _reason(error) == "certificate verify failed (self-signed certificate)"


PROGRAM = """
import sys, irsa_creds
try:
    irsa_creds.provider(
        role_arn=sys.argv[1],
        token=lambda: sys.argv[2],
        session_name="pod",
        region="eu-west-1",
        endpoint_url=sys.argv[3],
    ).get()
except irsa_creds.ExchangeError:
    print("raised")
"""


def test_an_outage_prints_nothing_unless_logging_is_configured() -> None:
    with StsServer([send_error("AccessDenied")]) as sts:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, ROLE, jwt(CLAIMS), sts.url],
            capture_output=True,
            text=True,
            check=True,
        )
    assert (done.stdout, done.stderr) == ("raised\n", "")


def test_the_log_line_of_a_denial_is_not_the_text_of_its_exception(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(jwt(CLAIMS))
    with StsServer([send_error("AccessDenied")]) as sts, caplog.at_level(logging.DEBUG):
        provider = irsa_creds.provider(
            role_arn=ROLE,
            token_file=path,
            session_name="pod",
            region="eu-west-1",
            endpoint_url=sts.url,
        )
        with pytest.raises(irsa_creds.ExchangeError) as caught:
            provider.get()
    eventually(lambda: caplog.records)
    (line,) = [each.getMessage() for each in caplog.records if each.name == "irsa_creds"]
    assert line.startswith(
        "STS denied AssumeRoleWithWebIdentity (AccessDenied). The role's trust policy probably "
        "does not match system:serviceaccount:ns:sa. No valid credentials; next attempt in "
    )
    assert f" role={ROLE} request_id=" in line
    assert len(line) <= 300
    assert str(caught.value) not in line
