from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from engine_fakes import ROLE, snapshot
from irsa_creds._exchange.assume_role import SignedStsClient
from irsa_creds._exchange.chained_fetcher import SigningCredentials
from irsa_creds._exchange.endpoint import endpoint_url
from irsa_creds._exchange.http import HttpRequest, HttpResponse, send_request
from irsa_creds._exchange.muting import muted
from irsa_creds._exchange.sts import ExchangeResult, StsClient
from irsa_creds._identity.config import Config
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._identity.roles import ChainedRole
from irsa_creds._identity.token import Token
from sts_server import (
    JWT,
    StsServer,
    credentials_xml,
    http,
    make_certificate,
    send,
    send_error,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from irsa_creds import Provider

ECHO = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nthe-canary without a colon\r\n\r\n"


class Recorder(logging.Handler):
    """Writes down the logger and the thread of every record of the process."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: list[tuple[str, int | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append((record.name, record.thread))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    root, handler = logging.getLogger(), Recorder()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    yield handler
    logging.captureWarnings(capture=False)
    root.removeHandler(handler)
    root.setLevel(before)


def exchange(url: str | None, **values: Any) -> StsClient:
    return StsClient(Config(role_arn=ROLE, session_name="pod", endpoint_url=url, **values))


def chained(url: str) -> SignedStsClient:
    chain = (ChainedRole("arn:aws:iam::123456789012:role/second", "pod"),)
    return SignedStsClient(
        Config(role_arn=ROLE, session_name="pod", endpoint_url=url, chained_roles=chain)
    )


# urllib3 warns of each connection that verifies nothing.
@pytest.mark.filterwarnings("always")
def test_no_logger_writes_during_an_sts_call(recorder: Recorder, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    proxy = HttpSettings(proxies=(("https", "http://localhost:1"),))
    with (
        StsServer([success(), send_error("AccessDenied"), send(ECHO), send(http("x"))]) as server,
        StsServer([success()], certificate=certificate) as tls,
    ):
        for _ in range(4):
            exchange(server.url).attempt(Token(JWT), 5)
        chained(server.url).attempt(SigningCredentials(snapshot().credentials), 5)
        exchange(tls.url).attempt(Token(JWT), 5)
        for verify in (str(certificate[0]), False):
            given = exchange(tls.url, http=HttpSettings(verify=verify)).attempt(Token(JWT), 5)
            assert isinstance(given, ExchangeResult), given
        assert len(tls.seen) == 2
        assert "AWS4-HMAC-SHA256" in server.seen[-1].headers["authorization"]
    exchange(None, region="eu-west-1", http=proxy).attempt(Token(JWT), 5)
    assert recorder.seen == []


def test_neither_does_one_while_a_client_of_botocores_finds_the_endpoint(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._exchange.endpoint.RULE_SET", "missing")
    proxy = HttpSettings(proxies=(("https", "http://localhost:1"),))
    asked = exchange(None, region="eu-west-1", http=proxy)
    asked.attempt(Token(JWT), 5)
    assert asked.url == "https://sts.eu-west-1.amazonaws.com"
    assert recorder.seen == []


def test_the_muted_loggers_write_without_muting(recorder: Recorder) -> None:
    endpoint_url(Config(role_arn=ROLE, session_name="pod", region="eu-west-1"))
    assert {name for name, _ in recorder.seen} == {"botocore.loaders"}


def test_an_attempt_does_not_wait_for_a_log_handler(recorder: Recorder) -> None:
    with StsServer([success()]) as server:
        outcomes: list[object] = []
        attempt = threading.Thread(
            target=lambda: outcomes.append(exchange(server.url).attempt(Token(JWT), 5))
        )
        # A handler that reads credentials in `emit` holds its own lock.
        with recorder.lock or pytest.fail("a handler without a lock"):
            attempt.start()
            attempt.join(10)
            assert [type(each) for each in outcomes] == [ExchangeResult]


class ReadingHandler(logging.Handler):
    """Reads credentials for every record, with the usual guard against its own records."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(logging.DEBUG)
        self.outcomes: list[object] = []
        self._provider = provider
        self._reads = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        del record
        if getattr(self._reads, "now", False):
            return
        self._reads.now = True
        try:
            self.outcomes.append(self._provider.get(timeout=5))
        except irsa_creds.IrsaError as error:
            self.outcomes.append(error)
        finally:
            self._reads.now = False


def test_a_log_handler_at_debug_may_read_credentials_while_it_holds_its_lock(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text(JWT)
    expiration = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    response = http(
        credentials_xml(expiration), Date=f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}"
    )
    root = logging.getLogger()
    before = root.level
    with StsServer([send(response)]) as server:
        handler = ReadingHandler(
            irsa_creds.provider(role_arn=ROLE, token_file=token, endpoint_url=server.url)
        )
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            logging.getLogger("application").debug("a line")
        finally:
            root.removeHandler(handler)
            root.setLevel(before)
    assert [type(each) for each in handler.outcomes] == [irsa_creds.Credentials]


def test_a_broken_header_that_echoes_the_request_is_not_quoted_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), StsServer([send(ECHO)]) as server:
        request = HttpRequest(server.url, {}, b"the-canary")
        reply = send_request(HttpSettings(), request, seconds=5, connect=2, read=2)

    assert isinstance(reply, HttpResponse)
    assert reply.status == 403
    assert "canary" not in caplog.text


def test_other_threads_and_later_requests_are_not_muted(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("urllib3.connection")
    with caplog.at_level(logging.DEBUG):
        with muted():
            log.debug("muted")
            other = threading.Thread(target=log.debug, args=("of another thread",))
            other.start()
            other.join(10)
        log.debug("afterwards")

    assert caplog.messages == ["of another thread", "afterwards"]


def test_a_call_inside_another_leaves_the_outer_one_muted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = logging.getLogger("urllib3.connection")
    with caplog.at_level(logging.DEBUG):
        with muted():
            with muted():
                pass
            log.warning("the canary")
        log.warning("afterwards")

    assert caplog.messages == ["afterwards"]
