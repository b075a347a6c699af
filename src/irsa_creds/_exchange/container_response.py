"""Responses of a container credentials endpoint: credentials or an error.

Sources: the EKS Pod Identity Agent 0.1.37, pkg/handlers and pkg/errors; EKS Auth's API reference,
AssumeRoleForPodIdentity, "Errors".
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from irsa_creds._credentials import Credentials
from irsa_creds._engine.fetching import NO_EXPIRATION
from irsa_creds._exchange.causes import Cause

__all__ = [
    "MALFORMED",
    "NO_AGENT",
    "UNREACHABLE",
    "MalformedError",
    "cause_of",
    "credentials_in",
    "error_in",
]

_FIELDS = ("AccessKeyId", "SecretAccessKey", "Token")
_BAD_REQUEST, _UNAUTHORIZED, _TOO_MANY, _SERVER_ERRORS = 400, 401, 429, 500
# The agent's text of an error of EKS Auth: request id, code, message, the party at fault.
_AGENT_ERROR = r"\[([\w-]*)\]: \((\w{1,64})\): "
_FAULT = r", fault: \w+\Z"
_CODE = r"\w{1,64}"

# The texts are templates over the values of `ContainerFetcher._failure`.
_THROTTLED = Cause(
    "{service} received too many calls.",
    "irsa-creds waits longer between its attempts.",
    retryable=True,
    throttled=True,
)
_BAD_TOKEN = Cause(
    "The authorization token is expired or not valid.",
    "Check that its file is a volume that the kubelet renews (a subPath is not), and the clocks.",
    bad_token=True,
)
_CODES = {
    "AccessDenied": Cause(
        "EKS may not assume the role of the Pod Identity association.",
        "In the role's trust policy, allow the service pods.eks.amazonaws.com both sts:AssumeRole "
        "and sts:TagSession. The node's role needs eks-auth:AssumeRoleForPodIdentity.",
    ),
    "ResourceNotFound": Cause(
        "The cluster has no Pod Identity association for {account}.",
        "Create it; a new one takes effect within seconds.",
        "aws eks create-pod-identity-association --cluster-name CLUSTER "
        "--namespace {namespace} --service-account {name} --role-arn ROLE_ARN",
    ),
    "ExpiredToken": _BAD_TOKEN,
    "InvalidToken": _BAD_TOKEN,
    "Throttling": _THROTTLED,
}
_OUTAGE = Cause(
    "{service} has no credentials at the moment.",
    "The next read tries again. An agent on EKS needs a route to EKS Auth (without internet "
    "access, the VPC endpoint eks-auth) and its node's role.",
    retryable=True,
)
MALFORMED = Cause("", "Check that {endpoint} is a container credentials endpoint.", retryable=True)
UNREACHABLE = Cause("", "Check that {endpoint} is reachable from this container.", retryable=True)
NO_AGENT = Cause(
    "",
    "Check that the EKS Pod Identity Agent runs on this pod's node (AWS Fargate has none), and "
    "that network policies allow {endpoint}.",
    "kubectl get pods --namespace kube-system --output wide "
    "--selector app.kubernetes.io/name=eks-pod-identity-agent",
    retryable=True,
)
_UNKNOWN = Cause("", "Check that {endpoint} is a container credentials endpoint.")


class MalformedError(Exception):
    """The response has no credentials; the text is the predicate of a sentence."""


def cause_of(code: str, status: int) -> Cause:
    bare = code.removesuffix("Exception")
    if bare in _CODES:
        return _CODES[bare]
    if status == _TOO_MANY:
        return _THROTTLED
    if status >= _SERVER_ERRORS:
        return _OUTAGE
    # The token is all that a request has.
    return _BAD_TOKEN if status in {_BAD_REQUEST, _UNAUTHORIZED} else _UNKNOWN


def error_in(body: bytes) -> tuple[str, str, str]:
    """Return code, message and request id of an error; "" for each that is not there."""
    text = body.decode(errors="replace").strip()
    found = re.match(_AGENT_ERROR, text)
    if found:
        request_id, code = found.groups()
        return code, re.sub(_FAULT, "", text[found.end() :]), request_id
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return "", text, ""
    # Amazon ECS's error.
    given = {str(k).lower(): v for k, v in content.items()} if isinstance(content, dict) else {}
    code, words = given.get("code"), given.get("message")
    return (
        code if isinstance(code, str) and re.fullmatch(_CODE, code) else "",
        words if isinstance(words, str) else "",
        "",
    )


def credentials_in(body: bytes, limit: int) -> Credentials:
    """Return the credentials of a response.

    Raises:
        MalformedError: it has none.
    """
    if len(body) > limit:
        raise MalformedError("is longer than 1 MiB")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise MalformedError("is not a JSON object")
    values = {name: content.get(name) for name in _FIELDS}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise MalformedError(f"lacks {', '.join(missing)}")
    key, secret, session = values.values()
    if not all(isinstance(each, str) and each.isprintable() for each in (key, secret, session)):
        raise MalformedError(f"has no printable text in {', '.join(_FIELDS)}")
    account = content.get("AccountId")
    return Credentials(
        str(key),
        str(secret),
        str(session),
        _expiration(content.get("Expiration")),
        account if isinstance(account, str) and account.isalnum() else None,
    )


def _expiration(value: object) -> datetime:
    """Return an ISO 8601 date, in UTC if it has no offset; NO_EXPIRATION if there is none."""
    if value is None or value == "":
        return NO_EXPIRATION
    try:
        date = datetime.fromisoformat(str(value))
        return min(date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC), NO_EXPIRATION)
    except (ValueError, OverflowError):
        pass
    raise MalformedError("has an Expiration that is not a date")
