"""One POST against servers of every kind of ill will, on loopback."""

from __future__ import annotations

import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds import _http
from irsa_creds._http import BODY_LIMIT, HttpClient, NoReply, Reply, Request
from irsa_creds._lazy import load_exchange_modules
from irsa_creds._place import Http
from stsserver import Call, StsServer, answer, hang, hang_up, http, make_certificate, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENOUGH = {"seconds": 5.0, "connect": 2.0, "read": 2.0}
OK = answer(http("fine"))


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    load_exchange_modules()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    client = HttpClient(Http())
    yield client
    client.close()


def request(url: str, body: bytes = b"a=1") -> Request:
    return Request(url, {"User-Agent": "test", "Content-Type": "text/plain"}, body)


def sent(client: HttpClient, url: str, **limits: float) -> Reply | NoReply:
    return client.post(request(url), **{**ENOUGH, **limits})


def got(client: HttpClient, url: str, **limits: float) -> bytes:
    outcome = sent(client, url, **limits)
    assert isinstance(outcome, Reply), outcome
    return outcome.body


def broke(client: HttpClient, url: str, **limits: float) -> NoReply:
    outcome = sent(client, url, **limits)
    assert isinstance(outcome, NoReply), outcome
    return outcome


def took(client: HttpClient, url: str, **limits: float) -> tuple[NoReply, float]:
    start = time.monotonic()
    outcome = broke(client, url, **limits)
    return outcome, time.monotonic() - start


def test_a_post_arrives_as_it_was_given(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        outcome = client.post(request(server.url + "/path?q=1", b"a=1&b=2"), **ENOUGH)
        assert isinstance(outcome, Reply)
        assert (outcome.status, outcome.body) == (200, b"fine")
        assert outcome.headers.get("date")
        seen = server.seen[0]
        assert seen.line == "POST /path?q=1 HTTP/1.1"
        assert seen.body == "a=1&b=2"
        assert seen.headers["user-agent"] == "test"
        assert seen.headers["accept-encoding"] == "identity"


def test_a_connection_is_kept_and_reused(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        for _ in range(3):
            assert got(client, server.url) == b"fine"
        assert server.connections == 1
        assert client.posts == 3


def test_a_reused_connection_does_not_wait_for_acknowledgements(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        got(client, server.url)
        start = time.monotonic()
        for _ in range(10):
            got(client, server.url)
        assert time.monotonic() - start < 0.3


def test_a_path_that_is_missing_becomes_a_slash(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        got(client, server.url)
        assert server.seen[0].line.startswith("POST / ")


@pytest.mark.parametrize("farewell", [hang_up, reset])
def test_a_kept_connection_that_was_closed_is_replaced_once(
    client: HttpClient, farewell: Callable[[Call], None]
) -> None:
    with StsServer([OK, farewell, OK]) as server:
        assert got(client, server.url) == b"fine"
        assert got(client, server.url) == b"fine"
        assert server.connections == 2
        assert client.posts == 3


def test_a_connection_closed_long_before_costs_nothing(client: HttpClient) -> None:
    def say_and_close(call: Call) -> None:
        OK(call)
        hang_up(call)

    with StsServer([say_and_close, OK]) as server:
        got(client, server.url)
        time.sleep(0.05)
        assert got(client, server.url) == b"fine"
        assert client.posts == 2


@pytest.mark.parametrize("farewell", [hang_up, reset])
def test_a_fresh_connection_that_is_closed_is_a_failure(
    client: HttpClient, farewell: Callable[[Call], None]
) -> None:
    with StsServer([farewell]) as server:
        assert broke(client, server.url).code == "ConnectionClosedError"
        assert client.posts == 1


def test_a_second_farewell_is_a_failure(client: HttpClient) -> None:
    with StsServer([OK, hang_up]) as server:
        got(client, server.url)
        assert broke(client, server.url).code == "ConnectionClosedError"
        assert client.posts == 3


def test_a_reset_in_the_middle_of_an_answer_is_not_repeated(client: HttpClient) -> None:
    def half(call: Call) -> None:
        call.send(http("fine", length=100))
        reset(call)

    with StsServer([OK, half, OK]) as server:
        got(client, server.url)
        assert broke(client, server.url).hung_up is False
        assert client.posts == 2


def test_garbage_in_place_of_http_is_not_repeated(client: HttpClient) -> None:
    with StsServer([OK, answer(b"garbage\r\n\r\n"), OK]) as server:
        got(client, server.url)
        assert broke(client, server.url).code == "ConnectionClosedError"
        assert client.posts == 2


def test_a_server_that_refuses_after_a_good_answer_is_asked_once(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        got(client, server.url)
    outcome = broke(client, server.url)
    assert outcome.code == "EndpointConnectionError"
    assert "Connection refused" in outcome.reason
    assert client.posts == 2


def test_an_unknown_host_is_told(client: HttpClient) -> None:
    outcome = broke(client, "http://sts.unknown.invalid")
    assert outcome.code == "EndpointConnectionError"
    assert "not known" in outcome.reason


def test_a_black_hole_ends_with_the_read_timeout(client: HttpClient) -> None:
    with StsServer([hang]) as server:
        outcome, seconds = took(client, server.url, read=0.2)
        assert outcome.code == "ReadTimeoutError"
        assert "timed out" in outcome.reason
        assert 0.15 < seconds < 1


def test_a_black_hole_ends_with_the_attempt(client: HttpClient) -> None:
    with StsServer([hang]) as server:
        _, seconds = took(client, server.url, seconds=0.2)
        assert 0.15 < seconds < 1


def test_the_read_timeout_of_a_kept_connection_may_change(
    client: HttpClient,
) -> None:
    from botocore.httpsession import URLLib3Session

    with StsServer([OK, hang]) as server:
        got(client, server.url, read=2.0)
        _, seconds = took(client, server.url, read=2.0, seconds=0.2, connect=0.1)
        assert seconds < 1
    with StsServer([OK]) as server:
        got(client, server.url, seconds=5, read=4.9, connect=0.5)
        got(client, server.url, seconds=1, read=4.9, connect=0.5)
        # Where a session has but one timeout (1.40.61), another takes another session.
        per_request = hasattr(URLLib3Session, "_get_request_timeout")
        assert server.connections == (1 if per_request else 2)


def test_a_host_that_does_not_answer_ends_with_the_connect_timeout(client: HttpClient) -> None:
    # A listener whose queue is full drops further requests to connect.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            outcome, seconds = took(client, f"http://127.0.0.1:{port}", connect=0.2)
        finally:
            for filler in fillers:
                filler.close()
    assert outcome.code == "ConnectTimeoutError"
    assert seconds < 1


def test_a_slow_drip_ends_with_the_attempt(client: HttpClient) -> None:
    def drip(call: Call) -> None:
        call.send(http("", length=1_000))
        call.drip(b"x" * 1_000, 0.02)

    with StsServer([drip]) as server:
        outcome, seconds = took(client, server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert 0.25 < seconds < 1


def test_a_slow_drip_that_closes_its_connection_ends_with_the_attempt(client: HttpClient) -> None:
    def drip(call: Call) -> None:
        call.send(http("", length=1_000, Connection="close"))
        call.drip(b"x" * 1_000, 0.02)

    with StsServer([drip]) as server:
        outcome, seconds = took(client, server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert "did not end in time" in outcome.reason
        assert 0.25 < seconds < 1


def test_a_drip_that_stalls_ends_with_the_attempt(client: HttpClient) -> None:
    def stall(call: Call) -> None:
        call.send(http("some", length=1_000))
        hang(call)

    with StsServer([stall]) as server:
        outcome, seconds = took(client, server.url, seconds=0.3)
        assert outcome.code == "ReadTimeoutError"
        assert seconds < 1


def test_a_stall_that_closes_its_connection_ends_one_wait_later(client: HttpClient) -> None:
    def stall(call: Call) -> None:
        call.send(http("some", length=1_000, Connection="close"))
        hang(call)

    with StsServer([stall]) as server:
        _, seconds = took(client, server.url, seconds=0.4, read=0.2)
        assert seconds < 1


def test_headers_that_come_late_but_whole_are_read(client: HttpClient) -> None:
    with StsServer([lambda call: call.drip(http("fine"), 0.001)]) as server:
        assert got(client, server.url) == b"fine"


def test_a_chunked_answer_is_read(client: HttpClient) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n"
    )
    with StsServer([answer(chunked)]) as server:
        assert got(client, server.url) == b"fine"
        assert got(client, server.url) == b"fine"
        assert server.connections == 1


def test_an_answer_without_length_ends_with_its_connection(client: HttpClient) -> None:
    def say(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\n\r\nfine")
        hang_up(call)

    with StsServer([say]) as server:
        assert got(client, server.url) == b"fine"


def test_an_empty_answer_is_one(client: HttpClient) -> None:
    with StsServer([answer(http("", "204 No Content"))]) as server:
        assert got(client, server.url) == b""


def test_an_oversize_answer_is_cut_and_its_connection_dropped(client: HttpClient) -> None:
    def much(call: Call) -> None:
        call.send(http("", length=100 * BODY_LIMIT))
        while True:
            call.send(b"x" * 65_536)

    with StsServer([much, OK]) as server:
        assert len(got(client, server.url, seconds=60)) == BODY_LIMIT + 1
        assert got(client, server.url) == b"fine"
        assert server.connections == 2


def test_an_answer_at_the_limit_is_whole(client: HttpClient) -> None:
    with StsServer([answer(http("x" * BODY_LIMIT))]) as server:
        assert len(got(client, server.url, seconds=60)) == BODY_LIMIT


def test_a_compressed_answer_is_left_as_it_is(client: HttpClient) -> None:
    with StsServer([answer(http("\x1f\x8b", Content_Encoding="gzip"))]) as server:
        assert got(client, server.url) == "\x1f\x8b".encode()


def test_a_redirect_is_not_followed(client: HttpClient) -> None:
    with StsServer([OK]) as other, StsServer([]) as server:
        server.script.append(answer(http("", "307 Temporary Redirect", Location=other.url)))
        outcome = sent(client, server.url)
        assert isinstance(outcome, Reply)
        assert outcome.status == 307
        assert not other.seen


def test_busy_servers_are_not_waited_for(client: HttpClient) -> None:
    with StsServer([answer(http("", "503 Slow Down", Retry_After="60"))]) as server:
        start = time.monotonic()
        assert got(client, server.url) == b""
        assert time.monotonic() - start < 1
        assert len(server.seen) == 1


def test_a_certificate_that_nobody_signed_is_refused(client: HttpClient, tmp_path: Path) -> None:
    with StsServer([OK], certificate=make_certificate(tmp_path)) as server:
        outcome = broke(client, server.url)
        assert outcome.code == "SSLError"
        assert "certificate verify failed" in outcome.reason
        assert client.posts == 1


def test_a_certificate_of_the_bundle_is_taken(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with StsServer([OK, hang_up, OK], certificate=certificate) as server:
        client = HttpClient(Http(verify=str(certificate[0])))
        assert got(client, server.url) == b"fine"
        assert got(client, server.url) == b"fine"
        assert client.posts == 3
        client.close()


def test_a_bundle_that_is_missing_is_told(tmp_path: Path) -> None:
    client = HttpClient(Http(verify=str(tmp_path / "missing.pem")))
    outcome = broke(client, "https://localhost:1")
    assert outcome.code == "SSLError"
    assert f"there is no CA bundle '{tmp_path}/missing.pem'" in outcome.reason


def test_a_server_that_speaks_no_tls_is_told(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        _, seconds = took(client, server.url.replace("http:", "https:"), connect=0.2)
        assert seconds < 1


def test_a_foolish_client_certificate_is_a_failure() -> None:
    client = HttpClient(Http(client_cert=("a", "b", "c")))  # type: ignore[arg-type]
    assert broke(client, "https://localhost:1").code == "ValueError"


def test_a_proxy_that_refuses_is_told() -> None:
    client = HttpClient(Http(proxies=(("http", "http://user:hunter2@localhost:1"),)))
    outcome = broke(client, "http://sts.example")
    assert outcome.code == "ProxyConnectionError"
    assert "hunter2" not in outcome.reason


@pytest.mark.parametrize("mark", "/#?\\")
@pytest.mark.parametrize("begin", ["canary", "1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_whose_password_tears_its_url_apart_is_told_without_it(
    scheme: str, begin: str, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    proxy = f"http://canary-user:{begin}{mark}canary@localhost:1"
    client = HttpClient(Http(proxies=((scheme, proxy),)))
    outcome = broke(client, f"{scheme}://sts.example")
    assert outcome.code == "ProxyConnectionError"
    assert outcome.reason == (
        f"the URL of the proxy ({scheme.upper()}_PROXY) cannot be parsed; "
        "percent-encode the user and password in it"
    )
    assert "canary" not in caplog.text


def test_the_proxy_of_another_scheme_is_not_looked_at() -> None:
    with StsServer([OK]) as server:
        client = HttpClient(Http(proxies=(("https", "http://user:pass/word@proxy"),)))
        assert got(client, server.url) == b"fine"
        client.close()


def test_a_request_goes_through_its_proxy() -> None:
    with StsServer([OK]) as server:
        settings = Http(proxies=(("http", server.url),), proxies_config=())
        client = HttpClient(settings)
        assert got(client, "http://sts.example/") == b"fine"
        assert server.seen[0].line == "POST http://sts.example/ HTTP/1.1"
        client.close()


def test_without_read1_single_bytes_are_read(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib3.response import HTTPResponse

    for owner in HTTPResponse.__mro__:
        if "read1" in vars(owner):
            monkeypatch.delattr(owner, "read1")
    with StsServer([OK]) as server:
        assert got(client, server.url) == b"fine"
        assert got(client, server.url) == b"fine"
        assert server.connections == 1


def test_the_reason_is_the_innermost_cause_and_never_the_callers() -> None:
    from irsa_creds._http import _no_reply

    try:
        raise KeyError("the caller's own secret")  # noqa: TRY301
    except KeyError:
        try:
            raise ValueError  # noqa: TRY301
        except ValueError as error:
            outcome = _no_reply(error, answered=False)
    assert outcome == NoReply("ValueError", "ValueError", hung_up=False)


def test_causes_that_go_round_in_circles_end() -> None:
    from irsa_creds._http import _innermost

    one, other = ValueError(), TypeError()
    one.__cause__, other.__cause__ = other, one
    assert _innermost(one) in {one, other}


def test_a_hanging_post_shares_its_connection_with_nobody(client: HttpClient) -> None:
    import threading

    with StsServer([OK, hang, OK]) as server:
        got(client, server.url, read=0.5)
        hanging = threading.Thread(target=sent, args=(client, server.url), kwargs={"read": 0.5})
        hanging.start()
        while len(server.seen) < 2:
            time.sleep(0.001)
        assert got(client, server.url, read=0.5) == b"fine"
        assert server.connections == 2
        hanging.join()


def test_a_forgotten_connection_is_not_used_again(client: HttpClient) -> None:
    with StsServer([OK]) as server:
        got(client, server.url)
        client.forget()
        got(client, server.url)
        assert server.connections == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("tls", [False, True])
def test_a_child_that_forgets_leaves_the_parents_connection_alone(
    *, tls: bool, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path) if tls else None
    with StsServer([OK], certificate=certificate) as server:
        client = HttpClient(Http(verify=str(certificate[0]) if certificate else True))
        got(client, server.url)
        if (child := _forked(client, server.url)) == 0:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        got(client, server.url)
        assert [seen.connection for seen in server.seen] == [1, 2, 1]
        client.close()


def _forked(client: HttpClient, url: str) -> int:
    """Fork; the child forgets and sends by a connection of its own."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        code: Any = 1
        try:
            client.forget()
            code = 0 if isinstance(sent(client, url), Reply) else 2
        finally:
            os._exit(code)
    return child


def test_closing_what_was_never_opened_is_fine() -> None:
    HttpClient(Http()).close()


def test_of_many_clients_only_the_latest_keep_their_connection() -> None:
    with StsServer([OK]) as server:
        clients = [HttpClient(Http()) for _ in range(40)]
        for each in clients:
            got(each, server.url)
        assert [bool(each._shelf) for each in clients] == [False] * 8 + [True] * 32
        got(clients[8], server.url)
        got(clients[0], server.url)
        assert [bool(clients[number]._shelf) for number in (0, 8, 9)] == [True, True, False]
        del clients[10:20], each
        for another in [HttpClient(Http()) for _ in range(20)]:
            got(another, server.url)
        assert len(_http._keepers) == _http._MOST_KEPT == 32
        for each in clients:
            each.close()


def test_clients_that_keep_connections_in_many_threads_disturb_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_http, "_MOST_KEPT", 2)
    clients = [HttpClient(Http()) for _ in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_http._close_others, clients * 2_000))
    finally:
        sys.setswitchinterval(before)
    assert 1 <= len(_http._keepers) <= 2
