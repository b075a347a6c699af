"""Credentials over HTTP on the loopback, as the SDKs of every language read them in containers."""

from __future__ import annotations

import contextlib
import hmac
import io
import json
import logging
import secrets
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self, cast

from irsa_creds._errors import ExchangeError, IrsaError
from irsa_creds.cli._identity import expiration

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from irsa_creds._provider import Provider

__all__ = ["HOST", "Endpoint"]

_log = logging.getLogger("irsa_creds")

HOST = "127.0.0.1"
_PATH = "/v1/credentials"
_HTTP_PORT = 80
#: Connections at once. A program that starts a hundred clients has the others queue up.
_CONNECTIONS = 32
_BACKLOG = 128
#: What an SDK sends is below 2 kB, and comes in one piece.
_REQUEST_BYTES = 16_384
#: From the first byte that is read to the last one of the response.
_REQUEST_SECONDS = 2.0
#: Where all are taken, so long has a client to show the token before it makes room for the next.
#: Those in the kernel's queue are served within a second then, whoever is before them.
_GRACE_SECONDS = 0.1
#: The SDKs' own time-out is 1 s (JavaScript) to 2 s (botocore), and each tries three times or more.
_WAIT_SECONDS = 0.8
#: Where the system has run out of something, trying again at once would only burn time.
_PAUSE_SECONDS = 0.1


class Endpoint:
    """Hands a provider's credentials to whoever knows the token; 127.0.0.1 alone can reach it.

    The protocol is that of Amazon ECS and EKS Pod Identity. Sources: AWS SDKs and Tools Reference
    Guide, "Container credential provider"; botocore 1.43.117, utils.ContainerMetadataFetcher;
    credential-provider-http of the AWS SDK for JavaScript v3, which insists on all four fields.

    Args:
        provider: whose credentials they are.
        port: 0 takes any that is free.

    Attributes:
        url: what `AWS_CONTAINER_CREDENTIALS_FULL_URI` is to be.
        token: what a request's `Authorization` must be.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, provider: Provider, port: int = 0) -> None:
        self.provider = provider
        self.token = secrets.token_urlsafe(32)
        self._listener = socket.create_server((HOST, port), backlog=_BACKLOG)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}{_PATH}"
        self.hosts = hosts_of(self.port)
        # Those that have not shown the token, and when they came.
        self._strangers: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._free = threading.Semaphore(_CONNECTIONS)
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._accept, name="irsa-creds-endpoint", daemon=True
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Answer from now on, until `close` or the end of the process."""
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._closing.set()
        # The thread waits for one of these: closing the socket alone would leave it in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._free.release()
        self._thread.join()
        self._listener.close()

    def admit(self, connection: socket.socket) -> None:
        """Let a client that has shown the token stay, whoever comes."""
        with self._lock:
            self._strangers.pop(connection, None)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError:
                # The client is gone already, no descriptor is left for now, or this is the end.
                self._closing.wait(_PAUSE_SECONDS)
                continue
            self._take_place()
            with self._lock:
                self._strangers[connection] = time.monotonic()
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The limit of threads: the client tries again.
                self._end(connection)
                self._closing.wait(_PAUSE_SECONDS)

    def _take_place(self) -> None:
        """Wait until there is room; meanwhile the kernel's queue holds those beyond at no cost."""
        taken = self._free.acquire(blocking=False)
        while not taken:
            self._dismiss_strangers()
            taken = self._free.acquire(timeout=_GRACE_SECONDS / 4)

    def _dismiss_strangers(self) -> None:
        """Let the threads of those that have had their time see an end of the connection."""
        latest = time.monotonic() - _GRACE_SECONDS
        with self._lock:
            for connection in [each for each, came in self._strangers.items() if came <= latest]:
                del self._strangers[connection]
                # It may have gone by itself.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            # A handler asks nothing else of a server.
            _Handler(connection, address, cast("Any", self))
        except Exception as error:  # noqa: BLE001 - one client's trouble is nobody else's
            # Without the traceback: what is in it belongs to a request.
            _log.debug("A client of the endpoint went away: %s.", type(error).__name__)
        finally:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        self.admit(connection)
        connection.close()
        self._free.release()


def hosts_of(port: int) -> set[str]:
    """Return what `Host` may be, in small letters.

    A page in a browser may give the loopback a name of its own ("DNS rebinding").

    Args:
        port: 80 goes without saying: RFC 9110, section 4.2.1.
    """
    names = {HOST, "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == _HTTP_PORT else set())


class _Handler(BaseHTTPRequestHandler):
    """Answers the one request of a connection, before one deadline for all of it."""

    protocol_version = "HTTP/1.1"
    server: Any

    def setup(self) -> None:
        super().setup()
        self._deadline = time.monotonic() + _REQUEST_SECONDS
        self._received = _Received(self.connection, self._deadline)
        self.rfile = io.BufferedReader(self._received)

    def parse_request(self) -> bool:
        # Not one request after the other: a connection that is kept is one that others lack.
        parsed = super().parse_request()
        self.close_connection = True
        if parsed and self._received.cut:
            self._refuse(431, "TooLarge")
            return False
        return parsed

    def do_GET(self) -> None:
        endpoint: Endpoint = self.server
        hosts = [host.lower() for host in self.headers.get_all("Host", [])]
        if hosts not in [[host] for host in endpoint.hosts]:
            self._refuse(403, "WrongHost")
        elif not self._is_authorized(endpoint.token):
            self._refuse(401, "Unauthorized")
        elif self.path != _PATH:
            self._refuse(404, "NotFound")
        else:
            endpoint.admit(self.connection)
            self._hand_out(endpoint.provider)

    def _is_authorized(self, token: str) -> bool:
        given = self.headers.get_all("Authorization", [])
        # As bytes: `compare_digest` takes text of ASCII only.
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), token.encode())

    def _hand_out(self, provider: Provider) -> None:
        try:
            found = provider.get(timeout=min(_WAIT_SECONDS, _left(self._deadline)))
        except IrsaError as error:
            # 5xx: whoever asks tries again. The message is free of secrets, as all of ours are.
            code = error.code if isinstance(error, ExchangeError) else type(error).__name__
            self._answer(503, {"code": code, "message": str(error)})
            return
        answer = {
            "AccessKeyId": found.access_key_id,
            "SecretAccessKey": found.secret_access_key,
            "Token": found.session_token,
            "Expiration": expiration(found),
        }
        if found.account_id is not None:
            answer["AccountId"] = found.account_id
        self._answer(200, answer)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, {"code": code})

    def _answer(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.connection.settimeout(_left(self._deadline))
        # To what it does not understand `http.server` answers as HTTP/0.9 had it: without a head.
        self.request_version = self.protocol_version
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, *_: object, **__: object) -> None:
        """Answer what `http.server` refuses by itself in as few words as the rest."""
        self._refuse(code, "BadRequest")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Keep silent: nobody needs a line for each request."""


class _Received(io.RawIOBase):
    """What a client sends: so much at most, and until a deadline, whatever its pace.

    Attributes:
        cut: whether it sent more.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._room = _REQUEST_BYTES
        self._deadline = deadline
        self.cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._room == 0:
            self.cut = True
            return 0
        # A constant time-out would start again with each byte of a client that drips.
        self._connection.settimeout(_left(self._deadline))
        received = self._connection.recv_into(buffer, min(len(memoryview(buffer)), self._room))
        self._room -= received
        return received


def _left(deadline: float) -> float:
    """Return the seconds until `deadline`, an instant of `time.monotonic`.

    Raises:
        TimeoutError: it is over; `http.server` then ends the connection.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
