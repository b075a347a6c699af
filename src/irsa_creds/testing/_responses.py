"""Errors and results in the XML of AWS's services."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, TypeAlias
from xml.sax.saxutils import escape

from irsa_creds.testing._server import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AwsError", "Tree", "query_error", "query_result", "s3_error"]

Tree: TypeAlias = "str | Mapping[str, Tree]"

_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}
# AWS's HTTP status of an error code, if it is not 400 (source: the STS API reference).
_STATUSES = {
    "AccessDenied": 403,
    "IDPRejectedClaim": 403,
    "InvalidAccessKeyId": 403,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "RegionDisabledException": 403,
    "SignatureDoesNotMatch": 403,
    "InternalFailure": 500,
    "InternalError": 500,
    "NotImplemented": 501,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}


class AwsError(Exception):
    """An error of AWS, in no service's XML yet.

    Args:
        code: AWS's error code.
        message: AWS's message.
        status: HTTP status; None takes AWS's status for the code.
        headers: further headers.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status: int = _STATUSES.get(code, 400) if status is None else status
        self.headers: Mapping[str, str] = headers or {}


def query_error(service: str, error: AwsError) -> Reply:
    """Return an error in the query protocol of STS and IAM."""
    request_id = str(uuid.uuid4())
    details = {
        "Type": "Sender" if error.status < 500 else "Receiver",  # noqa: PLR2004 - HTTP's classes
        "Code": error.code,
        "Message": error.message,
    }
    body = _document(
        "ErrorResponse", {"Error": details, "RequestId": request_id}, _NAMESPACES[service]
    )
    return Reply(error.status, {**_headers(request_id), **error.headers}, body)


def query_result(service: str, action: str, result: Mapping[str, Tree]) -> Reply:
    """Return a result in the query protocol."""
    request_id = str(uuid.uuid4())
    tree: Mapping[str, Tree] = {
        f"{action}Result": result,
        "ResponseMetadata": {"RequestId": request_id},
    }
    return Reply(
        200, _headers(request_id), _document(f"{action}Response", tree, _NAMESPACES[service])
    )


def s3_error(error: AwsError) -> Reply:
    """Return an error of S3: an `Error` element without namespace."""
    request_id = uuid.uuid4().hex[:16].upper()
    tree = {
        "Code": error.code,
        "Message": error.message,
        "RequestId": request_id,
        "HostId": uuid.uuid4().hex,
    }
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    return Reply(
        error.status,
        headers,
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + _document("Error", tree),
    )


def _headers(request_id: str) -> dict[str, str]:
    return {"x-amzn-RequestId": request_id, "Content-Type": "text/xml"}


def _document(name: str, tree: Mapping[str, Tree], namespace: str | None = None) -> bytes:
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return f"<{name}{attribute}>\n{_elements(tree, 1)}</{name}>\n".encode()


def _elements(tree: Mapping[str, Tree], depth: int) -> str:
    indent = "  " * depth
    parts = []
    for name, value in tree.items():
        if isinstance(value, str):
            parts.append(f"{indent}<{name}>{escape(value)}</{name}>\n")
        else:
            parts.append(f"{indent}<{name}>\n{_elements(value, depth + 1)}{indent}</{name}>\n")
    return "".join(parts)
