"""Identities that sign requests: administrators, and the role sessions that STS creates."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from irsa_creds.testing._responses import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing._server import Request
    from irsa_creds.testing._sigv4 import Signature

__all__ = ["Identities", "SigningIdentity"]

_ADMIN_KEY = re.compile(r"AKIA(\d{12})ROOT")
_ADMIN_SECRET = "sandbox-admin"  # noqa: S105 - valid in a sandbox on the loopback only
# Per service: code, message, status. Sources: S3's list of error codes; STS's common errors.
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)
_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a message
_ERRORS = {
    "s3": {
        "unknown": (
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
        ),
        "token": ("InvalidToken", "The provided token is malformed or otherwise invalid.", 400),
        "expired": ("ExpiredToken", "The provided token has expired.", 400),
        "signature": ("SignatureDoesNotMatch", _WRONG_SIGNATURE, 403),
        "late": ("AccessDenied", "Request has expired", 403),
    },
    "query": {
        "unknown": ("InvalidClientTokenId", _INVALID_TOKEN, 403),
        "token": ("InvalidClientTokenId", _INVALID_TOKEN, 403),
        "expired": ("ExpiredToken", "The security token included in the request is expired", 403),
        "signature": ("SignatureDoesNotMatch", _WRONG_SIGNATURE, 403),
        "late": ("SignatureDoesNotMatch", "Signature expired", 403),
    },
}


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A signing key and its AWS identity.

    Attributes:
        access_key_id: the key's public half.
        secret_access_key: its secret half.
        session_token: required with the key; None for a static key.
        arn: `Arn` of GetCallerIdentity.
        user_id: `UserId` of GetCallerIdentity.
        account_id: twelve digits.
        role: ARN of the assumed role; None for an administrator.
        expires_at: seconds since the epoch by the true clock; None for never.
        session_policies: JSON documents that restrict the role's permissions.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)
    arn: str
    user_id: str
    account_id: str
    role: str | None = None
    expires_at: float | None = None
    session_policies: tuple[str, ...] = ()


class Identities:
    """All keys of a sandbox: one administrator per account, and the role sessions.

    Args:
        clock: seconds since the epoch.
        partition: such as "aws", for the administrators' ARNs.
    """

    def __init__(self, clock: Callable[[], float], partition: str) -> None:
        self._clock = clock
        self._partition = partition
        self._lock = threading.Lock()
        self._sessions: dict[str, SigningIdentity] = {}

    def admin(self, account_id: str) -> SigningIdentity:
        """Return the administrator of an account."""
        return SigningIdentity(
            access_key_id=f"AKIA{account_id}ROOT",
            secret_access_key=_ADMIN_SECRET,
            session_token=None,
            arn=f"arn:{self._partition}:iam::{account_id}:root",
            user_id=account_id,
            account_id=account_id,
        )

    def open_session(
        self,
        *,
        role: str,
        role_id: str,
        session_name: str,
        expires_at: float,
        session_policies: tuple[str, ...] = (),
    ) -> SigningIdentity:
        """Create and store credentials for a role."""
        _, partition, _, _, account_id, resource = role.split(":")
        role_name = resource.rsplit("/", 1)[-1]
        identity = SigningIdentity(
            access_key_id="ASIA" + base64.b32encode(secrets.token_bytes(10)).decode(),
            secret_access_key=base64.b64encode(secrets.token_bytes(30)).decode(),
            session_token="IQoJb3JpZ2luX2Vj" + base64.b64encode(secrets.token_bytes(400)).decode(),
            arn=f"arn:{partition}:sts::{account_id}:assumed-role/{role_name}/{session_name}",
            user_id=f"{role_id}:{session_name}",
            account_id=account_id,
            role=role,
            expires_at=expires_at,
            session_policies=session_policies,
        )
        with self._lock:
            self._sessions[identity.access_key_id] = identity
        return identity

    def expire_all(self) -> None:
        """Expire every session now, before the expiration in its credentials."""
        now = self._clock()
        with self._lock:
            self._sessions = {
                key: replace(identity, expires_at=now) for key, identity in self._sessions.items()
            }

    def authenticate(self, request: Request, signature: Signature) -> SigningIdentity:
        """Return the identity that signed a request.

        Raises:
            AwsError: the key is unknown, the session token does not belong to it, it has expired,
                or the signature is wrong; with the code and message of the requested service.
        """
        identity = self._find(signature.access_key_id)
        now = self._clock()
        if identity is None:
            raise _error(signature, "unknown")
        if identity.session_token != signature.session_token:
            raise _error(signature, "token")
        if identity.expires_at is not None and now >= identity.expires_at:
            raise _error(signature, "expired")
        expected = signature.expected(request, identity.secret_access_key)
        if not hmac.compare_digest(expected, signature.value):
            raise _error(signature, "signature")
        if signature.valid_until is not None and now >= signature.valid_until:
            raise _error(signature, "late")
        return identity

    def _find(self, access_key_id: str) -> SigningIdentity | None:
        if match := _ADMIN_KEY.fullmatch(access_key_id):
            return self.admin(match[1])
        with self._lock:
            return self._sessions.get(access_key_id)


def _error(signature: Signature, reason: str) -> AwsError:
    code, message, status = _ERRORS["s3" if signature.service == "s3" else "query"][reason]
    return AwsError(code, message, status=status)
