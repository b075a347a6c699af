"""One request over a connection of its own, bounded in time and size."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import time
from http.client import HTTPResponse
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, gaierror
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import urllib3
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ProxyConnectionError, SSLError
from botocore.httpsession import ProxyConfiguration, URLLib3Session

from irsa_creds._exchange.muting import muted

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from irsa_creds._identity.endpoint_settings import HttpSettings

__all__ = [
    "BODY_LIMIT",
    "HttpFailure",
    "HttpRequest",
    "HttpResponse",
    "proxy_defect",
    "reason_of",
    "send_request",
    "without_frames",
]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

BODY_LIMIT = 1024 * 1024

# By the class name of the error.
_WHAT_FAILED = {
    "EndpointConnectionError": "cannot connect to {service}",
    "ConnectTimeoutError": "cannot connect to {service}",
    "ReadTimeoutError": "{service} did not respond in time",
    "ConnectionClosedError": "{service} closed the connection",
    "SSLError": "the TLS connection to {service} failed",
    "ProxyConnectionError": "cannot connect to the proxy",
}

# A socket's timeout must be positive, even after the deadline.
_LEAST_TIMEOUT = 0.001
_CAUSES = 8


class HttpRequest:
    """A request: a POST, or a GET without a body."""

    def __init__(self, url: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.url = url
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        # The body is the token.
        return f"<HttpRequest of {len(self.body)} bytes>"


class HttpResponse:
    """A response; a body over `BODY_LIMIT` bytes is cut after the first byte too many."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status} of {len(self.body)} bytes>"


class HttpFailure:
    """Why there is no complete response.

    Args:
        code: the class name of the error.
        reason: the innermost cause in plain words, not masked: it may quote the server.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason

    def headline(self, service: str) -> str:
        """Return what failed, as the beginning of a sentence.

        Args:
            service: the name of the server, with its article.
        """
        what = _WHAT_FAILED.get(self.code, "the call to {service} failed").format(service=service)
        return f"{what[0].upper()}{what[1:]} ({self.code})"

    def __repr__(self) -> str:
        return f"<HttpFailure {self.code}>"


def send_request(
    settings: HttpSettings, request: HttpRequest, *, seconds: float, connect: float, read: float
) -> HttpResponse | HttpFailure:
    """Send `request` once, over a connection that is closed afterwards.

    Args:
        settings: certificates and proxies.
        request: what to send.
        seconds: for everything; only a host with several addresses that do not respond may take
            `connect` seconds for each.
        connect: to connect to an address, in seconds.
        read: for each wait for a response, in seconds.
    """
    deadline = time.monotonic() + seconds
    try:
        session = _session(settings, request.url, deadline, connect, read)
        with muted(), contextlib.closing(session):
            response = session.send(_prepared(request))
            with contextlib.closing(response.raw):
                body: bytes = response.raw.read(BODY_LIMIT + 1)
    except Exception as error:  # noqa: BLE001 - botocore and urllib3 raise many classes
        # The error itself may hold the request and must not stay alive.
        return HttpFailure(type(error).__name__, reason_of(error))
    return HttpResponse(response.status_code, response.headers, body)


def reason_of(error: BaseException) -> str:
    """Return the innermost cause of a network failure in plain words, not masked."""
    return _reason(_innermost(error))


def without_frames(call: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let the exceptions of `call`, which sends a request, have no frames of it.

    `KeyboardInterrupt` may end a refresh on the caller's thread. The frames below hold the token
    and perhaps the response, and rich and Sentry show the local variables of a traceback.
    """

    @functools.wraps(call)
    def called(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return call(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again below
            interrupt = error
        interrupt.__cause__ = interrupt.__context__ = None
        try:
            raise interrupt.with_traceback(None)
        finally:
            del interrupt

    return called


def _session(settings: HttpSettings, url: str, deadline: float, connect: float, read: float) -> Any:
    # The error of botocore does not name the file.
    if isinstance(settings.verify, str) and not Path(settings.verify).exists():
        missing = FileNotFoundError(f"CA bundle {settings.verify!r} not found")
        raise SSLError(endpoint_url=url, error=missing)
    # The error of urllib3 quotes a part of a password that has a slash.
    proxies = settings.proxies_for(url)
    _check_proxy(proxies, url)
    left = max(deadline - time.monotonic(), _LEAST_TIMEOUT)
    session = URLLib3Session(
        verify=settings.verify,
        proxies=proxies,
        timeout=(min(connect, left), min(read, left)),
        # As botocore's clients do (1.44.8, args.py).
        socket_options=[(IPPROTO_TCP, TCP_NODELAY, 1)],
        client_cert=settings.client_cert,
        proxies_config=(None if settings.proxies_config is None else dict(settings.proxies_config)),
    )
    # Not in botocore's public API (checked in 1.40.61, 1.43.117 and 1.44.8). Without that name,
    # a server that sends slowly can exceed the deadline, and `http.client` prints at its debug
    # level.
    pools = getattr(session, "_pool_classes_by_scheme", {})
    scheme = url.partition(":")[0].lower()
    if scheme in pools:
        pools[scheme] = _bounded(pools[scheme], deadline)
    return session


def _bounded(pool: Any, deadline: float) -> type:
    """Return a class of connection pools with connections that read until `deadline` at most."""

    def response(sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
        made: Any = HTTPResponse(sock, *args, **kwargs)
        made.fp = io.BufferedReader(_UntilDeadline(made.fp.detach(), sock, deadline))
        found: HTTPResponse = made
        return found

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        # If a program sets it for all connections, `http.client` prints the token and the response.
        debuglevel = 0
        response_class = staticmethod(response)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class _UntilDeadline(io.RawIOBase):
    """Reads from a socket until a deadline, however slowly the server sends.

    `http.client` restarts its timeout for each piece of a line and for each `100 Continue`.
    """

    def __init__(self, file: BinaryIO, sock: socket.socket, deadline: float) -> None:
        self._file: Any = file
        self._sock = sock
        self._deadline = deadline
        self._longest = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response did not end in time")
        self._sock.settimeout(min(left, self._longest or left))
        read: int | None = self._file.readinto(buffer)
        return read

    def close(self) -> None:
        super().close()
        self._file.close()


def _check_proxy(proxies: Mapping[str, str], url: str) -> None:
    proxy = ProxyConfiguration(proxies).proxy_url_for(url)
    if proxy and (defect := proxy_defect(proxy, url)):
        raise ProxyConnectionError(proxy_url="***", error=ValueError(defect))


def proxy_defect(proxy: str, url: str) -> str:
    """Return why a proxy cannot be used, without quoting it; "" if it can be.

    A password may break its URL: after urllib3 has split that, it may name no host.

    Args:
        proxy: the URL of the proxy.
        url: the URL that it is for.
    """
    with contextlib.suppress(urllib3.exceptions.LocationParseError):
        parts = urllib3.util.parse_url(proxy)
        # An @ after the host: the password ends there, and the apparent host is the user.
        if parts.host and "@" not in f"{parts.request_uri}{parts.fragment}":
            return ""
    return (
        f"the URL of the proxy ({url.partition(':')[0].upper()}_PROXY) cannot be parsed; "
        "percent-encode the user and password in it"
    )


def _prepared(request: HttpRequest) -> Any:
    method = "POST" if request.body else "GET"
    return AWSRequest(
        method, request.url, request.headers, request.body, stream_output=True
    ).prepare()


# The numbers of `getaddrinfo` are negative.
_SYSTEM_ERROR = r"\[Errno (?P<number>-?\d+)\] (?P<text>[^\[\]]+)$"


def _innermost(error: BaseException) -> BaseException:
    """Return the error that botocore and urllib3 wrapped.

    Not by `__context__`: that may be an error that the caller handles.
    """
    for _ in range(_CAUSES):
        wrapped = getattr(error, "kwargs", {}).get("error")
        inner = wrapped or error.__cause__ or next(iter(error.args[-1:]), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def _reason(error: BaseException) -> str:
    """Return the cause of a network failure in plain words."""
    verification = getattr(error, "verify_message", None)
    if verification:
        return f"certificate verify failed ({verification})"
    text = str(error) or type(error).__name__
    if isinstance(error, OSError):
        text, is_lookup = error.strerror or text, isinstance(error, gaierror)
    elif found := re.search(_SYSTEM_ERROR, text):
        # urllib3 1 quotes the system's error, and does not chain it.
        text, is_lookup = found["text"], found["number"].startswith("-")
    else:
        return text
    if is_lookup:
        return f"host not found ({text})"
    # "connection refused", but "CA bundle".
    return text[0].lower() + text[1:] if text[1:2].islower() else text
