"""One POST, bounded in time and size, over botocore's HTTP session.

Imports inside functions are of modules that `_lazy` has loaded before: only an exchange pays.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._lazy import CONNECTING, IMPORT_LOCK, load_certificates
from irsa_creds._muffle import muffled
from irsa_creds._validate import is_proxy_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from irsa_creds._place import Http

__all__ = ["BODY_LIMIT", "HttpClient", "NoReply", "Reply", "Request"]

BODY_LIMIT = 1024 * 1024

_PIECE = 64 * 1024
# A socket's timeout must be positive, even when nothing is left.
_LEAST_TIMEOUT = 0.001
_CAUSES = 8
# Connections of one process that wait for their next request.
_MOST_KEPT = 32


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
        hung_up: the connection ended before the first byte of an answer.
    """

    code: str
    reason: str
    hung_up: bool = False

    def __repr__(self) -> str:
        return f"<NoReply {self.code}>"


class _Limits(NamedTuple):
    """Timeouts in seconds, each for one wait."""

    connect: float
    read: float

    def within(self, deadline: float) -> _Limits:
        """Return them cut to what is left until `deadline`."""
        left = max(deadline - time.monotonic(), _LEAST_TIMEOUT)
        return _Limits(min(self.connect, left), min(self.read, left))


class HttpClient:
    """Sends POSTs and keeps the last connection that worked.

    A session is taken off the shelf for each POST and put back only after a whole answer, so a
    thread that hangs in one shares it with nobody. Of all clients together, 32 keep one.

    Args:
        settings: certificates and proxies.
    """

    def __init__(self, settings: Http) -> None:
        self.posts = 0
        self._settings = settings
        self._shelf: deque[tuple[_Limits, Any]] = deque(maxlen=1)

    def post(
        self, request: Request, *, seconds: float, connect: float, read: float
    ) -> Reply | NoReply:
        """Send `request`, once more where the kept connection turns out to be closed.

        Args:
            request: what to send; sending it twice must do no harm.
            seconds: for all of it. Headers that come byte by byte can outlast them, and so can, by
                one wait, a stalled answer that closes its connection.
            connect: for each address that is tried, in seconds.
            read: for each wait for an answer, in seconds.
        """
        deadline = time.monotonic() + seconds
        limits = _Limits(connect, read)
        session = self._take(limits.within(deadline), read)
        if session is not None:
            outcome = self._send(session, request, deadline, limits)
            # STS closes idle connections, and its farewell may cross our request.
            if not (isinstance(outcome, NoReply) and outcome.hung_up):
                return outcome
        return self._send(None, request, deadline, limits)

    def forget(self) -> None:
        """Drop the kept connection silently: after a fork it is the parent's, as are the POSTs."""
        self.posts = 0
        self._shelf = deque(maxlen=1)

    def close(self) -> None:
        """Close the kept connection."""
        with contextlib.suppress(IndexError):
            self._shelf.pop()[1].close()

    def _take(self, wanted: _Limits, read: float) -> Any | None:
        """Return the kept session if it waits as long as `wanted`; close any other."""
        try:
            made_for, session = self._shelf.pop()
        except IndexError:
            return None
        if made_for == _session_limits(wanted, read):
            return session
        session.close()
        return None

    def _send(
        self, session: Any | None, request: Request, deadline: float, limits: _Limits
    ) -> Reply | NoReply:
        """POST once, on `session` or on a new one; keep it if a whole answer came."""
        self.posts += 1
        answered = False
        now = limits.within(deadline)
        made_for = _session_limits(now, limits.read)
        try:
            connecting: AbstractContextManager[None] = contextlib.nullcontext()
            if session is None:
                session = _new_session(self._settings, request.url, made_for)
                if _is_https(request.url):
                    connecting = CONNECTING.counted()
            with muffled():
                with connecting:
                    response = session.send(_prepared(request, now.read))
                answered = True
                with contextlib.closing(response.raw):
                    body = _read(response.raw, deadline, limits)
        except Exception as error:  # noqa: BLE001 - botocore and urllib3 raise a zoo
            outcome: Reply | NoReply = _no_reply(error, answered=answered)
        else:
            outcome = Reply(response.status_code, response.headers, body)
        if isinstance(outcome, Reply) and len(outcome.body) <= BODY_LIMIT:
            self._shelf.append((made_for, session))
            _close_others(self)
        elif session is not None:
            session.close()
        return outcome


# Who keeps a connection, the latest last.
_keepers: deque[weakref.ref[HttpClient]] = deque()


def _close_others(client: HttpClient) -> None:
    """Take note that `client` keeps a connection; of very many only the latest may.

    Else ten thousand identities would use up the files that a process may have open.
    """
    mine = weakref.ref(client)
    # IndexError: another thread has just changed it; then this client is there twice for a while.
    with contextlib.suppress(ValueError, IndexError):
        _keepers.remove(mine)
    _keepers.append(mine)
    while len(_keepers) > _MOST_KEPT:
        # IndexError: other threads have done the same meanwhile.
        with contextlib.suppress(IndexError):
            oldest = _keepers.popleft()()
            if oldest is not None:
                oldest.close()


def _session_limits(now: _Limits, read: float) -> _Limits:
    """Return the timeouts that a session is made for.

    The one for reading can be set for each request (`AWSPreparedRequest.context`, botocore
    1.43.117); where it cannot (1.40.61), a session serves only one.
    """
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    return now._replace(read=read) if hasattr(URLLib3Session, "_get_request_timeout") else now


def _new_session(settings: Http, url: str, limits: _Limits) -> Any:
    from socket import IPPROTO_TCP, TCP_NODELAY  # noqa: PLC0415

    from botocore.exceptions import SSLError  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    # botocore would say "No such file or directory" and not which.
    if isinstance(settings.verify, str) and not Path(settings.verify).exists():
        raise SSLError(endpoint_url=url, error=f"there is no CA bundle {settings.verify!r}")
    # urllib3 would quote half of a password that has a slash in it.
    proxies = settings.proxies_for(url)
    _check_proxy(proxies, url)
    # OpenSSL wakes up in the first of them, with locks of its own: a child that is forked in the
    # middle of that could never connect.
    with IMPORT_LOCK:
        if _is_https(url):
            load_certificates()
        return URLLib3Session(
            verify=settings.verify,
            proxies=proxies,
            timeout=limits,
            # As botocore's clients do (1.44.8, args.py): without it a reused connection costs
            # 44 ms.
            socket_options=[(IPPROTO_TCP, TCP_NODELAY, 1)],
            client_cert=settings.client_cert,
            proxies_config=(
                None if settings.proxies_config is None else dict(settings.proxies_config)
            ),
        )


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


def _is_https(url: str) -> bool:
    return url.lower().startswith("https:")


def _prepared(request: Request, read: float) -> Any:
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    prepared = AWSRequest("POST", request.url, request.headers, request.body, stream_output=True)
    prepared.context["read_timeout"] = read
    return prepared.prepare()


def _read(raw: Any, deadline: float, limits: _Limits) -> bytes:
    """Return the body, or its first bytes where it exceeds `BODY_LIMIT`.

    Raises:
        ReadTimeoutError: the deadline passed before its end.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in _pieces(raw, deadline, limits):
        pieces.append(piece)
        size += len(piece)
        if size > BODY_LIMIT:
            break
    return b"".join(pieces)[: BODY_LIMIT + 1]


def _pieces(raw: Any, deadline: float, limits: _Limits) -> Iterator[bytes]:
    from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415

    # A plain `read` of many bytes waits for all of them, however slowly they drip.
    # urllib3 has `read1` from 2.1 on.
    read: Callable[[], bytes] = (
        (lambda: raw.read1(_PIECE)) if hasattr(raw, "read1") else (lambda: raw.read(1))
    )
    # None where the answer closes its connection: then the request's own timeout stands.
    sock = getattr(raw.connection, "sock", None)
    while True:
        if time.monotonic() >= deadline:
            raise ReadTimeoutError(
                endpoint_url="", error=TimeoutError("the answer did not end in time")
            )
        if sock is not None:
            sock.settimeout(limits.within(deadline).read)
        piece = read()
        if not piece:
            return
        yield piece


def _no_reply(error: Exception, *, answered: bool) -> NoReply:
    """Return what `error` tells; the error itself may hold the request and must not live on."""
    from ssl import SSLEOFError, SSLZeroReturnError  # noqa: PLC0415

    from botocore.exceptions import ConnectionClosedError, SSLError  # noqa: PLC0415

    cause = _innermost(error)
    hung_up = (
        not answered
        and isinstance(error, ConnectionClosedError | SSLError)
        and isinstance(cause, ConnectionError | SSLEOFError | SSLZeroReturnError)
    )
    return NoReply(type(error).__name__, str(cause) or type(cause).__name__, hung_up)


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
