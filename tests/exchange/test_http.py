"""One POST against servers of every kind of ill will, on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from botocore.httpsession import URLLib3Session

from irsa_creds._exchange.http import (
    BODY_LIMIT,
    HttpFailure,
    HttpRequest,
    HttpResponse,
    _reason,
    proxy_defect,
    send_request,
)
from irsa_creds._identity.endpoint_settings import HttpSettings
from sts_server import Call, StsServer, disconnect, hang, http, make_certificate, reset, send

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENOUGH = {"seconds": 30.0, "connect": 20.0, "read": 20.0}
# Seconds: a limit of less than one second ended it, even on a slow machine, and no other limit.
SOON = 10.0
OK = send(http("fine"))


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


DIRECT = HttpSettings()


def request(url: str, body: bytes = b"a=1") -> HttpRequest:
    return HttpRequest(url, {"User-Agent": "test", "Content-Type": "text/plain"}, body)


def sent(url: str, settings: HttpSettings = DIRECT, **limits: float) -> HttpResponse | HttpFailure:
    return send_request(settings, request(url), **{**ENOUGH, **limits})


def got(url: str, settings: HttpSettings = DIRECT, **limits: float) -> bytes:
    outcome = sent(url, settings, **limits)
    assert isinstance(outcome, HttpResponse), outcome
    return outcome.body


def broke(url: str, settings: HttpSettings = DIRECT, **limits: float) -> HttpFailure:
    outcome = sent(url, settings, **limits)
    assert isinstance(outcome, HttpFailure), outcome
    return outcome


def took(url: str, settings: HttpSettings = DIRECT, **limits: float) -> tuple[HttpFailure, float]:
    start = time.monotonic()
    outcome = broke(url, settings, **limits)
    return outcome, time.monotonic() - start


def test_a_post_arrives_unchanged() -> None:
    with StsServer([OK]) as server:
        outcome = send_request(DIRECT, request(server.url + "/path?q=1", b"a=1&b=2"), **ENOUGH)
        assert isinstance(outcome, HttpResponse)
        assert (outcome.status, outcome.body) == (200, b"fine")
        assert outcome.headers.get("date")
        seen = server.seen[0]
        assert seen.line == "POST /path?q=1 HTTP/1.1"
        assert seen.body == "a=1&b=2"
        assert seen.headers["user-agent"] == "test"
        assert seen.headers["accept-encoding"] == "identity"


def test_without_botocores_private_name_a_post_arrives_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Renamed(URLLib3Session):  # type: ignore[misc]
        def __init__(self, **given: object) -> None:
            super().__init__(**given)
            del self._pool_classes_by_scheme

    monkeypatch.setattr("irsa_creds._exchange.http.URLLib3Session", Renamed)
    with StsServer([OK]) as server:
        assert got(server.url) == b"fine"


def test_a_path_that_is_missing_becomes_a_slash() -> None:
    with StsServer([OK]) as server:
        got(server.url)
        assert server.seen[0].line.startswith("POST / ")


def test_each_post_closes_a_connection_of_its_own() -> None:
    ended = threading.Semaphore(0)

    def say(call: Call) -> None:
        OK(call)
        # Nothing more comes than the end of the connection.
        assert call.sock.recv(1) == b""
        ended.release()

    with StsServer([say]) as server:
        for number in (1, 2):
            assert got(server.url) == b"fine"
            assert ended.acquire(timeout=10)
            assert server.connections == number


@pytest.mark.parametrize("farewell", [disconnect, reset, send(b"garbage\r\n\r\n")])
def test_a_connection_that_is_closed_is_a_failure_and_nothing_is_sent_again(
    farewell: Callable[[Call], None],
) -> None:
    with StsServer([farewell, OK]) as server:
        assert broke(server.url).code == "ConnectionClosedError"
        assert len(server.seen) == 1


def test_a_refused_connection_is_reported() -> None:
    with StsServer([OK]) as server:
        pass
    outcome = broke(server.url)
    assert outcome.code == "EndpointConnectionError"
    assert outcome.reason == "connection refused"


def test_an_unknown_host_is_reported() -> None:
    outcome = broke("http://sts.unknown.invalid")
    assert outcome.code == "EndpointConnectionError"
    assert outcome.reason.startswith("host not found (")


def test_a_black_hole_ends_with_the_read_timeout() -> None:
    with StsServer([hang]) as server:
        outcome, seconds = took(server.url, read=0.2)
        assert outcome.code == "ReadTimeoutError"
        assert "timed out" in outcome.reason
        assert 0.15 < seconds < SOON


def test_a_black_hole_ends_with_the_attempt() -> None:
    with StsServer([hang]) as server:
        _, seconds = took(server.url, seconds=0.2)
        assert 0.15 < seconds < SOON


def test_an_unresponsive_host_ends_with_the_connect_timeout() -> None:
    # A listener with a full queue drops further connections.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            outcome, seconds = took(f"http://127.0.0.1:{port}", connect=0.2)
        finally:
            for filler in fillers:
                filler.close()
    assert outcome.code == "ConnectTimeoutError"
    assert seconds < SOON


def test_a_slow_drip_ends_with_the_attempt() -> None:
    def drip(call: Call) -> None:
        call.send(http("", length=1_000))
        call.drip(b"x" * 1_000, 0.02)

    with StsServer([drip]) as server:
        outcome, seconds = took(server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert 0.25 < seconds < SOON


def test_a_slow_drip_that_closes_its_connection_ends_with_the_attempt() -> None:
    def drip(call: Call) -> None:
        call.send(http("", length=1_000, Connection="close"))
        call.drip(b"x" * 1_000, 0.02)

    with StsServer([drip]) as server:
        outcome, seconds = took(server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert 0.25 < seconds < SOON


def test_a_drip_that_stalls_ends_with_the_attempt() -> None:
    def stall(call: Call) -> None:
        call.send(http("some", length=1_000))
        hang(call)

    with StsServer([stall]) as server:
        outcome, seconds = took(server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert seconds < SOON


def test_a_stall_that_closes_its_connection_ends_with_the_attempt() -> None:
    def stall(call: Call) -> None:
        call.send(http("some", length=1_000, Connection="close"))
        hang(call)

    with StsServer([stall]) as server:
        _, seconds = took(server.url, seconds=0.3)
        assert seconds < SOON


def drip_headers(call: Call) -> None:
    call.drip(http("fine"), 0.02)


def drip_one_header(call: Call) -> None:
    call.send(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    call.drip(b"x" * 1_000, 0.02)


def continue_for_ever(call: Call) -> None:
    # Not faster: newer Pythons end it themselves after a hundred of them.
    while not call.stopping.wait(0.02):
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")


ENDLESS = [drip_headers, drip_one_header, continue_for_ever]


@pytest.mark.parametrize("act", ENDLESS)
def test_headers_without_an_end_end_with_the_attempt(act: Callable[[Call], None]) -> None:
    with StsServer([act]) as server:
        outcome, seconds = took(server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert 0.25 < seconds < SOON


@pytest.mark.parametrize("act", ENDLESS)
def test_so_do_headers_in_tls(act: Callable[[Call], None], tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with StsServer([act], certificate=certificate) as server:
        outcome, seconds = took(server.url, HttpSettings(verify=str(certificate[0])), seconds=1)
        assert outcome.code == "ReadTimeoutError"
        assert seconds < SOON


@pytest.mark.parametrize("act", [drip_headers, drip_one_header])
def test_so_do_the_headers_of_a_proxys_tunnel(act: Callable[[Call], None]) -> None:
    with StsServer([act]) as server:
        settings = HttpSettings(proxies=(("https", server.url),))
        _, seconds = took("https://sts.example", settings, seconds=1)
        assert server.seen[0].line.startswith("CONNECT sts.example:443 ")
        assert seconds < SOON


def test_a_request_uses_a_proxys_tunnel(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with StsServer([OK], certificate=certificate) as server:

        def tunnel(call: Call) -> None:
            call.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with socket.create_connection(("127.0.0.1", server.port)) as onward:
                back = threading.Thread(target=_copy, args=(onward, call.sock))
                back.start()
                _copy(call.sock, onward)
                back.join(10)

        with StsServer([tunnel]) as proxy:
            settings = HttpSettings(verify=str(certificate[0]), proxies=(("https", proxy.url),))
            assert got(server.url, settings) == b"fine"


def _copy(source: socket.socket, sink: socket.socket) -> None:
    # Whichever direction ends first ends the other.
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)


def test_the_debug_level_of_http_client_prints_no_sts_call(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(HTTPConnection, "debuglevel", 1)
    with StsServer([OK]) as server:
        assert got(server.url) == b"fine"
        proxies = (("https", server.url),)
        broke("https://sts.example", HttpSettings(proxies=proxies), seconds=1)
    assert capfd.readouterr() == ("", "")


def test_headers_that_come_late_but_whole_are_read() -> None:
    with StsServer([lambda call: call.drip(http("fine"), 0.001)]) as server:
        assert got(server.url) == b"fine"


def test_a_chunked_response_is_read() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n"
    )
    with StsServer([send(chunked)]) as server:
        assert got(server.url) == b"fine"


def test_a_response_without_length_ends_with_its_connection() -> None:
    def say(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\n\r\nfine")
        disconnect(call)

    with StsServer([say]) as server:
        assert got(server.url) == b"fine"


def test_an_empty_response_is_a_response() -> None:
    with StsServer([send(http("", "204 No Content"))]) as server:
        assert got(server.url) == b""


def test_an_oversize_response_is_cut() -> None:
    def much(call: Call) -> None:
        call.send(http("", length=100 * BODY_LIMIT))
        while True:
            call.send(b"x" * 65_536)

    with StsServer([much]) as server:
        assert len(got(server.url, seconds=60)) == BODY_LIMIT + 1


def test_a_response_at_the_limit_is_whole() -> None:
    with StsServer([send(http("x" * BODY_LIMIT))]) as server:
        assert len(got(server.url, seconds=60)) == BODY_LIMIT


def test_a_compressed_response_is_not_decompressed() -> None:
    with StsServer([send(http("\x1f\x8b", Content_Encoding="gzip"))]) as server:
        assert got(server.url) == "\x1f\x8b".encode()


def test_a_redirect_is_not_followed() -> None:
    with StsServer([OK]) as other, StsServer([]) as server:
        server.script.append(send(http("", "307 Temporary Redirect", Location=other.url)))
        outcome = sent(server.url)
        assert isinstance(outcome, HttpResponse)
        assert outcome.status == 307
        assert not other.seen


def test_busy_servers_are_not_waited_for() -> None:
    with StsServer([send(http("", "503 Slow Down", Retry_After="60"))]) as server:
        start = time.monotonic()
        assert got(server.url) == b""
        assert time.monotonic() - start < SOON
        assert len(server.seen) == 1


def test_a_self_signed_certificate_is_rejected(tmp_path: Path) -> None:
    with StsServer([OK], certificate=make_certificate(tmp_path)) as server:
        outcome = broke(server.url)
        assert outcome.code == "SSLError"
        assert "certificate verify failed" in outcome.reason
        assert not server.seen


def test_a_certificate_of_the_bundle_is_taken(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with StsServer([OK], certificate=certificate) as server:
        assert got(server.url, HttpSettings(verify=str(certificate[0]))) == b"fine"


def test_a_missing_ca_bundle_is_reported(tmp_path: Path) -> None:
    settings = HttpSettings(verify=str(tmp_path / "missing.pem"))
    outcome = broke("https://localhost:1", settings)
    assert outcome.code == "SSLError"
    assert f"CA bundle '{tmp_path}/missing.pem' not found" in outcome.reason


def test_a_server_without_tls_is_reported() -> None:
    with StsServer([OK]) as server:
        _, seconds = took(server.url.replace("http:", "https:"), connect=0.2)
        assert seconds < SOON


def test_a_foolish_client_certificate_is_a_failure() -> None:
    settings = HttpSettings(client_cert=("a", "b", "c"))  # type: ignore[arg-type]
    assert broke("https://localhost:1", settings).code == "ValueError"


def test_a_proxy_that_denies_is_reported() -> None:
    settings = HttpSettings(proxies=(("http", "http://user:hunter2@localhost:1"),))
    outcome = broke("http://sts.example", settings)
    assert outcome.code == "ProxyConnectionError"
    assert "hunter2" not in outcome.reason


@pytest.mark.parametrize("mark", "/#?\\")
@pytest.mark.parametrize("begin", ["canary", "1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_url_that_cannot_be_parsed_is_reported_without_its_password(
    scheme: str, begin: str, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    proxy = f"http://canary-user:{begin}{mark}canary@localhost:1"
    settings = HttpSettings(proxies=((scheme, proxy),))
    outcome = broke(f"{scheme}://sts.example", settings)
    assert outcome.code == "ProxyConnectionError"
    assert outcome.reason == (
        f"the URL of the proxy ({scheme.upper()}_PROXY) cannot be parsed; "
        "percent-encode the user and password in it"
    )
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy",
        "http://proxy:3128/",
        "https://[::1]:3128",
        "http://user:p%2Fss@proxy",
        "http://user:p@ss@proxy:1",
        "http://user@proxy",
    ],
)
def test_a_proxys_url_names_a_host(url: str) -> None:
    assert not proxy_defect(url, "https://sts.example")


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://:3128",
        "http://user:password@:3128",
        "http://proxy:port",
        "http://user:pass/word@proxy:1",
        "http://user:pass#word@proxy:1",
        "http://user:pass?word@proxy:1",
        "http://user:pass\\word@proxy:1",
        "http://user:1/word@proxy:1",
        "http://user:1#word@proxy:1",
        "http://user:1?word@proxy:1",
        "http://socks5://user:password@proxy:1",
    ],
)
def test_a_proxys_url_that_its_password_breaks_names_no_host(url: str) -> None:
    assert "HTTPS_PROXY" in proxy_defect(url, "https://sts.example")


def test_the_proxy_of_another_scheme_is_not_looked_at() -> None:
    with StsServer([OK]) as server:
        settings = HttpSettings(proxies=(("https", "http://user:pass/word@proxy"),))
        assert got(server.url, settings) == b"fine"


def test_a_request_uses_its_proxy() -> None:
    with StsServer([OK]) as server:
        settings = HttpSettings(proxies=(("http", server.url),), proxies_config=())
        assert got("http://sts.example/", settings) == b"fine"
        assert server.seen[0].line == "POST http://sts.example/ HTTP/1.1"


def test_the_reason_is_the_innermost_cause_and_never_the_callers() -> None:
    from irsa_creds._exchange.http import _innermost, _reason

    try:
        raise KeyError("the caller's own secret")  # noqa: TRY301
    except KeyError:
        try:
            raise ValueError  # noqa: TRY301
        except ValueError as error:
            reason = _reason(_innermost(error))
    assert reason == "ValueError"


def test_causes_that_go_round_in_circles_end() -> None:
    from irsa_creds._exchange.http import _innermost

    one, other = ValueError(), TypeError()
    one.__cause__, other.__cause__ = other, one
    assert _innermost(one) in {one, other}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<pool>: [Errno 111] Connection refused", "connection refused"),
        ("<pool>: [Errno -2] Name not known", "host not found (Name not known)"),
        ("the peer sent nonsense", "the peer sent nonsense"),
    ],
)
def test_the_reason_is_plain_where_urllib3_quotes_the_systems_error(text: str, reason: str) -> None:
    # As urllib3 1.26 does, which chains no error.
    assert _reason(Exception(text)) == reason
