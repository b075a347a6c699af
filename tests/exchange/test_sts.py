"""AssumeRoleWithWebIdentity: the request, the outcome, and secrets that must not be visible."""

from __future__ import annotations

import gc
import logging
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import parse_qsl

import botocore
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse

from irsa_creds._errors import Failure
from irsa_creds._exchange.http import send_request
from irsa_creds._exchange.sts import ExchangeResult, StsClient
from irsa_creds._identity.config import Config
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._identity.token import Token
from irsa_creds._version import __version__
from secrecy.leak_detector import locals_of_library
from sts_server import (
    DATE,
    JWT,
    ROLE,
    SECRET_KEY,
    SESSION_TOKEN,
    Call,
    StsServer,
    credentials_xml,
    disconnect,
    error_xml,
    hang,
    http,
    jwt,
    make_certificate,
    reset,
    send,
    send_error,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = Token(JWT)
CANARIES = (JWT, JWT.split(".")[1], SECRET_KEY, SESSION_TOKEN, SESSION_TOKEN[:60])


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def config(url: str | None, **values: Any) -> Config:
    return Config(role_arn=ROLE, session_name="pod", endpoint_url=url, **values)


@pytest.fixture
def make() -> Callable[..., StsClient]:
    return lambda url, **values: StsClient(config(url, **values))


def given(exchange: StsClient, seconds: float = 20) -> ExchangeResult:
    outcome = exchange.attempt(TOKEN, seconds)
    assert isinstance(outcome, ExchangeResult), outcome
    return outcome


def refused(exchange: StsClient, seconds: float = 20) -> Failure:
    outcome = exchange.attempt(TOKEN, seconds)
    assert isinstance(outcome, Failure), outcome
    return outcome


def test_a_token_is_exchanged_for_credentials(make: Callable[..., StsClient]) -> None:
    with StsServer([success()]) as server:
        exchange = make(server.url)
        outcome = given(exchange)
        assert outcome.credentials.access_key_id == "ASIAEXAMPLE"
        assert outcome.date is not None
        assert outcome.date.hour == 10
        assert exchange.calls == 1
        assert exchange.url == server.url
        seen = server.seen[0]
        assert seen.headers["user-agent"] == (
            f"irsa-creds/{__version__} Botocore/{botocore.__version__}"
        )
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"


def body_of_botocore(**arguments: Any) -> dict[str, str]:
    """Return the form that botocore's own client sends."""
    client = botocore.session.Session().create_client(
        "sts",
        region_name="eu-west-1",
        config=botocore.config.Config(signature_version=botocore.UNSIGNED),
    )
    bodies: list[str] = []

    def reply(request: Any, **_: object) -> AWSResponse:
        bodies.append(request.body if isinstance(request.body, str) else request.body.decode())
        raw = Mock(stream=lambda: iter([credentials_xml().encode()]))
        return AWSResponse(request.url, 200, {}, raw)

    client.meta.events.register("before-send.sts.AssumeRoleWithWebIdentity", reply)
    client.assume_role_with_web_identity(**arguments)
    return dict(parse_qsl(bodies[0], keep_blank_values=True, strict_parsing=True))


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({}, {}),
        ({"duration_seconds": 900}, {"DurationSeconds": 900}),
        (
            {
                "policy": '{"a": "ü &=+%"}',
                "policy_arns": ("arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/B"),
            },
            {
                "Policy": '{"a": "ü &=+%"}',
                "PolicyArns": [
                    {"arn": "arn:aws:iam::aws:policy/A"},
                    {"arn": "arn:aws:iam::aws:policy/B"},
                ],
            },
        ),
    ],
)
def test_the_form_is_the_one_that_botocore_sends(
    values: dict[str, Any], arguments: dict[str, Any], make: Callable[..., StsClient]
) -> None:
    with StsServer([success()]) as server:
        given(make(server.url, **values))
        assert server.seen[0].form == body_of_botocore(
            RoleArn=ROLE, RoleSessionName="pod", WebIdentityToken=JWT, **arguments
        )


def test_a_denial_is_a_failure(make: Callable[..., StsClient]) -> None:
    with StsServer([send_error("AccessDenied", "No", "403 Forbidden")]) as server:
        failure = refused(make(server.url))
        assert failure.code == "AccessDenied"
        assert failure.status == 403
        assert (failure.endpoint, failure.role_arn) == (server.url, ROLE)
        assert JWT not in repr(failure)


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("/var/run/secrets/token", "/var/run/secrets/token"),
        ("C:/a b/token", "'C:/a b/token'"),
        (None, "FILE"),
        # What may be a token in place of its path, or does not print.
        ("opaque-token", "FILE"),
        ("/run/" + "x" * 300, "FILE"),
        ("/run/to\nken", "FILE"),
    ],
)
def test_the_command_that_explains_names_the_tokens_file(
    make: Callable[..., StsClient], file: str | None, shown: str
) -> None:
    with StsServer([send_error("AccessDenied", "No", "403 Forbidden")]) as server:
        failure = make(server.url, token_file=file).attempt(Token(jwt({"sub": "pod"})), 20)
    assert isinstance(failure, Failure)
    command = failure.command
    assert command.endswith(f"irsa-creds explain --policy role.json --token {shown}")


def test_a_missing_response_is_a_failure(make: Callable[..., StsClient]) -> None:
    failure = refused(make("http://sts.unknown.invalid"))
    assert failure.unreachable
    assert failure.code == "EndpointConnectionError"
    assert "http://sts.unknown.invalid" in failure.text()


def test_the_attempt_ends_in_time(
    make: Callable[..., StsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    with StsServer([hang]) as server:
        start = time.monotonic()
        assert refused(make(server.url), seconds=0.2).code == "ReadTimeoutError"
        monkeypatch.setattr("irsa_creds._exchange.sts._READ_SECONDS", 0.1)
        assert refused(make(server.url)).code == "ReadTimeoutError"
        # Otherwise the first would take 10 s and the second 20 s.
        assert time.monotonic() - start < 8


def test_an_attempt_without_time_is_a_failure(make: Callable[..., StsClient]) -> None:
    with StsServer([hang]) as server:
        assert refused(make(server.url), seconds=-1).unreachable


def test_each_attempt_sends_its_own_token(make: Callable[..., StsClient]) -> None:
    with StsServer([success()]) as server:
        exchange = make(server.url)
        exchange.attempt(Token("one"), 20)
        exchange.attempt(Token("two"), 20)
        assert [seen.form["WebIdentityToken"] for seen in server.seen] == ["one", "two"]
        assert server.connections == exchange.calls == 2


def test_a_child_counts_its_own_calls_only(make: Callable[..., StsClient]) -> None:
    with StsServer([success()]) as server:
        exchange = make(server.url)
        given(exchange)
        exchange.reset_after_fork()
        given(exchange)
        assert exchange.calls == 1


TOO_LONG = send_error("ValidationError", "The requested DurationSeconds exceeds the maximum.")


def test_an_optional_duration_is_omitted_once_rejected(
    make: Callable[..., StsClient],
) -> None:
    with StsServer([TOO_LONG, success()]) as server:
        exchange = make(server.url, duration_seconds=43_200, duration_optional=True)
        first, second = given(exchange), given(exchange)
        durations = [seen.form.get("DurationSeconds") for seen in server.seen]
        assert durations == ["43200", None, None]
        assert exchange.calls == 3
        assert f"duration_seconds = 43200 of the profile; requests for {ROLE} omit it" in first.note
        assert second.note == ""
        assert (first.duration, second.duration) == (None, None)


def test_a_duration_that_is_not_to_blame_is_kept(make: Callable[..., StsClient]) -> None:
    with StsServer([TOO_LONG, TOO_LONG, success()]) as server:
        exchange = make(server.url, duration_seconds=43_200, duration_optional=True)
        assert refused(exchange).code == "ValidationError"
        found = given(exchange)
        assert server.seen[-1].form["DurationSeconds"] == "43200"
        assert (found.duration, found.note) == (43_200, "")


def test_a_required_duration_is_not_omitted(make: Callable[..., StsClient]) -> None:
    with StsServer([TOO_LONG, success()]) as server:
        assert refused(make(server.url, duration_seconds=43_200)).code == "ValidationError"
        assert len(server.seen) == 1


def test_cephs_word_for_it_counts_too(make: Callable[..., StsClient]) -> None:
    with StsServer([send_error("InvalidArgument"), success()]) as server:
        given(make(server.url, duration_seconds=43_200, duration_optional=True))


def test_another_denial_keeps_an_optional_duration(make: Callable[..., StsClient]) -> None:
    with StsServer([send_error("AccessDenied"), success()]) as server:
        refused(make(server.url, duration_seconds=43_200, duration_optional=True))
        assert len(server.seen) == 1


def test_both_posts_share_the_time(
    make: Callable[..., StsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def limited(*given: Any, seconds: float, **more: Any) -> Any:
        limits.append(seconds)
        return send_request(*given, seconds=seconds, **more)

    def late(call: Call) -> None:
        time.sleep(0.2)
        TOO_LONG(call)

    monkeypatch.setattr("irsa_creds._exchange.sts.send_request", limited)
    with StsServer([late, success()]) as server:
        given(make(server.url, duration_seconds=43_200, duration_optional=True))
    first, second = limits
    assert second <= first - 0.2


def test_an_endpoint_that_does_not_exist_is_a_failure(
    make: Callable[..., StsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every partition of today has an endpoint, so this needs other rules.
    monkeypatch.setattr("irsa_creds._exchange.endpoint.RULE_SET", "missing")
    failure = refused(make(None, region="not a region"))
    assert failure.code == "EndpointUnresolved"
    assert not failure.retryable
    assert "not a region" in failure.message
    assert (failure.role_arn, failure.endpoint) == (ROLE, None)
    assert failure.iss == "https://issuer.example"


def test_the_endpoint_follows_the_region_and_is_resolved_once(
    make: Callable[..., StsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = make(None, region="eu-west-1")
    assert exchange.url == "https://sts.eu-west-1.amazonaws.com"
    monkeypatch.setattr("irsa_creds._exchange.sts.endpoint_url", None)
    assert exchange.url == "https://sts.eu-west-1.amazonaws.com"


def test_two_threads_may_exchange_at_once(make: Callable[..., StsClient]) -> None:
    with StsServer([success()]) as server:
        exchange = make(server.url)
        outcomes: list[ExchangeResult | Failure] = []
        threads = [
            threading.Thread(target=lambda: outcomes.append(exchange.attempt(TOKEN, 5)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(isinstance(outcome, ExchangeResult) for outcome in outcomes)


def echo(call: Call) -> None:
    """Answer with all that must not be shown, in every place."""
    body = error_xml("InvalidIdentityToken", f"{JWT} {SESSION_TOKEN} {SECRET_KEY}")
    call.send(http(body, f"400 {JWT[:20]}", X_Amzn_RequestId=JWT, Location=f"http://x/{JWT}"))


def torn_headers(call: Call) -> None:
    call.send(b"HTTP/1.1 200 OK\r\nDate: x\r\n")
    disconnect(call)


FAULTS: dict[str, Callable[[Call], None]] = {
    "success": success(),
    "refused": send_error("AccessDenied", status="403 Forbidden"),
    "echo": echo,
    "redirect": send(http("", "302 Found", Location=f"http://localhost:1/{JWT}")),
    "html": send(http("<!DOCTYPE html><p>Sign in</p>")),
    "cut": send(http(credentials_xml()[:-60])),
    "oversize": send(http("x" * 2_000_000)),
    "hang": hang,
    "hang up": disconnect,
    "reset": reset,
    "garbage": send(b"garbage\r\n\r\n"),
    "bad chunk": send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "torn headers": torn_headers,
    "bad length": send(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx"),
    "stall": send(http("some", length=1_000)),
    "http/9": send(b"HTTP/9.9 999 ???\r\n\r\n"),
}


def assert_silent(text: str, outcome: ExchangeResult | Failure) -> None:
    for canary in CANARIES:
        assert canary not in text
        assert canary not in repr(outcome)
    if isinstance(outcome, Failure):
        error = outcome.error()
        assert (error.__cause__, error.__context__) == (None, None)
        assert not any(c in "".join(traceback.format_exception(error)) for c in CANARIES)


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return all that any logger says at DEBUG, tracebacks included."""
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(logging.Formatter("%(message)s %(args)r"))
    return lambda: caplog.text + "".join(repr(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_log_and_no_failure_shows_a_secret(
    fault: str, make: Callable[..., StsClient], everything: Callable[[], str]
) -> None:
    with StsServer([FAULTS[fault]]) as server:
        outcome = make(server.url).attempt(TOKEN, 0.5)
    assert isinstance(outcome, ExchangeResult) == (fault == "success")
    assert_silent(everything(), outcome)


@pytest.mark.parametrize(
    "where",
    ["http://sts.unknown.invalid", "http://localhost:1", "https://localhost:1", "http://[bad"],
)
def test_no_connection_shows_no_secret(
    where: str, make: Callable[..., StsClient], everything: Callable[[], str]
) -> None:
    outcome = make(where).attempt(TOKEN, 0.5)
    assert isinstance(outcome, Failure)
    assert_silent(everything(), outcome)


def test_a_tls_failure_shows_no_secret(
    make: Callable[..., StsClient], everything: Callable[[], str], tmp_path: Path
) -> None:
    with StsServer([success()], certificate=make_certificate(tmp_path)) as server:
        outcome = make(server.url).attempt(TOKEN, 5)
        missing = make(server.url, http=HttpSettings(verify=str(tmp_path / "no.pem"))).attempt(
            TOKEN, 5
        )
    for failure in (outcome, missing):
        assert isinstance(failure, Failure)
        assert_silent(everything(), failure)


def test_a_proxy_that_denies_shows_no_secret(
    make: Callable[..., StsClient], everything: Callable[[], str]
) -> None:
    proxies = (("http", "http://user:hunter2@localhost:1"), ("https", "localhost:1"))
    for url in ("http://sts.example", "https://sts.example"):
        outcome = make(url, http=HttpSettings(proxies=proxies)).attempt(TOKEN, 0.5)
        assert isinstance(outcome, Failure)
        assert outcome.code == "ProxyConnectionError"
        assert "hunter2" not in repr(outcome)
        assert_silent(everything(), outcome)


def test_an_unknown_error_of_the_session_shows_no_secret(
    make: Callable[..., StsClient], everything: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool.urlopen", fail)
    with StsServer([success()]) as server:
        failure = refused(make(server.url))
    assert failure.code == "HTTPClientError"
    assert "out of luck" in failure.message
    # botocore logs the traceback of this one, and the exception's own words may hold anything.
    assert "Exception received" not in everything()
    assert_silent(everything(), failure)


@pytest.mark.parametrize(
    "where", ["http.client.HTTPConnection.getresponse", "irsa_creds._exchange.sts.parse_response"]
)
def test_an_interrupt_shows_no_local_variable_with_a_secret(
    where: str, make: Callable[..., StsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        try:
            raise TimeoutError(JWT)
        finally:
            raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    with StsServer([success()]) as server:
        exchange = make(server.url)
        with pytest.raises(KeyboardInterrupt) as caught:
            exchange.attempt(TOKEN, 5)
    seen = list(locals_of_library(caught.value))
    assert any(server.url in text for text in seen)
    assert not [text for text in seen if any(canary in text for canary in CANARIES)]
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_no_exception_outlives_an_attempt(make: Callable[..., StsClient]) -> None:
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    def living() -> set[int]:
        gc.collect()
        return {id(o) for o in gc.get_objects() if isinstance(o, BotoCoreError | HTTPError)}

    before = living()
    with StsServer([reset]) as server:
        refused(make(server.url))
    assert living() <= before


def test_a_response_has_the_date_of_the_server(make: Callable[..., StsClient]) -> None:
    bare = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(credentials_xml())
    with StsServer([success(), send(bare + credentials_xml().encode())]) as server:
        exchange = make(server.url)
        first, second = given(exchange), given(exchange)
    assert first.date is not None
    assert f"{first.date:%a, %d %b %Y %H:%M:%S GMT}" == DATE
    assert second.date is None


def test_a_slow_endpoint_lookup_delays_no_other_identity(
    make: Callable[..., StsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a child would be that was forked in the middle of it, where the lock is never let go.
    looking, found = threading.Event(), threading.Event()

    def slow(config: Config) -> str:
        looking.set()
        assert found.wait(20)
        return "http://sts.example"

    monkeypatch.setattr("irsa_creds._exchange.sts.endpoint_url", slow)
    first = threading.Thread(target=lambda: make("http://one.example").url)
    first.start()
    assert looking.wait(20)
    monkeypatch.setattr("irsa_creds._exchange.sts.endpoint_url", lambda _: "http://sts.example")
    urls: list[str] = []
    second = threading.Thread(target=lambda: urls.append(make("http://two.example").url))
    second.start()
    second.join(10)
    meanwhile = list(urls)
    found.set()
    first.join(10)
    second.join(10)
    assert meanwhile == ["http://sts.example"]
