"""An HTTP server on the loopback that can also send broken responses."""

from __future__ import annotations

import logging
import re
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

__all__ = ["Delivery", "LoopbackServer", "Reply", "Request"]

_HOST = "127.0.0.1"
_LOG = logging.getLogger("irsa_creds.testing")
# A thousand threads may connect at the same moment.
_BACKLOG = 1024
_PHRASES = {int(status): status.phrase for status in HTTPStatus}


class Delivery(Enum):
    """How a reply leaves the server."""

    WHOLE = auto()
    BODY_DRIP = auto()
    HEADER_DRIP = auto()
    SILENCE = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Request:
    """A request, with path and query still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Message[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; `Content-Length` is added if it is missing."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    delivery: Delivery = Delivery.WHOLE
    interval: float = 1.0

    def head(self) -> bytes:
        """Return the status line and the headers as bytes."""
        lines = [f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if not any(name.lower() == "content-length" for name in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class LoopbackServer:
    """Serve HTTP/1.1 on 127.0.0.1, with one daemon thread per connection.

    Args:
        respond: returns the reply to a request; called on many threads.
        port: 0 lets the system choose.
    """

    def __init__(self, respond: Callable[[Request], Reply], port: int = 0) -> None:
        self.respond = respond
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listener = _bound(port)
        self._acceptor: threading.Thread | None = None
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{_HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for thread in self._close_connections():
            thread.join()
        self._listener.close()

    def listen(self) -> None:
        """Accept connections, at the start or again after `refuse`."""
        self._listener.listen(_BACKLOG)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def refuse(self) -> None:
        """Close all connections and refuse new ones, but keep the port."""
        self._close_connections()
        self._listener.close()
        # The kernel refuses connections to a bound port without a listener.
        self._listener = _bound(self.port)

    def _close_connections(self) -> list[threading.Thread]:
        """Close all connections; return their threads, which end soon."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            # Connecting wakes a blocked accept() on every platform.
            socket.create_connection((_HOST, self.port), timeout=5).close()
            acceptor.join()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with suppress(OSError):  # its thread may have closed it
                connection.shutdown(socket.SHUT_RDWR)
        return list(connections)

    def _accept(self) -> None:
        while True:
            connection, address = self._listener.accept()
            if self._acceptor is not threading.current_thread():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            with self._lock:
                self._connections[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            with suppress(OSError):  # the client may disconnect at any time
                _Handler(connection, address, self)  # type: ignore[arg-type]  # a duck type of it
        finally:
            connection.close()
            with self._lock:
                del self._connections[threading.current_thread()]


class _Handler(BaseHTTPRequestHandler):
    """Reads requests with the standard library's parser."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LoopbackServer  # type: ignore[assignment]

    def _exchange(self) -> None:
        # Servers must accept an absolute URL too (RFC 9112, section 3.2.2).
        target = re.sub("^https?://[^/?]*", "", self.path, flags=re.IGNORECASE)
        path, _, query = target.partition("?")
        request = Request(self.command, path, query, self.headers, self._body())
        try:
            reply = self.server.respond(request)
        except Exception:  # noqa: BLE001 - a bug in the sandbox must not look like a network failure
            _LOG.exception("The sandbox failed at %s %s", self.command, path)
            reply = Reply(500, {"Content-Type": "text/plain"}, b"the sandbox failed: see its log")
        self._send(reply)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_PATCH = _exchange  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _send(self, reply: Reply) -> None:
        body = b"" if self.command == "HEAD" else reply.body
        if reply.headers.get("Connection") == "close" or reply.delivery is not Delivery.WHOLE:
            self.close_connection = True
        match reply.delivery:
            case Delivery.WHOLE:
                self.wfile.write(reply.head() + body)
            case Delivery.BODY_DRIP:
                self.wfile.write(reply.head())
                self._drip(body, reply.interval)
            case Delivery.HEADER_DRIP:
                self._drip(reply.head() + body, reply.interval)
            case Delivery.SILENCE:
                # Returns when the client disconnects or the server stops.
                self.rfile.read()
            case _:  # RESET: closing with a linger time of 0 sends RST
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )

    def _drip(self, data: bytes, interval: float) -> None:
        for position in range(len(data)):
            self.wfile.write(data[position : position + 1])
            if self.server.closing.wait(interval):
                return

    def log_message(self, *_: object) -> None:
        """Log nothing: tests read `sts_calls` instead."""


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, port))
    return listener
