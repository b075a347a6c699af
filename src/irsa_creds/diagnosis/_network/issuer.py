"""Fetch the discovery document and the key ids of the token's issuer.

The claim `iss` is not verified, so a forged token file could choose the URL. `fetch_issuer` sends
only plain GET requests, only to URLs that such an issuer may have, and returns only key ids.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import time
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError

from irsa_creds._errors import ConfigError
from irsa_creds._exchange.http import reason_of
from irsa_creds._exchange.muting import muted
from irsa_creds._identity import validation
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._masking import mask, quoted
from irsa_creds.diagnosis._network.addresses import (
    Address,
    address_of,
    host_and_port,
    is_metadata,
    is_public,
)
from irsa_creds.diagnosis._network.network_facts import IssuerDocuments
from irsa_creds.diagnosis._network.pinned import get_from
from irsa_creds.diagnosis._network.probes import (
    STEP,
    StepError,
    addresses_of,
    connect,
    text_or_none,
    within,
)
from irsa_creds.diagnosis._network.proxy import proxy_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds._identity.endpoint_settings import HttpSettings
    from irsa_creds._identity.token import Token

__all__ = ["fetch_issuer"]

_CONNECT = 3.0  # seconds
_MOST_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_DOCUMENT_LIMIT = 256 * 1024
_PIECE = 64 * 1024
_MOST_KEYS = 100


class _IssuerRequest(NamedTuple):
    """How to contact an issuer.

    Attributes:
        http: proxies and certificates.
        first: the issuer's URL.
        aws: whether AWS STS must reach it; it then uses https and may use several hosts.
        deadline: of the monotonic clock.
        private: whether the issuer's own addresses are private, so that others may be, too.
    """

    http: HttpSettings
    first: str
    aws: bool
    deadline: float
    private: bool = False


def fetch_issuer(http: HttpSettings, token: Token, *, aws: bool) -> IssuerDocuments:
    """Return the documents of the token's issuer.

    Args:
        http: proxies and certificates.
        token: not verified.
        aws: whether the STS is AWS's own, which accepts https only.
    """
    claims = token.claims or {}
    url = text_or_none(claims.get("iss"))
    if url is None:
        return IssuerDocuments("", error="the token has no issuer")
    about = IssuerDocuments(url, region_of_issuer(url), _kid(token))
    request = _IssuerRequest(http, url, aws, time.monotonic() + STEP)
    try:
        return within(STEP, lambda: _fetch_documents(request, about))
    except StepError as error:
        return about._replace(error=str(error))


def _fetch_documents(request: _IssuerRequest, about: IssuerDocuments) -> IssuerDocuments:
    request = request._replace(private=_is_private(request))
    discovery = _fetch_json(request, f"{about.url.rstrip('/')}/.well-known/openid-configuration")
    about = about._replace(named=text_or_none(discovery.get("issuer")))
    keys = _fetch_json(request, text_or_none(discovery.get("jwks_uri")) or "").get("keys")
    if not isinstance(keys, list):
        raise StepError("its key set (jwks_uri) has no keys")
    kids = [_kid_of(each) for each in keys[:_MOST_KEYS]]
    return about._replace(kids=tuple(kid for kid in kids if kid is not None))


def _fetch_json(request: _IssuerRequest, url: str) -> dict[str, Any]:
    content = _get(request, url)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise StepError(f"{quoted(url)} is not a JSON document")
    return document


def _get(request: _IssuerRequest, url: str) -> bytes:
    """Return a document of at most 256 KiB, after a few redirects at most."""
    for _ in range(_MOST_REDIRECTS + 1):
        _require_expected_url(request, url)
        with _response(request, url) as response:
            if response.status == _OK:
                return _read(response, request.deadline)
            status, location = response.status, response.headers.get("Location", "")
        if status not in _REDIRECTS:
            raise StepError(f"{quoted(url)} returned HTTP {status}")
        url = _redirected(url, location)
    raise StepError(f"more than {_MOST_REDIRECTS} redirects")


@contextlib.contextmanager
def _response(request: _IssuerRequest, url: str) -> Iterator[Any]:
    """Yield urllib3's response to a request for a URL whose addresses are allowed."""
    proxy = proxy_for(request.http, url)
    if proxy.error:
        raise StepError(proxy.error)
    addresses = _allowed_addresses(request, url, proxied=proxy.url is not None)
    headers, timeouts = {"Accept": "application/json"}, (_CONNECT, STEP)
    parts = urlsplit(url)
    # The cluster ID in the path looks like a secret.
    server = f"{parts.scheme}://{parts.netloc}"
    with muted(), contextlib.ExitStack() as stack:
        try:
            if proxy.url is None:
                _, port = host_and_port(url)
                address = connect(addresses, port)
                sent = get_from(
                    address, url, headers, ca_bundle=request.http.verify, timeouts=timeouts
                )
                response = stack.enter_context(sent)
            else:
                session = URLLib3Session(
                    verify=request.http.verify,
                    proxies=request.http.proxies_for(url),
                    timeout=timeouts,
                )
                stack.enter_context(contextlib.closing(session))
                get = AWSRequest("GET", url, headers, stream_output=True).prepare()
                response = stack.enter_context(contextlib.closing(session.send(get).raw))
        except (BotoCoreError, HTTPError, StepError) as error:
            raise StepError(f"{server}: {mask(reason_of(error))}") from None
        yield response


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise StepError(f"{quoted(url)} redirects to an invalid URL") from None


def _read(raw: Any, deadline: float) -> bytes:
    """Return a body up to the limit; raise at the deadline if the server is slow."""
    # urllib3 has `read1` since 2.1; `read` with a size waits until all bytes are there.
    read = methodcaller(*(("read1", _PIECE) if hasattr(raw, "read1") else ("read", 1)))
    content = b""
    while len(content) < _DOCUMENT_LIMIT:
        if time.monotonic() >= deadline:
            raise StepError("the response did not end in time")
        piece = read(raw)
        if not piece:
            break
        content += piece
    return content[:_DOCUMENT_LIMIT]


def _require_expected_url(request: _IssuerRequest, url: str) -> None:
    """Raise for a URL that such an issuer cannot have.

    Raises:
        StepError: names the reason.
    """
    try:
        validation.endpoint_url(url, "")
    except ConfigError:
        raise StepError(f"{quoted(url)} is not an http(s) URL") from None
    parts, first = urlsplit(url), urlsplit(request.first)
    if request.aws:
        if parts.scheme != "https":
            raise StepError(f"{quoted(url)} is not an https URL, which AWS STS requires")
    elif (parts.scheme, parts.netloc) != (first.scheme, first.netloc):
        raise StepError(f"it leads to another server, {quoted(url)}, which doctor does not contact")


def _allowed_addresses(request: _IssuerRequest, url: str, *, proxied: bool) -> tuple[str, ...]:
    """Return the addresses of a URL's host.

    Raises:
        StepError: one of them is an address that an unverified token must not select.
    """
    found = _addresses(url, proxied=proxied)
    for address in found.values():
        # Behind a proxy, a loopback address is the proxy's own machine.
        if is_metadata(address) or (proxied and address.is_loopback):
            raise StepError(f"{quoted(url)} leads to {address}, which cannot be an issuer")
        if not (is_public(address) or request.private):
            raise StepError(f"{quoted(url)} leads to {address}, inside this network")
    return tuple(found)


def _is_private(request: _IssuerRequest) -> bool:
    """Return whether the issuer has private addresses only, as that of a cluster may have."""
    _require_expected_url(request, request.first)
    proxied = proxy_for(request.http, request.first).url is not None
    found = _addresses(request.first, proxied=proxied).values()
    return bool(found) and not any(is_public(each) for each in found)


def _addresses(url: str, *, proxied: bool) -> dict[str, Address]:
    """Return the addresses of a URL's host; with a proxy, only an address in the URL itself."""
    host, port = host_and_port(url)
    found = (_spelled_out(host),) if proxied else addresses_of(host, port)
    addresses = {}
    for each in found:
        # With a proxy, the host name is not resolved here.
        with contextlib.suppress(ValueError):
            addresses[each] = address_of(each)
    return addresses


def _spelled_out(host: str) -> str:
    """Return a host as the usual form of its IPv4 address if it is one in any form.

    A proxy may read 2852039166 or 0xa9fea9fe as 169.254.169.254.
    """
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
        return "127.0.0.1"
    with contextlib.suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return host


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
    return None if kid is None else quoted(kid)[1:-1]
