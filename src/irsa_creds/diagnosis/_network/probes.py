"""Network calls with bounded time and size: DNS, connection, probe, GetCallerIdentity.

Every failure becomes a `StepError`, with a text without secrets.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from irsa_creds._exchange.assume_role import signed_headers
from irsa_creds._exchange.chained_fetcher import SigningCredentials
from irsa_creds._exchange.endpoint import API_VERSION
from irsa_creds._exchange.http import HttpFailure, HttpRequest, HttpResponse, send_request
from irsa_creds._exchange.sts import common_headers
from irsa_creds._masking import mask
from irsa_creds.diagnosis._network.network_facts import Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds._credentials import Credentials
    from irsa_creds._identity.config import Config

__all__ = [
    "STEP",
    "StepError",
    "addresses_of",
    "connect",
    "get_caller_arn",
    "probe",
    "text_or_none",
    "within",
]

T = TypeVar("T")

# Seconds.
STEP = 6.0
_CONNECT = 3.0
_MOST_ADDRESSES = 3
_OK = 200
_GET_CALLER = f"Action=GetCallerIdentity&Version={API_VERSION}".encode()


class StepError(Exception):
    """A step failed; the text has the reason and no secret."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of `call`.

    Raises:
        StepError: it raised, or took longer; its thread then continues alone.
    """
    returned: list[T] = []
    errors: list[str] = []

    def run() -> None:
        try:
            returned.append(call())
        except StepError as error:
            errors.append(str(error))
        # Some exceptions contain the request, so only the masked text is kept.
        except Exception as error:  # noqa: BLE001 - botocore and urllib3 have many error classes
            errors.append(mask(str(error)) or type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if returned:
        return returned[0]
    raise StepError(errors[0] if errors else f"no response within {seconds:g} s")


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses from the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not found:
        raise StepError("the host has no address")
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def connect(addresses: tuple[str, ...], port: int) -> str:
    """Return the first address that accepts a connection."""
    errors = []
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            with socket.create_connection((address, port), _CONNECT):
                return address
        except OSError as error:
            errors.append(f"{address}: {error.strerror or error}")
    raise StepError("; ".join(errors))


def probe(config: Config, url: str) -> Probe:
    """Send an unsigned request; the denial of STS proves that it is reachable."""
    sent = time.time()
    reply = _post(config, url, common_headers(config))
    took = time.time() - sent
    if isinstance(reply, HttpFailure):
        return Probe(code=reply.code, reason=mask(reply.reason))
    return Probe(reply.status, skew=_skew(reply.headers.get("Date"), sent + took / 2))


def _post(config: Config, url: str, headers: Mapping[str, str]) -> HttpResponse | HttpFailure:
    request = HttpRequest(url, headers, _GET_CALLER)
    return send_request(config.http, request, seconds=STEP - 1, connect=_CONNECT, read=STEP - 1)


def _skew(date: str | None, now: float) -> float | None:
    """Return by how many seconds an HTTP date is ahead; it has whole seconds."""
    try:
        parsed = parsedate_to_datetime(date or "")
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp() + 0.5 - now
    except (ValueError, OverflowError):
        return None


def get_caller_arn(config: Config, url: str, credentials: Credentials) -> str:
    """Return the ARN of the credentials' identity (GetCallerIdentity)."""
    key = SigningCredentials(credentials)
    reply = _post(config, url, signed_headers(config, url, _GET_CALLER, key))
    if isinstance(reply, HttpFailure):
        raise StepError(f"{reply.code}: {mask(reply.reason, *key.secrets)}")
    text = reply.body.decode(errors="replace")
    arn = re.search(r"<Arn>\s*(arn:[!-;=-~]{1,2048})\s*</Arn>", text)
    if reply.status == _OK and arn:
        return arn[1]
    code = re.search(r"<Code>([A-Za-z.]{1,64})</Code>", text)
    raise StepError(mask(code[1], *key.secrets) if code else f"HTTP{reply.status}")


def text_or_none(value: object) -> str | None:
    """Return a text; None for any other type."""
    return value if isinstance(value, str) else None
