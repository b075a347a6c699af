"""An HTTP endpoint on loopback with the protocol of container credentials, for all AWS SDKs."""

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
#: Connections at once; the kernel queues further ones.
_CONNECTIONS = 32
_BACKLOG = 128
#: SDKs send less than 2 kB.
_REQUEST_BYTES = 16_384
#: From the first byte of the request to the last one of the response.
_REQUEST_SECONDS = 2.0
#: With all connections in use, a client without the token is disconnected after this time. Clients
#: in the kernel's queue are then served within a second.
_GRACE_SECONDS = 0.1
#: The timeout of SDKs is 1 s (JavaScript) to 2 s (botocore), with three attempts or more.
_WAIT_SECONDS = 0.8
#: The pause after the system ran out of descriptors or threads.
_PAUSE_SECONDS = 0.1


class Endpoint:
    """Serve a provider's credentials to clients with the token, on 127.0.0.1 only.

    The protocol is that of Amazon ECS and EKS Pod Identity. Sources: AWS SDKs and Tools Reference
    Guide, "Container credential provider"; botocore 1.43.117, utils.ContainerMetadataFetcher;
    credential-provider-http of the AWS SDK for JavaScript v3, which requires all four fields.

    Args:
        provider: of the credentials.
        port: 0 selects a free one.

    Attributes:
        url: for `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
        token: the required `Authorization` header.

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
        # Connections without the token so far, with the time of their start.
        self._unauthenticated: dict[socket.socket, float] = {}
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
        """Serve until `close` or the end of the process."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._closing.set()
        # These wake the thread; closing the socket alone would leave it in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._free.release()
        self._thread.join()
        self._listener.close()

    def admit(self, connection: socket.socket) -> None:
        """Keep the connection of a client that has sent the token."""
        with self._lock:
            self._unauthenticated.pop(connection, None)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError:
                # The client is gone, the descriptors are used up, or `close` was called.
                self._closing.wait(_PAUSE_SECONDS)
                continue
            self._wait_for_slot()
            with self._lock:
                self._unauthenticated[connection] = time.monotonic()
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The limit of threads is reached; the client tries again.
                self._end(connection)
                self._closing.wait(_PAUSE_SECONDS)

    def _wait_for_slot(self) -> None:
        """Wait for a free connection; the kernel queues further clients."""
        taken = self._free.acquire(blocking=False)
        while not taken:
            self._close_unauthenticated()
            taken = self._free.acquire(timeout=_GRACE_SECONDS / 4)

    def _close_unauthenticated(self) -> None:
        """Shut down the connections that sent no token in time."""
        latest = time.monotonic() - _GRACE_SECONDS
        with self._lock:
            for connection in [
                each for each, came in self._unauthenticated.items() if came <= latest
            ]:
                del self._unauthenticated[connection]
                # The client may have closed it.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            # The handler uses no other attribute of a server.
            _Handler(connection, address, cast("Any", self))
        except Exception as error:  # noqa: BLE001 - an error of one client must not affect others
            # The traceback contains the request, so it is not logged.
            _log.debug("A client of the endpoint disconnected: %s.", type(error).__name__)
        finally:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        self.admit(connection)
        connection.close()
        self._free.release()


def hosts_of(port: int) -> set[str]:
    """Return the allowed values of `Host` in lower case.

    The check prevents DNS rebinding, in which a web page gives loopback a name of its own.

    Args:
        port: 80 may be omitted (RFC 9110, section 4.2.1).
    """
    names = {HOST, "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == _HTTP_PORT else set())


class _Handler(BaseHTTPRequestHandler):
    """Handle the one request of a connection, within one deadline."""

    protocol_version = "HTTP/1.1"
    server: Any

    def setup(self) -> None:
        super().setup()
        self._deadline = time.monotonic() + _REQUEST_SECONDS
        self._received = _Received(self.connection, self._deadline)
        self.rfile = io.BufferedReader(self._received)

    def parse_request(self) -> bool:
        # Connections are limited, so none is kept open.
        parsed = super().parse_request()
        self.close_connection = True
        if parsed and self._received.truncated:
            self._reject(431, "TooLarge")
            return False
        return parsed

    def do_GET(self) -> None:
        endpoint: Endpoint = self.server
        hosts = [host.lower() for host in self.headers.get_all("Host", [])]
        if hosts not in [[host] for host in endpoint.hosts]:
            self._reject(403, "WrongHost")
        elif not self._is_authorized(endpoint.token):
            self._reject(401, "Unauthorized")
        elif self.path != _PATH:
            self._reject(404, "NotFound")
        else:
            endpoint.admit(self.connection)
            self._send_credentials(endpoint.provider)

    def _is_authorized(self, token: str) -> bool:
        given = self.headers.get_all("Authorization", [])
        # As bytes: `compare_digest` takes text of ASCII only.
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), token.encode())

    def _send_credentials(self, provider: Provider) -> None:
        try:
            found = provider.get(timeout=min(_WAIT_SECONDS, _left(self._deadline)))
        except IrsaError as error:
            # SDKs try again after 5xx. Messages of irsa-creds contain no secrets.
            code = error.code if isinstance(error, ExchangeError) else type(error).__name__
            self._respond(503, {"code": code, "message": str(error)})
            return
        content = {
            "AccessKeyId": found.access_key_id,
            "SecretAccessKey": found.secret_access_key,
            "Token": found.session_token,
            "Expiration": expiration(found),
        }
        if found.account_id is not None:
            content["AccountId"] = found.account_id
        self._respond(200, content)

    def _reject(self, status: int, code: str) -> None:
        self._respond(status, {"code": code})

    def _respond(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.connection.settimeout(_left(self._deadline))
        # After an invalid request line, `http.server` would respond without headers (HTTP/0.9).
        self.request_version = self.protocol_version
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, *_: object, **__: object) -> None:
        """Respond to a request that `http.server` rejects."""
        self._reject(code, "BadRequest")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Log nothing."""


class _Received(io.RawIOBase):
    """The bytes from a client, up to a limit and a deadline.

    Attributes:
        truncated: whether the client sent more.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._remaining = _REQUEST_BYTES
        self._deadline = deadline
        self.truncated = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._remaining == 0:
            self.truncated = True
            return 0
        # A constant timeout would restart with each byte of a slow client.
        self._connection.settimeout(_left(self._deadline))
        received = self._connection.recv_into(buffer, min(len(memoryview(buffer)), self._remaining))
        self._remaining -= received
        return received


def _left(deadline: float) -> float:
    """Return the seconds until `deadline`, an instant of `time.monotonic`.

    Raises:
        TimeoutError: it has passed; `http.server` then ends the connection.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
