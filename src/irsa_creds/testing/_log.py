"""Recorded requests, for the assertions of tests."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import jwt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from irsa_creds.testing._server import Request

__all__ = ["CallLog", "S3Call", "StsCall"]

_SECRETS = {"authorization", "webidentitytoken", "x-amz-security-token", "x-amz-signature"}
_S3_BOUND = 10_000


@dataclass(frozen=True, slots=True)
class StsCall:
    """One request to STS or the Pod Identity agent, without the token and other secrets.

    Attributes:
        at: `time.monotonic()` when it arrived.
        action: such as "AssumeRoleWithWebIdentity"; of the agent, "AssumeRoleForPodIdentity".
        role_arn: as requested, or None.
        session_name: as requested, or None.
        outcome: "OK", an error code, the name of an outage, or "pending".
        params: the form or the query, without tokens and signatures.
        token_sha256: of the web identity token, in hex; None without a token.
        claims: of the token, not verified; empty if it is not a JWT.
        headers: as sent, without signatures and session tokens.
        access_key_id: of the returned credentials; None if STS returned none.
    """

    at: float
    action: str
    role_arn: str | None
    session_name: str | None
    outcome: str
    params: Mapping[str, str]
    token_sha256: str | None
    claims: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    access_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class S3Call:
    """One request to S3 and its caller.

    Attributes:
        at: `time.monotonic()` at the response.
        access_key_id: as sent; None if the request was not signed.
        arn: the caller's; None if S3 did not authenticate it.
        method: HTTP method.
        path: bucket and key, percent-encoded.
        status: HTTP status.
    """

    at: float
    access_key_id: str | None
    arn: str | None
    method: str
    path: str
    status: int


class CallLog:
    """Thread-safe lists of the requests to STS and S3."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._sts: dict[int, StsCall] = {}
        self._s3: deque[S3Call] = deque(maxlen=_S3_BOUND)

    def begin(self, request: Request, form: Mapping[str, str]) -> int:
        """Record a request to STS; return its number for `finish`."""
        token = form.get("WebIdentityToken")
        call = StsCall(
            at=time.monotonic(),
            action=form.get("Action", ""),
            role_arn=form.get("RoleArn"),
            session_name=form.get("RoleSessionName"),
            outcome="pending",
            params=_public(form),
            token_sha256=hashlib.sha256(token.encode()).hexdigest() if token else None,
            claims=_claims(token),
            headers=_public(request.headers),
        )
        with self._lock:
            self._count += 1
            self._sts[self._count] = call
            return self._count

    def finish(self, number: int, outcome: str, access_key_id: str | None) -> None:
        """Record the outcome of a request to STS."""
        with self._lock:
            if call := self._sts.get(number):
                self._sts[number] = replace(call, outcome=outcome, access_key_id=access_key_id)

    def add_s3(self, call: S3Call) -> None:
        """Record a request to S3."""
        with self._lock:
            self._s3.append(call)

    def sts_calls(self) -> list[StsCall]:
        """Return the requests to STS, oldest first."""
        with self._lock:
            return list(self._sts.values())

    def s3_calls(self) -> list[S3Call]:
        """Return the last requests to S3, oldest first."""
        with self._lock:
            return list(self._s3)

    def reset(self) -> None:
        """Drop all records."""
        with self._lock:
            self._sts.clear()
            self._s3.clear()


def _public(fields: Mapping[str, str] | Message[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name.lower() not in _SECRETS}


def _claims(token: str | None) -> dict[str, Any]:
    try:
        return jwt.decode(token or "", options={"verify_signature": False})
    except jwt.PyJWTError:
        return {}
