"""One POST over a connection of its own, bounded in time and size.

Imports inside functions are of modules that `_lazy` has loaded before: only an exchange pays.
"""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._exchange.muting import muted
from irsa_creds._identity.validation import is_proxy_url

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import BinaryIO

    from irsa_creds._identity.endpoint_settings import HttpSettings

__all__ = ["BODY_LIMIT", "NoReply", "Reply", "Request", "post"]

BODY_LIMIT = 1024 * 1024

# A socket's timeout must be positive, even when nothing is left.
_LEAST_TIMEOUT = 0.001
_CAUSES = 8


class Request(NamedTuple):
    """What is sent by POST."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        # The body is the token.
        return f"<Request of {len(self.body)} bytes>"


class Reply(NamedTuple):
    """What came back; a body over `BODY_LIMIT` bytes is cut behind the first byte too many."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Reply {self.status} of {len(self.body)} bytes>"


class NoReply(NamedTuple):
    """Why no whole answer came.

    Attributes:
        code: the class name of the error.
        reason: its innermost cause in words, not masked: a server's own words among them.
    """

    code: str
    reason: str

    def __repr__(self) -> str:
        return f"<NoReply {self.code}>"


def post(
    settings: HttpSettings, request: Request, *, seconds: float, connect: float, read: float
) -> Reply | NoReply:
    """Send `request` once, over a connection that is closed afterwards.

    Args:
        settings: certificates and proxies.
        request: what to send.
        seconds: for all of it; only a host with several addresses that do not answer may take
            `connect` for each of them.
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
    except Exception as error:  # noqa: BLE001 - botocore and urllib3 raise a zoo
        return _no_reply(error)
    return Reply(response.status_code, response.headers, body)


def _session(settings: HttpSettings, url: str, deadline: float, connect: float, read: float) -> Any:
    from socket import IPPROTO_TCP, TCP_NODELAY  # noqa: PLC0415

    from botocore.exceptions import SSLError  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    # botocore would say "No such file or directory" and not which.
    if isinstance(settings.verify, str) and not Path(settings.verify).exists():
        raise SSLError(endpoint_url=url, error=f"there is no CA bundle {settings.verify!r}")
    # urllib3 would quote half of a password that has a slash in it.
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
    # only a server that drips could outlast the deadline, and `http.client` could be told to print.
    pools = getattr(session, "_pool_classes_by_scheme", {})
    scheme = url.partition(":")[0].lower()
    if scheme in pools:
        pools[scheme] = _bounded(pools[scheme], deadline)
    return session


def _bounded(pool: Any, deadline: float) -> type:
    """Return a class of connection pools whose connections read until `deadline` at most."""
    from http.client import HTTPResponse  # noqa: PLC0415

    def response(sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
        made: Any = HTTPResponse(sock, *args, **kwargs)
        made.fp = io.BufferedReader(_UntilDeadline(made.fp.detach(), sock, deadline))
        found: HTTPResponse = made
        return found

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        # If a program sets it for all connections, `http.client` prints the token and the answer.
        debuglevel = 0
        response_class = staticmethod(response)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class _UntilDeadline(io.RawIOBase):
    """Reads from a socket until a deadline, whatever a server sends and however slowly.

    `http.client` waits anew for each piece of a line, and for as many `100 Continue` as come.
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
            raise TimeoutError("the answer did not end in time")
        self._sock.settimeout(min(left, self._longest or left))
        read: int | None = self._file.readinto(buffer)
        return read

    def close(self) -> None:
        super().close()
        self._file.close()


def _check_proxy(proxies: Mapping[str, str], url: str) -> None:
    from botocore.exceptions import ProxyConnectionError  # noqa: PLC0415
    from botocore.httpsession import ProxyConfiguration  # noqa: PLC0415

    proxy = ProxyConfiguration(proxies).proxy_url_for(url)
    if proxy and not is_proxy_url(proxy):
        trouble = ValueError(
            f"the URL of the proxy ({url.partition(':')[0].upper()}_PROXY) cannot be parsed; "
            "percent-encode the user and password in it"
        )
        raise ProxyConnectionError(proxy_url="***", error=trouble)


def _prepared(request: Request) -> Any:
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    url, headers, body = request
    return AWSRequest("POST", url, headers, body, stream_output=True).prepare()


def _no_reply(error: Exception) -> NoReply:
    """Return what `error` tells; the error itself may hold the request and must not live on."""
    cause = _innermost(error)
    return NoReply(type(error).__name__, str(cause) or type(cause).__name__)


def _innermost(error: BaseException) -> BaseException:
    """Return the error below botocore's and urllib3's wrappings.

    Not by `__context__`: that may be an error that the caller was just handling.
    """
    for _ in range(_CAUSES):
        wrapped = getattr(error, "kwargs", {}).get("error")
        inner = wrapped or error.__cause__ or next(iter(error.args[-1:]), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error
