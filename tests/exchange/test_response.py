"""Responses of STS and of other servers, and the result of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from irsa_creds._errors import Failure
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.http import BODY_LIMIT, HttpFailure, HttpResponse
from irsa_creds._exchange.response import ExchangeResult, network_failure, parse_response
from irsa_creds._identity.token import Token
from irsa_creds._masking import bare_url
from sts_server import (
    ASSUMED,
    CLAIMS,
    DATE,
    JWT,
    ROLE,
    SECRET_KEY,
    SESSION_TOKEN,
    credentials_xml,
    error_xml,
)

URL = "https://sts.eu-west-1.amazonaws.com"
CEPH_SUCCESS = """<?xml version="1.0" encoding="UTF-8"?>
<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>3JRWIZ4PXZ</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>session</SessionToken><Expiration>2026-01-05T11:00:00.123456789Z</Expiration>
</Credentials><AssumedRoleUser><Arn>arn:aws:sts:::assumed-role/X/pod</Arn></AssumedRoleUser>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
CEPH_ERROR = """<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code>
<Message></Message><RequestId>tx00000a-0066-1234-default</RequestId><HostId>h</HostId></Error>"""


def request(token: str = JWT, endpoint: str = URL) -> ExchangeRequest:
    return ExchangeRequest(ROLE, endpoint, 3_600, Token(token))


def parsed(body: str | bytes, status: int = 200, **headers: str) -> ExchangeResult | Failure:
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse_response(HttpResponse(status, named, content), request())


def failed(body: str | bytes, status: int = 400, **headers: str) -> Failure:
    failure = parsed(body, status, **headers)
    assert isinstance(failure, Failure)
    assert failure.kind == "exchange"
    assert (failure.endpoint, failure.role_arn, failure.status) == (URL, ROLE, status)
    assert not failure.unreachable
    assert failure.message.endswith(".")
    assert "\n" not in failure.message + failure.line()
    assert JWT not in repr(failure)
    return failure


def test_every_failure_has_the_tokens_claims() -> None:
    for failure in (
        failed(error_xml("AccessDenied"), 403),
        failed("", 503),
        malformed("<html/>"),
        network_failure(HttpFailure("SSLError", "x"), request()),
    ):
        assert (failure.iss, failure.sub) == (CLAIMS["iss"], CLAIMS["sub"])
        assert failure.operation == "AssumeRoleWithWebIdentity"
    failure = network_failure(HttpFailure("SSLError", "x"), request("opaque"))
    assert (failure.iss, failure.sub, failure.aud, failure.exp) == (None,) * 4


def test_a_malformed_response_has_its_request_id() -> None:
    failure = failed("<html/>", 200, **{"x-amzn-requestid": "r-7"})
    assert (failure.code, failure.request_id) == ("MalformedAnswer", "r-7")


def malformed(body: str | bytes) -> Failure:
    failure = failed(body, 200)
    assert failure.code == "MalformedAnswer"
    assert failure.retryable
    return failure


def test_credentials_of_aws_are_read() -> None:
    result = parsed(credentials_xml(), Date=DATE)
    assert isinstance(result, ExchangeResult)
    given = result.credentials
    assert given.access_key_id == "ASIAEXAMPLE"
    assert given.secret_access_key == SECRET_KEY
    assert given.session_token == SESSION_TOKEN
    assert given.expiration == datetime(2026, 1, 5, 11, tzinfo=UTC)
    assert given.account_id == "123456789012"
    assert given.assumed_role_arn == ASSUMED
    assert result.date == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert result.endpoint == URL
    assert "canary" not in repr(result)


def test_credentials_of_ceph_are_read() -> None:
    result = parsed(CEPH_SUCCESS)
    assert isinstance(result, ExchangeResult)
    given = result.credentials
    assert given.expiration == datetime(2026, 1, 5, 11, 0, 0, 123456, tzinfo=UTC)
    assert given.account_id is None
    assert given.assumed_role_arn == "arn:aws:sts:::assumed-role/X/pod"
    assert result.date is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T11:00:00Z", datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("2026-01-05T12:00:00+01:00", datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("2026-01-05T11:00:00", datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("2026-01-05T11:00:00.5Z", datetime(2026, 1, 5, 11, 0, 0, 500_000, tzinfo=UTC)),
        ("20260105T110000Z", datetime(2026, 1, 5, 11, tzinfo=UTC)),
    ],
)
def test_an_expiration_is_read_in_its_offset(text: str, expected: datetime) -> None:
    result = parsed(credentials_xml(text))
    assert isinstance(result, ExchangeResult)
    assert result.credentials.expiration == expected
    assert result.credentials.expiration.tzinfo is UTC


@pytest.mark.parametrize("text", ["soon", "1767610800", "0001-01-01T00:00:00+14:00"])
def test_a_foolish_expiration_is_malformed(text: str) -> None:
    assert "an Expiration that is not a date" in malformed(credentials_xml(text)).message


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (DATE, datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 10:00:00 -0000", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 11:00:00 +0100", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("Mon, 99 Jan 2026 10:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:00:00 -1400", None),
        ("Mon, 05 Jan 99999999999 10:00:00 GMT", None),
    ],
)
def test_the_date_is_read_or_left_out(date: str, expected: datetime | None) -> None:
    result = parsed(credentials_xml(), Date=date)
    assert isinstance(result, ExchangeResult)
    assert result.date == expected


@pytest.mark.parametrize(
    ("arn", "account"), [("", None), ("who", None), ("arn:aws:sts", None), (ASSUMED[3:], None)]
)
def test_an_account_is_taken_from_an_arn_only(arn: str, account: str | None) -> None:
    result = parsed(credentials_xml().replace(ASSUMED, arn))
    assert isinstance(result, ExchangeResult)
    assert result.credentials.account_id == account
    assert result.credentials.assumed_role_arn == (arn or None)


def test_a_response_without_a_user_has_no_arn() -> None:
    result = parsed(credentials_xml().replace("AssumedRoleUser", "Somebody"))
    assert isinstance(result, ExchangeResult)
    assert result.credentials.assumed_role_arn is None


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"<a>\xff</a>", "is not UTF-8 text"),
        ("<html><body>Sign in</body>", "is not well-formed XML"),
        ("<!DOCTYPE html><html></html>", "has a DOCTYPE"),
        ("<!doctype a [<!ENTITY b 'c'>]><a>&b;</a>", "has a DOCTYPE"),
        (credentials_xml()[:-30], "is not well-formed XML"),
        ('<?xml version="1.0" encoding="cp037"?><a', "is not well-formed XML"),
        ("<a>&b;</a>", "is not well-formed XML"),
        ("garbage", "is not well-formed XML"),
        ("<a>\x00</a>", "is not well-formed XML"),
        (b"<a>" + b"x" * BODY_LIMIT, "is longer than 1 MiB"),
        ("<html><body/></html>", "lacks AccessKeyId, SecretAccessKey, SessionToken, Expiration"),
        (credentials_xml(key=""), "lacks AccessKeyId."),
        (credentials_xml(key="AS\nIA"), "unprintable characters in AccessKeyId"),
    ],
)
def test_other_documents_are_malformed_responses(body: str | bytes, trouble: str) -> None:
    failure = malformed(body)
    assert trouble in failure.message
    assert URL in failure.text()


def test_a_deep_document_is_only_malformed() -> None:
    assert "lacks" in malformed("<a>" * 50_000 + "</a>" * 50_000).message


def test_a_denial_of_aws_has_its_request_id() -> None:
    failure = failed(error_xml("AccessDenied", "Not authorized to perform it"), 403)
    assert failure.code == "AccessDenied"
    assert (
        failure.message
        == "STS denied AssumeRoleWithWebIdentity (AccessDenied): Not authorized to perform it."
    )
    assert failure.words == "Not authorized to perform it"
    assert not failure.retryable
    assert failure.request_id == "3d86a7d3-0000-1111-2222-123456789abc"
    assert failure.sub == "system:serviceaccount:ns:sa"
    assert "irsa-creds explain" in failure.advice
    assert "irsa-creds explain " in failure.command


def test_a_denial_of_ceph_has_its_request_id() -> None:
    failure = failed(CEPH_ERROR, 403)
    assert failure.code == "AccessDenied"
    assert failure.message == "STS denied AssumeRoleWithWebIdentity (AccessDenied)."
    assert failure.words == ""
    assert failure.request_id == "tx00000a-0066-1234-default"


def test_an_error_with_status_200_is_an_error() -> None:
    assert failed(error_xml("AccessDenied"), 200).code == "AccessDenied"


def test_the_header_names_the_request_too() -> None:
    assert failed("", 500, **{"x-amzn-requestid": "abc-1"}).request_id == "abc-1"
    body = "<ErrorResponse><Error/><ResponseMetadata><RequestId>r-2</RequestId></ResponseMetadata>"
    assert failed(body + "</ErrorResponse>").request_id == "r-2"
    assert failed("").request_id is None


@pytest.mark.parametrize("id_", ["<b>", "x" * 101, "two words", JWT])
def test_an_invalid_request_id_is_not_shown(id_: str) -> None:
    assert failed("", 500, **{"x-amzn-requestid": id_}).request_id is None


def test_an_opaque_token_is_not_taken_for_a_request_id() -> None:
    reply = HttpResponse(400, {"x-amzn-requestid": "id-opaque-token"}, b"")
    failure = parse_response(reply, request("opaque-token"))
    assert isinstance(failure, Failure)
    assert failure.request_id is None


@pytest.mark.parametrize(
    ("body", "status", "code", "retryable", "attempts"),
    [
        ("", 500, "HTTP500", True, 0),
        ("<html>", 503, "HTTP503", True, 0),
        ("", 401, "HTTP401", False, 0),
        ("<!DOCTYPE html>", 403, "HTTP403", False, 0),
        ("", 404, "HTTP404", True, 3),
        ("", 204, "HTTP204", True, 3),
        (credentials_xml(), 400, "HTTP400", True, 3),
        ("<ErrorResponse/>", 400, "HTTP400", True, 3),
        ("<Error/>", 400, "HTTP400", True, 3),
        (error_xml("<b/>"), 400, "HTTP400", True, 3),
        (error_xml("SomethingNew"), 400, "SomethingNew", True, 3),
        (error_xml("SomethingNew"), 403, "SomethingNew", False, 0),
        (error_xml("x" * 65), 400, "HTTP400", True, 3),
    ],
)
def test_a_status_stands_in_for_a_code(
    body: str, *, status: int, code: str, retryable: bool, attempts: int
) -> None:
    failure = failed(body, status)
    assert (failure.code, failure.retryable, failure.attempts) == (code, retryable, attempts)


def test_another_successful_status_is_not_called_a_redirect() -> None:
    failure = failed("", 202)
    assert failure.code == "HTTP202"
    assert "redirect" not in failure.message


def test_a_redirect_is_reported() -> None:
    failure = failed("", 302, Location="https://login.example")
    assert failure.code == "HTTP302"
    assert "irsa-creds does not follow redirects" in failure.message
    assert failure.words == ""
    assert failure.attempts == 3


def test_throttling_is_recognized() -> None:
    assert failed(error_xml("Throttling", "Rate exceeded")).throttled
    assert failed("", 429).throttled
    assert not failed("", 500).throttled


def test_a_bad_token_is_recognized() -> None:
    failure = failed(error_xml("ExpiredTokenException", "Token expired"), Date=DATE)
    assert failure.bad_token
    assert not failure.retryable
    assert "STS's clock is" in failure.advice
    torn = failed(error_xml("InvalidIdentityToken", "not valid"))
    assert (torn.bad_token, torn.retryable, torn.attempts) == (True, True, 3)
    assert Token(JWT).shape() in torn.advice


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0),
        (" 7.5 ", 7.5),
        ("0", 0.0),
        ("999999999", 3_600.0),
        ("-5", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("9" * 400, None),
        ("Mon, 05 Jan 2026 10:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 09:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_and_bounded(header: str, expected: float | None) -> None:
    assert failed("", 503, Retry_After=header, Date=DATE).retry_after == expected


def test_a_date_in_retry_after_counts_from_now_without_a_date_header() -> None:
    soon = f"{datetime.now(UTC) + timedelta(seconds=60):%a, %d %b %Y %H:%M:%S GMT}"
    wait = failed("", 503, Retry_After=soon).retry_after
    assert wait is not None
    assert 30 < wait <= 60


def test_a_missing_retry_after_is_none() -> None:
    assert failed("", 503).retry_after is None


@pytest.mark.parametrize("token", [JWT, "an opaque token+/="])
def test_a_token_that_a_server_echoes_is_masked(token: str) -> None:
    plain = token.replace(" ", "+").replace("+/=", "%2B%2F%3D")
    body = error_xml("InvalidIdentityToken", f"I got {token} as {plain}")
    failure = parse_response(
        HttpResponse(400, {"x-amzn-requestid": token}, body.encode()), request(token)
    )
    assert isinstance(failure, Failure)
    assert token not in repr(failure)
    assert plain not in repr(failure)
    assert "I got *** as ***." in failure.message
    assert failure.words == "I got *** as ***"


# Not a known format; a short segment reveals nothing, and may be an ordinary word.
SEGMENTED = "canary+first.canary/second.the.canary-third"


@pytest.mark.parametrize(
    "piece", ["canary+first", "canary%2Ffirst", "canary/second", "canary%2Fsecond", "canary-third"]
)
def test_a_segment_of_the_token_is_masked_too(piece: str) -> None:
    token = SEGMENTED.replace("+", "/") if "%2Ffirst" in piece else SEGMENTED
    body = error_xml("InvalidIdentityToken", f"the section {piece} is bad")
    failure = parse_response(HttpResponse(400, {}, body.encode()), request(token))
    assert isinstance(failure, Failure)
    assert failure.words == "the section *** is bad"
    assert "canary" not in repr(failure)


def test_an_arn_that_echoes_the_token_is_not_taken() -> None:
    echo = f"arn:aws:sts::123456789012:assumed-role/{JWT[10:40]}/pod"
    result = parsed(credentials_xml().replace(ASSUMED, echo))
    assert isinstance(result, ExchangeResult)
    assert (result.credentials.assumed_role_arn, result.credentials.account_id) == (None, None)


@pytest.mark.parametrize("id_", ["canary-third", "anary-thir", "third", "x-canary-third-x"])
def test_an_id_made_of_a_piece_of_the_token_is_not_shown(id_: str) -> None:
    failure = parse_response(HttpResponse(400, {"x-amzn-requestid": id_}, b""), request(SEGMENTED))
    assert isinstance(failure, Failure)
    assert failure.request_id is None


def test_an_id_from_the_middle_of_a_jwt_is_not_shown() -> None:
    assert failed("", 500, **{"x-amzn-requestid": JWT.split(".")[1]}).request_id is None
    assert failed("", 500, **{"x-amzn-requestid": JWT[25:50]}).request_id is None


def test_a_code_or_message_that_is_a_piece_of_the_token_is_masked() -> None:
    body = error_xml("anarySecre", "ecretCanar")
    failure = parse_response(HttpResponse(400, {}, body.encode()), request("canarySecretCanary"))
    assert isinstance(failure, Failure)
    assert failure.message == "STS rejected AssumeRoleWithWebIdentity (***): ***."


def test_a_code_that_is_the_token_is_masked() -> None:
    failure = parse_response(HttpResponse(400, {}, error_xml("opaque").encode()), request("opaque"))
    assert isinstance(failure, Failure)
    assert "opaque" not in failure.text()


def test_a_message_is_bounded_and_on_one_line() -> None:
    assert len(failed(error_xml("AccessDenied", "no \n" * 100_000)).message) < 700


@pytest.mark.parametrize(
    ("code", "headline"),
    [
        ("ProxyConnectionError", "Cannot connect to the proxy"),
        ("SSLError", "The TLS connection to STS failed"),
        ("EndpointConnectionError", "Cannot connect to STS"),
        ("ReadTimeoutError", "STS did not respond in time"),
        ("SomethingNew", "The call to STS failed"),
    ],
)
def test_a_network_failure_says_which_connection_failed(code: str, headline: str) -> None:
    failure = network_failure(HttpFailure(code, "no route to host"), request())
    assert failure.message == f"{headline} ({code}): no route to host."


def test_a_network_failure_has_a_masked_cause() -> None:
    failure = network_failure(HttpFailure("SSLError", f"certificate of {JWT}"), request())
    assert failure.code == "SSLError"
    assert failure.unreachable
    assert failure.retryable
    assert failure.message == "The TLS connection to STS failed (SSLError): certificate of ***."
    assert "AWS_CA_BUNDLE" in failure.advice
    assert f"  STS:     {URL}\n" in failure.text()


def test_a_password_in_the_endpoint_is_not_shown() -> None:
    assert bare_url("https://user:pass@host/path") == "https://host/path"
    assert bare_url("https://user:pa/ss@w@host/path") == "https://host/path"
    assert bare_url("https://host/path") == "https://host/path"
    outcomes: list[Any] = [
        network_failure(
            HttpFailure("SSLError", "x"), request(endpoint="https://user:hunter2@host")
        ),
        parse_response(HttpResponse(200, {}, b""), request(endpoint="https://user:hunter2@host")),
        parse_response(HttpResponse(403, {}, b""), request(endpoint="https://user:hunter2@host")),
    ]
    assert "hunter2" not in repr(outcomes)


def test_a_zonal_vpc_endpoint_is_shown_whole() -> None:
    url = "https://vpce-0fd61d3c4a9d1f21e-w0zijrwy-us-east-1a.sts.us-east-1.vpce.amazonaws.com"
    assert (
        url
        in network_failure(
            HttpFailure("ConnectTimeoutError", "timed out"), request(endpoint=url)
        ).text()
    )
