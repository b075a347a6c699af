"""What the token's issuer says of itself to this machine.

Nobody has verified the claim `iss`: whoever wrote the token's file chooses whom doctor asks. So
nothing is sent but a plain GET, only to where an issuer of its kind may be, and nothing that is
read comes back but names of keys.
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
    Trouble,
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
# Where clouds hand out the machine's own credentials (EC2 user guide, "Instance metadata"; EKS
# user guide, "EKS Pod Identity"). In IPv4 they are link-local.
_METADATA = {ipaddress.ip_address(each) for each in ("fd00:ec2::254", "fd00:ec2::23")}


class _IssuerRequest(NamedTuple):
    """How an issuer is asked.

    Attributes:
        http: proxies and certificates.
        first: the issuer's URL.
        aws: whether AWS's STS is to ask it: then it is https, and may be spread over many hosts.
        deadline: by the monotonic clock.
        inside: whether the issuer's own address is a private one, so that others may be.
    """

    http: HttpSettings
    first: str
    aws: bool
    deadline: float
    inside: bool = False


def fetch_issuer(http: HttpSettings, token: Token, *, aws: bool) -> Issuer:
    """Return what the token's issuer says of itself to this machine.

    Args:
        http: proxies and certificates.
        token: names its issuer, unverified.
        aws: whether the STS is AWS's own, which takes https only.
    """
    claims = token.claims or {}
    url = text_or_none(claims.get("iss"))
    if url is None:
        return Issuer("", error="the token names no issuer")
    about = Issuer(url, region_of_issuer(url), _kid(token))
    way = _IssuerRequest(http, url, aws, time.monotonic() + STEP)
    try:
        return within(STEP, lambda: _documents(way, about))
    except Trouble as trouble:
        return about._replace(error=str(trouble))


def _documents(way: _IssuerRequest, about: Issuer) -> Issuer:
    way = way._replace(inside=_is_inside(way))
    discovery = _json(way, f"{about.url.rstrip('/')}/.well-known/openid-configuration")
    about = about._replace(named=text_or_none(discovery.get("issuer")))
    keys = _json(way, text_or_none(discovery.get("jwks_uri")) or "").get("keys")
    if not isinstance(keys, list):
        raise Trouble("its key set (jwks_uri) has no keys")
    kids = [_kid_of(each) for each in keys[:_MOST_KEYS]]
    return about._replace(kids=tuple(kid for kid in kids if kid is not None))


def _json(way: _IssuerRequest, url: str) -> dict[str, Any]:
    content = _get(way, url)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Trouble(f"{quoted(url)} is no JSON document")
    return document


def _get(way: _IssuerRequest, url: str) -> bytes:
    """Return a document of at most 256 KiB, behind a few redirects at most."""
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    for _ in range(_MOST_REDIRECTS + 1):
        _require_expected_url(way, url)
        proxy = proxy_for(way.http, url)
        if proxy.trouble:
            raise Trouble(proxy.trouble)
        _require_allowed_address(way, url, proxied=proxy.url is not None)
        session = URLLib3Session(
            verify=way.http.verify, proxies=way.http.proxies_for(url), timeout=(_CONNECT, STEP)
        )
        with contextlib.closing(session), muted():
            request = AWSRequest("GET", url, {"Accept": "application/json"}, stream_output=True)
            try:
                response = session.send(request.prepare())
            except BotoCoreError as error:
                # They quote the URL, whose path looks like a secret where a cluster's id is in it.
                server = url[: len(url) - len(urlsplit(url).path)]
                raise Trouble(mask(str(error).replace(url, server))) from None
            with contextlib.closing(response.raw):
                if response.status_code == _OK:
                    return _read(response.raw, way.deadline)
        if response.status_code not in _REDIRECTS:
            raise Trouble(f"{quoted(url)} answers {response.status_code}")
        url = _onward(url, response.headers.get("Location", ""))
    raise Trouble(f"more than {_MOST_REDIRECTS} redirects")


def _onward(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise Trouble(f"{quoted(url)} redirects to what is no URL") from None


def _read(raw: Any, deadline: float) -> bytes:
    """Return a body, cut at its limit; who drips is left when the time is over."""
    # urllib3 has `read1` from 2.1 on; a plain `read` of many bytes waits for all of them.
    read = methodcaller(*(("read1", _PIECE) if hasattr(raw, "read1") else ("read", 1)))
    content = b""
    while len(content) < _DOCUMENT_LIMIT:
        if time.monotonic() >= deadline:
            raise Trouble("the answer did not end in time")
        piece = read(raw)
        if not piece:
            break
        content += piece
    return content[:_DOCUMENT_LIMIT]


def _require_expected_url(way: _IssuerRequest, url: str) -> None:
    """Raise for a URL that such an issuer does not have.

    Raises:
        Trouble: says why.
    """
    try:
        validation.endpoint_url(url, "")
    except ConfigError:
        raise Trouble(f"{quoted(url)} is no http(s) URL") from None
    parts, first = urlsplit(url), urlsplit(way.first)
    if way.aws:
        if parts.scheme != "https":
            raise Trouble(f"{quoted(url)} is no https URL, and AWS's STS takes no other")
    elif (parts.scheme, parts.netloc) != (first.scheme, first.netloc):
        raise Trouble(f"it leads to another place, {quoted(url)}, which is not asked")


def _require_allowed_address(way: _IssuerRequest, url: str, *, proxied: bool) -> None:
    """Raise where a URL leads to addresses that no stranger may have us ask.

    Raises:
        Trouble: says which.
    """
    for address in _addresses(url, proxied=proxied):
        if _is_metadata(address):
            raise Trouble(f"{quoted(url)} leads to {address}, which is no issuer's")
        if not (address.is_global or way.inside):
            raise Trouble(f"{quoted(url)} leads to {address}, inside this network")


def _is_inside(way: _IssuerRequest) -> bool:
    """Whether the issuer itself is at a private address, as a cluster's own may be."""
    _require_expected_url(way, way.first)
    proxied = proxy_for(way.http, way.first).url is not None
    return any(not each.is_global for each in _addresses(way.first, proxied=proxied))


def _addresses(url: str, *, proxied: bool) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses of a URL's host; behind a proxy only one that is written out."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = (host,) if proxied else addresses_of(host, parts.port or PORTS[parts.scheme])
    addresses = []
    for each in found:
        # A name behind a proxy, which nobody here can look up.
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
