"""Presigned URLs of S3 with signature version 2, which boto3 makes by default in us-east-1.

Source: Amazon S3 User Guide, "Signing and authenticating REST requests", section "Query string
request authentication alternative".
"""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import HmacV1QueryAuth
from botocore.credentials import Credentials

from irsa_creds.testing._responses import AwsError
from irsa_creds.testing._sigv4 import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.testing._server import Request

__all__ = ["read_presigned"]


class _SignatureV2(Signature):
    """The signature of such a URL; its timestamp is the end of its validity."""

    __slots__ = ()

    def expected(self, request: Request, secret_access_key: str) -> str:
        """Return the correct signature of a request for a secret key."""
        signer = HmacV1QueryAuth(Credentials(self.access_key_id, secret_access_key))
        # The client signs its headers, and sends some of them in the query.
        headers = Message()
        for name, given in {**dict(request.headers.items()), **_query(request)}.items():
            headers[name.lower()] = given
        lines = [
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            self.timestamp,
            *filter(None, [signer.canonical_custom_headers(headers)]),
            signer.canonical_resource(urlsplit(f"{request.path}?{request.query}")),
        ]
        value: str = signer.sign_string("\n".join(lines))
        return value


def read_presigned(request: Request) -> Signature | None:
    """Return the signature of a presigned URL of this version; None for another request.

    Raises:
        AwsError: the URL is malformed.
    """
    query = _query(request)
    if "AWSAccessKeyId" not in query or "SignatureVersion" in query:
        return None
    if "Signature" not in query or not query.get("Expires", "").isdecimal():
        raise AwsError(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
            "parameters",
            status=403,
        )
    return _SignatureV2(
        access_key_id=query["AWSAccessKeyId"],
        region="",
        service="s3",
        signed_headers=(),
        timestamp=query["Expires"],
        value=query["Signature"],
        session_token=query.get("x-amz-security-token"),
        valid_until=float(query["Expires"]),
    )


def _query(request: Request) -> Mapping[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))
