"""The steps that use the network, each bounded in time and size.

An error in one of them becomes a `Trouble`, which is a text without secrets.
"""

from __future__ import annotations

import re
import socket
import threading
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar

from irsa_creds._exchange.assume_role import SigningCredentials, signed_headers
from irsa_creds._exchange.endpoint import API_VERSION
from irsa_creds._exchange.http import NoReply, Reply, Request, post
from irsa_creds._exchange.sts import common_headers
from irsa_creds._masking import mask
from irsa_creds.diagnosis._network.network_facts import Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds._credentials import Credentials
    from irsa_creds._identity.config import Config

__all__ = [
    "PORTS",
    "STEP",
    "Trouble",
    "addresses_of",
    "connect",
    "failed_probe",
    "get_caller_arn",
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
_OK = 200
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
    request = Request(url, headers, _WHO)
    return post(config.http, request, seconds=STEP - 1, connect=_CONNECT, read=STEP - 1)


def _skew(date: str | None, now: float) -> float | None:
    """Return by how much an HTTP date, which has whole seconds, is ahead."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        told = parsedate_to_datetime(date or "")
        return told.replace(tzinfo=told.tzinfo or UTC).timestamp() + 0.5 - now
    except (ValueError, OverflowError):
        return None


def get_caller_arn(config: Config, url: str, credentials: Credentials) -> str:
    """Return whose the credentials are, as STS says (GetCallerIdentity)."""
    key = SigningCredentials(credentials)
    reply = _post(config, url, signed_headers(config, url, _WHO, key))
    if isinstance(reply, NoReply):
        raise Trouble(f"{reply.code}: {mask(reply.reason, *key.secrets)}")
    text = reply.body.decode(errors="replace")
    arn = re.search(r"<Arn>\s*(arn:[!-;=-~]{1,2048})\s*</Arn>", text)
    if reply.status == _OK and arn:
        return arn[1]
    code = re.search(r"<Code>([A-Za-z.]{1,64})</Code>", text)
    raise Trouble(mask(code[1], *key.secrets) if code else f"HTTP{reply.status}")


def text_or_none(value: object) -> str | None:
    """Return a text, and None for anything else."""
    return value if isinstance(value, str) else None
