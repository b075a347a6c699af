from __future__ import annotations

import logging
import socket
import threading
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from irsa_creds.testing._server import Delivery, LoopbackServer, Reply, Request
from testing.sandbox_http import http, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


SPECIAL = {
    "/silence": Reply(200, {}, b"", Delivery.SILENCE),
    "/drip": Reply(200, {}, b"drop", Delivery.BODY_DRIP, 0.01),
    "/slow": Reply(200, {}, b"drop", Delivery.BODY_DRIP, 60),
    "/header": Reply(200, {}, b"drop", Delivery.HEADER_DRIP, 0.0),
    "/reset": Reply(200, {}, b"", Delivery.RESET),
    "/odd": Reply(299, {"Content-Length": "2"}, b"ok"),
}


def echo(request: Request) -> Reply:
    if request.path == "/bug":
        raise KeyError("a bug")
    echoed = Reply(200, {"X-Query": request.query}, request.method.encode() + request.body)
    return SPECIAL.get(request.path, echoed)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(echo) as opened:
        yield opened


def raw(server: LoopbackServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request)
        response = b""
        while piece := connection.recv(65536):
            response += piece
        return response


def test_it_serves_any_method(server: LoopbackServer) -> None:
    response = http(server.url, "PUT", "/a?b=c", b"body")
    assert (response.status, response.body, response.headers["X-Query"]) == (200, b"PUTbody", "b=c")
    assert http(server.url, "DELETE", "/").body == b"DELETE"


@pytest.mark.parametrize("origin", ["http://x", "HTTP://127.0.0.1:1", "https://x"])
def test_an_absolute_url_in_the_request_line_is_accepted(
    server: LoopbackServer, origin: str
) -> None:
    assert http(server.url, "GET", f"{origin}/odd").body == b"ok"
    assert http(server.url, "GET", f"{origin}/a?b=http://c").headers["X-Query"] == "b=http://c"


def test_head_has_the_length_but_no_body(server: LoopbackServer) -> None:
    response = http(server.url, "HEAD", "/")
    assert (response.headers["Content-Length"], response.body) == ("4", b"")


def test_an_unknown_status_and_a_given_length_are_sent_unchanged(server: LoopbackServer) -> None:
    assert http(server.url, "GET", "/odd").body == b"ok"


def test_a_connection_is_kept_for_the_next_request(server: LoopbackServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/")
    connection.getresponse().read()
    first = connection.sock
    connection.request("GET", "/")
    connection.getresponse().read()
    assert connection.sock is first
    connection.close()


def test_a_chunked_body_is_joined(server: LoopbackServer) -> None:
    response = raw(
        server,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )
    assert response.endswith(b"POSTabcde")


def test_a_bug_is_logged_and_is_a_500(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "irsa_creds.testing"):
        response = http(server.url, "GET", "/bug")
    assert (response.status, response.body) == (500, b"the sandbox failed: see its log")
    assert "failed at GET /bug" in caplog.text
    assert "a bug" in caplog.text


def test_a_disconnected_client_is_dropped(server: LoopbackServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /silence HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: server._connections)
    wait_until(lambda: not server._connections)


def test_a_drip_is_complete_in_the_end(server: LoopbackServer) -> None:
    assert http(server.url, "GET", "/drip").body == b"drop"
    assert http(server.url, "GET", "/header").body == b"drop"


def test_a_drip_ends_when_the_client_disconnects(server: LoopbackServer) -> None:
    raw_socket = socket.create_connection(("127.0.0.1", server.port))
    raw_socket.sendall(b"GET /drip HTTP/1.1\r\nHost: x\r\n\r\n")
    raw_socket.close()
    wait_until(lambda: not server._connections)


def test_reset_resets_the_connection(server: LoopbackServer) -> None:
    with pytest.raises(ConnectionResetError):
        http(server.url, "GET", "/reset")


def test_refuse_closes_connections_and_refuses_new_ones_until_listen(
    server: LoopbackServer,
) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", "/")
    connection.getresponse().read()
    server.refuse()
    with pytest.raises(ConnectionRefusedError):
        http(server.url)
    assert connection.sock.recv(1) == b""
    connection.close()
    server.listen()
    assert http(server.url).status == 200


def test_it_can_be_stopped_while_it_refuses() -> None:
    with LoopbackServer(echo) as server:
        server.refuse()
    with pytest.raises(ConnectionRefusedError):
        http(server.url)


def test_it_stops_immediately_with_responses_pending() -> None:
    threads = threading.active_count()
    with LoopbackServer(echo) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        clients[0].sendall(b"GET /silence HTTP/1.1\r\nHost: x\r\n\r\n")
        clients[1].sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        clients[2].sendall(b"GET /half HTTP/1.1\r\nHo")
        wait_until(lambda: len(server._connections) == 3)
        wait_until(lambda: clients[1].recv(1))
        started = time.monotonic()
    # The slow response would take a minute.
    assert time.monotonic() - started < 20
    assert threading.active_count() == threads
    for client in clients:
        client.close()


def test_a_connection_can_end_while_all_are_closed() -> None:
    with LoopbackServer(echo) as server:
        broken = socket.socket()
        broken.close()
        ended = threading.Thread()
        ended.start()
        server._connections[ended] = broken


def test_many_clients_connect_at_once(server: LoopbackServer) -> None:
    responses: list[int] = []
    threads = [
        threading.Thread(target=lambda: responses.append(http(server.url, timeout=30).status))
        for _ in range(200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert responses == [200] * 200
