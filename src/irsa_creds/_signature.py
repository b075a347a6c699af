"""AWS's Signature Version 4 of one POST, as a pure function that logs nothing.

botocore's own signer logs the session token at DEBUG, and to use it without that would take its
private names. Source: "Create a signed AWS API request", IAM User Guide; the tests hold it to
AWS's published example and to botocore's arithmetic.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from datetime import datetime

    from irsa_creds._credentials import Credentials

__all__ = ["signed"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


def signed(
    headers: dict[str, str],
    body: bytes,
    *,
    url: str,
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a POST with all that its signature needs.

    Args:
        headers: those to be signed beside `Host` and the two that name time and session.
        body: what is sent.
        url: where it goes.
        credentials: whose signature it is.
        region: where the service takes itself to be.
        service: the name by which it knows itself, like "sts".
        now: the time in UTC.
    """
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    sent = {**headers, "Host": _host(url), "X-Amz-Date": stamp}
    if credentials.session_token:
        sent["X-Amz-Security-Token"] = credentials.session_token
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in sent.items())
    names = ";".join(name for name, _ in lines)
    path, query = _canonical(url)
    canonical = "\n".join([
        "POST",
        path,
        query,
        *(f"{name}:{value}" for name, value in lines),
        "",
        names,
        hashlib.sha256(body).hexdigest(),
    ])  # fmt: skip
    parts = stamp[:8], region, service, "aws4_request"
    scope = "/".join(parts)
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (*parts, f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashed}"):
        key = hmac.digest(key, part.encode(), "sha256")
    sent["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={key.hex()}"
    )
    return sent


def _host(url: str) -> str:
    """Return what is sent as `Host`: without a port that the scheme implies."""
    parts = urlsplit(url)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return name if parts.port in (None, _PORTS.get(parts.scheme)) else f"{name}:{parts.port}"


def _canonical(url: str) -> tuple[str, str]:
    """Return path and query as they are signed: normalised, and ordered by name and value."""
    parts = urlsplit(url)
    path = posixpath.normpath(parts.path or "/").replace("//", "/")
    if parts.path.endswith("/") and path != "/":
        path += "/"
    query = parts.query.split("&") if parts.query else ()
    pairs = sorted(each.partition("=")[::2] for each in query)
    return quote(path, safe="/~"), "&".join(f"{name}={value}" for name, value in pairs)
