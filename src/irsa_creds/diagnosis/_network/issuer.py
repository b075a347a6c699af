"""Fetch the discovery document and the key ids of the token's issuer.

The claim `iss` is not verified, so a forged token file could choose the URL. `fetch_issuer` sends
only plain GET requests, only to URLs that such an issuer may have, and returns only key ids.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import time
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from irsa_creds._errors import ConfigError
from irsa_creds._exchange.muting import muted
from irsa_creds._identity import validation
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._identity.validation import quoted
from irsa_creds._masking import mask
from irsa_creds.diagnosis._network.network_facts import Issuer
from irsa_creds.diagnosis._network.probes import (
    PORTS,
    STEP,
    StepError,
    addresses_of,
    text_or_none,
    within,
)
from irsa_creds.diagnosis._network.proxy import proxy_for

if TYPE_CHECKING:
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
# Addresses of credentials of the machine (EC2 User Guide, "Instance metadata"; EKS User Guide, "EKS
# Pod Identity"). The IPv4 ones are link-local.
_METADATA = {ipaddress.ip_address(each) for each in ("fd00:ec2::254", "fd00:ec2::23")}


class _IssuerRequest(NamedTuple):
    """How to contact an issuer.

    Attributes:
        http: proxies and certificates.
        first: the issuer's URL.
        aws: whether AWS STS must reach it; it then uses https and may use several hosts.
        deadline: of the monotonic clock.
        private: whether the issuer's own address is private, so that others may be, too.
    """

    http: HttpSettings
    first: str
    aws: bool
    deadline: float
    private: bool = False


def fetch_issuer(http: HttpSettings, token: Token, *, aws: bool) -> Issuer:
    """Return the documents of the token's issuer.

    Args:
        http: proxies and certificates.
        token: not verified.
        aws: whether the STS is AWS's own, which accepts https only.
    """
    claims = token.claims or {}
    url = text_or_none(claims.get("iss"))
    if url is None:
        return Issuer("", error="the token has no issuer")
    about = Issuer(url, region_of_issuer(url), _kid(token))
    request = _IssuerRequest(http, url, aws, time.monotonic() + STEP)
    try:
        return within(STEP, lambda: _fetch_documents(request, about))
    except StepError as error:
        return about._replace(error=str(error))


def _fetch_documents(request: _IssuerRequest, about: Issuer) -> Issuer:
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
        proxy = proxy_for(request.http, url)
        if proxy.error:
            raise StepError(proxy.error)
        _require_allowed_address(request, url, proxied=proxy.url is not None)
        session = URLLib3Session(
            verify=request.http.verify,
            proxies=request.http.proxies_for(url),
            timeout=(_CONNECT, STEP),
        )
        with contextlib.closing(session), muted():
            get = AWSRequest("GET", url, {"Accept": "application/json"}, stream_output=True)
            try:
                response = session.send(get.prepare())
            except BotoCoreError as error:
                # Its text has the URL, and the cluster ID in the path looks like a secret.
                server = url[: len(url) - len(urlsplit(url).path)]
                raise StepError(mask(str(error).replace(url, server))) from None
            with contextlib.closing(response.raw):
                if response.status_code == _OK:
                    return _read(response.raw, request.deadline)
        if response.status_code not in _REDIRECTS:
            raise StepError(f"{quoted(url)} returned HTTP {response.status_code}")
        url = _redirected(url, response.headers.get("Location", ""))
    raise StepError(f"more than {_MOST_REDIRECTS} redirects")


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


def _require_allowed_address(request: _IssuerRequest, url: str, *, proxied: bool) -> None:
    """Raise if a URL leads to an address that an unverified token must not select.

    Raises:
        StepError: names the address.
    """
    for address in _addresses(url, proxied=proxied):
        if _is_metadata(address):
            raise StepError(f"{quoted(url)} leads to {address}, which cannot be an issuer")
        if not (address.is_global or request.private):
            raise StepError(f"{quoted(url)} leads to {address}, inside this network")


def _is_private(request: _IssuerRequest) -> bool:
    """Return whether the issuer has a private address, as that of a cluster may have."""
    _require_expected_url(request, request.first)
    proxied = proxy_for(request.http, request.first).url is not None
    return any(not each.is_global for each in _addresses(request.first, proxied=proxied))


def _addresses(url: str, *, proxied: bool) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses of a URL's host; with a proxy, only an address in the URL itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = (host,) if proxied else addresses_of(host, parts.port or PORTS[parts.scheme])
    addresses = []
    for each in found:
        # With a proxy, the host name is not resolved here.
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(each.partition("%")[0])
            addresses.append(getattr(address, "ipv4_mapped", None) or address)
    return addresses


def _is_metadata(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    closed = address.is_link_local or address.is_multicast or address.is_unspecified
    return closed or address in _METADATA


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
