"""Parsing and verification of AWS Signature Version 4, with botocore's own signer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from irsa_creds.testing._responses import AwsError

if TYPE_CHECKING:
    from irsa_creds.testing._server import Request

__all__ = ["Signature", "read_signature"]

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^,]+), *"
    r"SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>[0-9a-f]+)"
)
_SCOPE_PARTS = 5
_TIMESTAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Signature:
    """The parts of a signature, from the header or from a presigned URL.

    Attributes:
        access_key_id: of the signing key.
        region: of the scope.
        service: of the scope, such as "s3".
        signed_headers: their names, in lower case.
        timestamp: the time of signing, as sent.
        value: the signature, in hex.
        session_token: sent with the signature, or None.
        valid_until: seconds since the epoch for a presigned URL, else None.
    """

    access_key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    timestamp: str
    value: str = field(repr=False)
    session_token: str | None = field(repr=False)
    valid_until: float | None = None

    def expected(self, request: Request, secret_access_key: str) -> str:
        """Return the correct signature of a request for a secret key."""
        kinds = (
            (S3SigV4Auth, S3SigV4QueryAuth) if self.service == "s3" else (SigV4Auth, SigV4QueryAuth)
        )
        signer = kinds[self.valid_until is not None](
            Credentials(self.access_key_id, secret_access_key), self.service, self.region
        )
        query = "&".join(
            part for part in request.query.split("&") if not part.startswith("X-Amz-Signature=")
        )
        rebuilt = AWSRequest(
            method=request.method,
            url=f"http://{request.headers['Host']}{request.path}?{query}",
            headers={name: request.headers.get(name, "") for name in self.signed_headers},
            data=request.body,
        )
        rebuilt.context["timestamp"] = self.timestamp
        to_sign = signer.string_to_sign(rebuilt, signer.canonical_request(rebuilt))
        value: str = signer.signature(to_sign, rebuilt)
        return value


def read_signature(request: Request) -> Signature | None:
    """Return the request's signature, or None.

    Raises:
        AwsError: the signature is malformed or has another version.
    """
    query = parse_qs(request.query)
    if "X-Amz-Signature" in query:
        return _presigned({name: values[0] for name, values in query.items()})
    # Version 2 uses this parameter, or the same header.
    authorization = request.headers.get("Authorization") or "".join(query.get("Signature", []))
    if not authorization:
        return None
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None:
        raise AwsError(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. "
            "Please use AWS4-HMAC-SHA256.",
        )
    key, region, service = _scope(match["credential"])
    return Signature(
        access_key_id=key,
        region=region,
        service=service,
        signed_headers=tuple(match["headers"].split(";")),
        timestamp=request.headers.get("X-Amz-Date", ""),
        value=match["signature"],
        session_token=request.headers.get("X-Amz-Security-Token"),
    )


def _presigned(query: dict[str, str]) -> Signature:
    key, region, service = _scope(query.get("X-Amz-Credential", ""))
    timestamp = query.get("X-Amz-Date", "")
    try:
        signed_at = datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
        valid_until = signed_at + timedelta(seconds=int(query.get("X-Amz-Expires", "")))
    except ValueError:
        raise _malformed() from None
    return Signature(
        access_key_id=key,
        region=region,
        service=service,
        signed_headers=tuple(query.get("X-Amz-SignedHeaders", "host").split(";")),
        timestamp=timestamp,
        value=query["X-Amz-Signature"],
        session_token=query.get("X-Amz-Security-Token"),
        valid_until=valid_until.timestamp(),
    )


def _scope(credential: str) -> tuple[str, str, str]:
    parts = credential.split("/")
    if len(parts) != _SCOPE_PARTS:
        raise _malformed()
    key, _, region, service, _ = parts
    return key, region, service


def _malformed() -> AwsError:
    return AwsError(
        "AuthorizationQueryParametersError", "The scope or the date of the signature is malformed."
    )
