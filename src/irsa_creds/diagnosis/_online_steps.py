"""The steps that use the network, each bounded in time and size.

An error in one of them becomes a `Trouble`, which is a text without secrets.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from irsa_creds._answer import bare_url
from irsa_creds._endpoint import API_VERSION, signing_region
from irsa_creds._errors import mask
from irsa_creds._http import HttpClient, NoReply, Reply, Request
from irsa_creds._muffle import muffled
from irsa_creds._place import region_of_issuer
from irsa_creds._signature import signed
from irsa_creds._sts import common_headers
from irsa_creds._validate import shown
from irsa_creds.diagnosis._online_facts import Issuer, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds._config import Config
    from irsa_creds._credentials import Credentials
    from irsa_creds._place import Http
    from irsa_creds._token import Token

__all__ = [
    "PORTS",
    "STEP",
    "Trouble",
    "addresses_of",
    "ask_issuer",
    "ask_who",
    "connect",
    "failed_probe",
    "probe",
    "text_or_none",
    "within",
]

T = TypeVar("T")

# Seconds.
STEP = 6.0
_CONNECT = 3.0
PORTS = {"http": 80, "https": 443}
_MOST_ADDRESSES = 3
_MOST_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_DOCUMENT_LIMIT = 256 * 1024
_MOST_KEYS = 100
_WHO = f"Action=GetCallerIdentity&Version={API_VERSION}".encode()


class Trouble(Exception):  # noqa: N818 - no error, for nobody sees it: `_online` makes a fact of it
    """A step came to nothing; the text says why, and holds no secret."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns.

    Raises:
        Trouble: it took longer, and is left to itself; or it raised.
    """
    returned: list[T] = []
    troubles: list[str] = []

    def run() -> None:
        try:
            returned.append(call())
        except Trouble as trouble:
            troubles.append(str(trouble))
        # Not kept as it is: some hold what was sent.
        except Exception as error:  # noqa: BLE001 - botocore and urllib3 raise a zoo
            troubles.append(mask(str(error)) or type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if returned:
        return returned[0]
    raise Trouble(troubles[0] if troubles else f"no answer within {seconds:g} s")


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses that the system's resolver gives."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not found:
        raise Trouble("it has no address")
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def connect(addresses: tuple[str, ...], port: int) -> str:
    """Return the first address that takes a connection."""
    errors = []
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            with socket.create_connection((address, port), _CONNECT):
                return address
        except OSError as error:
            errors.append(f"{address}: {error.strerror or error}")
    raise Trouble("; ".join(errors))


def probe(config: Config, url: str, wall: Callable[[], float]) -> Probe:
    """Return what an unsigned question brings: STS refuses it, and that is an answer."""
    sent = wall()
    reply = _post(config, url, common_headers())
    took = wall() - sent
    if isinstance(reply, NoReply):
        return Probe(code=reply.code, reason=mask(reply.reason))
    return Probe(reply.status, skew=_skew(reply.headers.get("Date"), sent + took / 2))


def failed_probe(trouble: Trouble) -> Probe:
    """Return the probe that took too long."""
    return Probe(code="Timeout", reason=str(trouble))


def _post(config: Config, url: str, headers: Mapping[str, str]) -> Reply | NoReply:
    client = HttpClient(config.http)
    with contextlib.closing(client):
        request = Request(url, headers, _WHO)
        return client.post(request, seconds=STEP - 1, connect=_CONNECT, read=STEP - 1)


def _skew(date: str | None, now: float) -> float | None:
    """Return by how much an HTTP date, which has whole seconds, is ahead."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        told = parsedate_to_datetime(date or "")
        return told.replace(tzinfo=told.tzinfo or UTC).timestamp() + 0.5 - now
    except (ValueError, OverflowError):
        return None


def ask_who(config: Config, url: str, credentials: Credentials) -> str:
    """Return whose the credentials are, as STS says (GetCallerIdentity)."""
    headers = common_headers()
    # botocore does not sign it either: proxies may change it.
    agent = {"User-Agent": headers.pop("User-Agent")}
    signature = signed(
        headers,
        _WHO,
        url=url,
        credentials=credentials,
        region=signing_region(config),
        service="sts",
        now=datetime.now(UTC),
    )
    reply = _post(config, url, {**signature, **agent})
    if isinstance(reply, NoReply):
        raise Trouble(f"{reply.code}: {mask(reply.reason)}")
    text = reply.body.decode(errors="replace")
    arn = re.search(r"<Arn>\s*(arn:[!-;=-~]{1,2048})\s*</Arn>", text)
    if reply.status == _OK and arn:
        return arn[1]
    code = re.search(r"<Code>([A-Za-z.]{1,64})</Code>", text)
    raise Trouble(code[1] if code else f"HTTP{reply.status}")


def ask_issuer(http: Http, token: Token) -> Issuer:
    """Return what the token's issuer says of itself to this machine."""
    claims = token.claims or {}
    url = text_or_none(claims.get("iss"))
    if url is None:
        return Issuer("", error="the token names no issuer")
    about = Issuer(url, region_of_issuer(url), _kid(token))
    try:
        return within(STEP, lambda: _documents(http, about))
    except Trouble as trouble:
        return about._replace(error=str(trouble))


def _documents(http: Http, about: Issuer) -> Issuer:
    discovery = _json(http, f"{about.url.rstrip('/')}/.well-known/openid-configuration")
    about = about._replace(named=text_or_none(discovery.get("issuer")))
    keys = _json(http, text_or_none(discovery.get("jwks_uri")) or "").get("keys")
    if not isinstance(keys, list):
        raise Trouble("its key set (jwks_uri) has no keys")
    kids = [_kid_of(each) for each in keys[:_MOST_KEYS]]
    return about._replace(kids=tuple(kid for kid in kids if kid is not None))


def _json(http: Http, url: str) -> dict[str, Any]:
    content = _get(http, url)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Trouble(f"{_shown(url)} is no JSON document")
    return document


def _get(http: Http, url: str) -> bytes:
    """Return a document of at most 256 KiB, behind a few redirects at most."""
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    for _ in range(_MOST_REDIRECTS + 1):
        if urlsplit(url).scheme not in PORTS:
            raise Trouble(f"{_shown(url)} is no http(s) URL")
        session = URLLib3Session(
            verify=http.verify, proxies=http.proxies_for(url), timeout=(_CONNECT, STEP)
        )
        with contextlib.closing(session), muffled():
            request = AWSRequest("GET", url, {"Accept": "application/json"}, stream_output=True)
            response = session.send(request.prepare())
            with contextlib.closing(response.raw):
                if response.status_code == _OK:
                    return bytes(response.raw.read(_DOCUMENT_LIMIT))
        if response.status_code not in _REDIRECTS:
            raise Trouble(f"{_shown(url)} answers {response.status_code}")
        url = urljoin(url, response.headers.get("Location", ""))
    raise Trouble(f"more than {_MOST_REDIRECTS} redirects")


def _kid(token: Token) -> str | None:
    """Return the id of the key that signed a JWT."""
    header = token.value.split(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return None
    return _kid_of(found)


def _kid_of(found: object) -> str | None:
    kid = text_or_none(found.get("kid")) if isinstance(found, dict) else None
    return None if kid is None else shown(kid)[1:-1]


def text_or_none(value: object) -> str | None:
    """Return a text, and None for anything else."""
    return value if isinstance(value, str) else None


def _shown(url: str) -> str:
    # Not masked: the id of a cluster looks like a secret key.
    return shown(bare_url(url))
