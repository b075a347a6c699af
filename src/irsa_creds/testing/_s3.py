"""The IAM action of an S3 request (source: the Service Authorization Reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from irsa_creds.testing._policy import UnsupportedPolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.testing._server import Request

__all__ = ["s3_permissions"]

# Query parameters that address something other than the bucket or the object.
_SUBRESOURCES = {
    "accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering",
    "inventory", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification",
    "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
    "replication", "requestPayment", "restore", "retention", "select", "session", "tagging",
    "torrent", "uploadId", "uploads", "versioning", "versions", "website", "delete",
}  # fmt: skip
# The last item of a key is the subresource, if there is one.
_ACTIONS = {
    ("bucket", "GET", ""): "ListBucket",
    ("bucket", "HEAD", ""): "ListBucket",
    ("bucket", "PUT", ""): "CreateBucket",
    ("bucket", "DELETE", ""): "DeleteBucket",
    ("bucket", "GET", "location"): "GetBucketLocation",
    ("bucket", "GET", "versioning"): "GetBucketVersioning",
    ("bucket", "GET", "versions"): "ListBucketVersions",
    ("bucket", "GET", "uploads"): "ListBucketMultipartUploads",
    ("object", "GET", ""): "GetObject",
    ("object", "HEAD", ""): "GetObject",
    ("object", "PUT", ""): "PutObject",
    ("object", "POST", ""): "PutObject",
    ("object", "DELETE", ""): "DeleteObject",
    ("object", "POST", "uploads"): "PutObject",
    ("object", "PUT", "uploadId"): "PutObject",
    ("object", "POST", "uploadId"): "PutObject",
    ("object", "GET", "uploadId"): "ListMultipartUploadParts",
    ("object", "DELETE", "uploadId"): "AbortMultipartUpload",
    ("object", "GET", "tagging"): "GetObjectTagging",
    ("object", "PUT", "tagging"): "PutObjectTagging",
    ("object", "DELETE", "tagging"): "DeleteObjectTagging",
    ("object", "GET", "attributes"): "GetObjectAttributes",
}


def s3_permissions(request: Request, partition: str) -> Iterator[tuple[str, str]]:
    """Yield the (action, resource ARN) pairs that a request needs.

    Raises:
        UnsupportedPolicyError: the sandbox does not know the request's action.
    """
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    arn = f"arn:{partition}:s3:::{bucket}"
    names = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)}
    subresources = names & _SUBRESOURCES
    if not bucket:
        yield "s3:ListAllMyBuckets", "*"
    elif subresources == {"delete"} and request.method == "POST":
        yield "s3:DeleteObject", f"{arn}/*"
    else:
        kind = "object" if key else "bucket"
        yield f"s3:{_action(kind, request.method, subresources)}", f"{arn}/{key}" if key else arn
    if source := request.headers.get("x-amz-copy-source"):
        path = unquote(source).lstrip("/").partition("?")[0]
        yield "s3:GetObject", f"arn:{partition}:s3:::{path}"


def _action(kind: str, method: str, subresources: set[str]) -> str:
    for name in sorted(subresources) or [""]:
        if action := _ACTIONS.get((kind, method, name)):
            return action
    raise UnsupportedPolicyError(
        f"The sandbox does not know the IAM action of {method} {kind}?"
        f"{'&'.join(sorted(subresources))}; make this call with an administrator's client."
    )
