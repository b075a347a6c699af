"""What an answer of STS means in IRSA, and what to do about it, as one table.

The table is the one of STS's API reference (AssumeRoleWithWebIdentity, "Errors" and "Common
Errors") seen from a pod; `_answer` classifies by it and the diagnosis quotes it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Meaning", "advice", "instant", "meaning"]

_SHOWN_LIMIT = 200
# Seconds: STS tells whole ones, and an answer takes its time.
_WORTH_TELLING = 5


class Meaning(NamedTuple):
    """What a code says about trying again.

    Attributes:
        advice: what to do, as a template over the facts of `advice`.
        retryable: the same request may succeed later.
        throttled: STS asks for fewer calls.
        bad_token: another token may succeed.
        attempts: at most so many tries in one blocking flight; 0 is the usual number.
    """

    advice: str = ""
    retryable: bool = False
    throttled: bool = False
    bad_token: bool = False
    attempts: int = 0


class _Row(NamedTuple):
    codes: tuple[str, ...]
    phrase: str  # in the message; the first row that matches is the one
    meaning: Meaning


_TRANSIENT = Meaning(
    "Is {endpoint} reachable and healthy? The next read tries again.", retryable=True
)
_THROTTLED = Meaning(
    "{endpoint} had too many calls: the next tries come more slowly.",
    retryable=True,
    throttled=True,
)
_REFUSED = Meaning("Is {endpoint} the STS that knows the role {role}?")
_UNKNOWN = Meaning("Is {endpoint} an STS?", retryable=True, attempts=3)

# Of AssumeRole, signed by the role before (STS's API reference, "Common Error Types", and IAM User
# Guide, "Troubleshoot IAM roles"); what is not here means the same as with a token.
_CHAINED = (
    _Row(
        ("AccessDenied",),
        "",
        Meaning(
            "Does a policy of the role {signer} allow sts:AssumeRole on {role} (sts:TagSession for "
            "session tags, sts:SetSourceIdentity for a source identity), and does that role's "
            "trust policy let it in, with this external id if it asks for one?"
        ),
    ),
    _Row(
        ("ExpiredToken",),
        "",
        Meaning(
            "STS takes the credentials of the role {signer} for expired{skew}; they are fetched "
            "anew. Is a clock wrong?",
            retryable=True,
            bad_token=True,
            attempts=3,
        ),
    ),
    _Row(
        ("InvalidClientTokenId",),
        "",
        Meaning(
            "{endpoint} does not know the credentials of the role {signer}. Those of the global "
            "endpoint are not valid in regions that must be enabled: set AWS_REGION.",
            bad_token=True,
        ),
    ),
    _Row(
        ("SignatureDoesNotMatch", "IncompleteSignature", "RequestExpired"),
        "",
        Meaning(
            "STS does not take the signature by the role {signer}{skew}. Is this machine's clock "
            "wrong, or does a proxy change the request?"
        ),
    ),
    _Row(
        ("ValidationError", "InvalidArgument", "InvalidParameterValue"),
        "",
        Meaning(
            "Check the duration ({duration}; an hour is the most in a chain of roles), the role "
            "ARN {role}, session name, external id, tags and source identity."
        ),
    ),
)
_TABLE = (
    _Row(
        ("InvalidIdentityToken",),
        "retrieve verification key",
        Meaning(
            "STS could not fetch the keys of the issuer {iss}. If it stays so, "
            "the issuer is not reachable from AWS.",
            retryable=True,
        ),
    ),
    _Row(
        ("InvalidIdentityToken",),
        "no openidconnect provider found",
        Meaning(
            "The account of the role {role} has no IAM OIDC provider for the issuer {iss}; create "
            "it: `eksctl utils associate-iam-oidc-provider --cluster C --approve`."
        ),
    ),
    _Row(
        ("InvalidIdentityToken",),
        "incorrect token audience",
        Meaning(
            "The token's aud is {aud}, which is none of the IAM OIDC provider's client ids; add it "
            "there, or mount a token for sts.amazonaws.com."
        ),
    ),
    _Row(
        ("InvalidIdentityToken",),
        "",
        Meaning(
            "The token is torn, or of another issuer ({shape}, iss {iss}); it is read again. Does "
            "the token file hold what the cluster projects?",
            retryable=True,
            bad_token=True,
            attempts=3,
        ),
    ),
    _Row(
        ("ExpiredToken",),
        "",
        Meaning(
            "The token's exp is {exp}{written}{skew}. Is it mounted with subPath (never updated), "
            "is the kubelet stuck, or is a clock wrong?",
            bad_token=True,
        ),
    ),
    _Row(
        ("IDPCommunicationError",),
        "",
        Meaning(
            "STS cannot reach the issuer {iss}: is it up, and reachable from AWS?", retryable=True
        ),
    ),
    _Row(
        ("IDPRejectedClaim",),
        "",
        Meaning(
            "A claim of the token was refused (iss {iss}, sub {sub}, aud {aud}, exp {exp}); it is "
            "tried again when the token changes.",
            bad_token=True,
        ),
    ),
    _Row(
        ("AccessDenied",),
        "",
        Meaning(
            "The trust policy of the role {role}, an SCP or the policy of a VPC endpoint does not "
            "let this token in: iss {iss}, sub {sub}, aud {aud}. `irsa-creds explain` tells which."
        ),
    ),
    _Row(
        ("ValidationError", "InvalidArgument", "InvalidParameterValue"),
        "",
        Meaning(
            "Check the duration ({duration}) against the role's maximum session duration, the role "
            "ARN {role} and the session name."
        ),
    ),
    _Row(
        ("MalformedPolicyDocument",),
        "",
        Meaning("The session policy is not a valid IAM policy: correct the argument policy."),
    ),
    _Row(
        ("PackedPolicyTooLarge",),
        "",
        Meaning(
            "Session policy, policy ARNs and tags exceed what STS packs into a session: shorten "
            "the policy or give fewer policy ARNs."
        ),
    ),
    _Row(
        ("RegionDisabled",),
        "",
        Meaning(
            "STS is not active for the account at {endpoint}: enable the region in the account, or "
            "set AWS_REGION to another."
        ),
    ),
    _Row(
        (
            "Throttling",
            "Throttled",
            "RequestThrottled",
            "TooManyRequests",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "LimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
        ),
        "",
        _THROTTLED,
    ),
    _Row(
        ("EndpointConnectionError", "ConnectTimeoutError"),
        "",
        Meaning(
            "Check DNS, network policies and routes from the pod to {endpoint} (AWS_REGION names "
            "the endpoint; without internet access a VPC endpoint is needed).",
            retryable=True,
        ),
    ),
    _Row(
        ("SSLError",),
        "",
        Meaning(
            "Check that AWS_CA_BUNDLE holds the authority that signed the certificate of "
            "{endpoint}, and who answers there.",
            retryable=True,
        ),
    ),
    _Row(
        ("ProxyConnectionError",),
        "",
        Meaning(
            "Check HTTPS_PROXY and HTTP_PROXY, or let NO_PROXY name the host of {endpoint}.",
            retryable=True,
        ),
    ),
    _Row(
        ("MalformedAnswer",),
        "",
        Meaning("Is {endpoint} an STS, and no proxy in between?", retryable=True),
    ),
)


def meaning(
    code: str, message: str = "", status: int | None = None, *, chained: bool = False
) -> Meaning:
    """Return what a failure means.

    Args:
        code: STS's code, with or without the suffix `Exception`, or the class name of a network
            error.
        message: STS's own words; they tell the kinds of InvalidIdentityToken apart.
        status: the HTTP status; None where no answer came.
        chained: whether another role's credentials signed, in place of a token.
    """
    bare, words = code.removesuffix("Exception"), message.lower()
    for row in (*_CHAINED, *_TABLE) if chained else _TABLE:
        if bare in row.codes and row.phrase in words:
            return row.meaning
    if bare.startswith("Throttl") or status == 429:  # noqa: PLR2004 - "Too Many Requests"
        return _THROTTLED
    if status is None or status >= 500:  # noqa: PLR2004 - the server's own failures
        return _TRANSIENT
    return _REFUSED if status in {401, 403} else _UNKNOWN


def advice(
    code: str,
    message: str = "",
    *,
    role_arn: str | None = None,
    signer: str | None = None,
    claims: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    duration: int | None = None,
    status: int | None = None,
    shape: str = "of unknown shape",
    written: datetime | None = None,
    skew: float | None = None,
) -> str:
    """Return what to do about a failure, in one or two sentences that hold no secret.

    Args:
        code: STS's code, or the class name of a network error.
        message: STS's own words.
        role_arn: the role that was asked for.
        signer: the role whose credentials signed, in place of a token.
        claims: the token's claims; None for an opaque one.
        endpoint: STS's URL.
        duration: the lifetime asked for, in seconds; None is STS's default.
        status: the HTTP status; None where no answer came.
        shape: length and segments of the token, in words.
        written: when the token's file was written.
        skew: by how many seconds STS's clock is ahead of this machine's.
    """
    facts = {
        "role": role_arn or "(unknown)",
        "signer": signer or "(unknown)",
        "endpoint": endpoint or "(unknown)",
        "duration": "STS's default" if duration is None else f"{duration} s",
        "shape": shape,
        "written": f", its file was written at {instant(written.timestamp())}" if written else "",
        "skew": _skewed(skew),
        **{name: _shown(claims, name) for name in ("iss", "sub", "aud")},
        "exp": instant((claims or {}).get("exp")),
    }
    chained = signer is not None
    return meaning(code, message, status, chained=chained).advice.format_map(facts)


def _skewed(skew: float | None) -> str:
    """Return how far STS's clock is from this machine's, as a clause; nothing worth it: empty."""
    if skew is None or abs(skew) < _WORTH_TELLING:
        return ""
    where = "ahead of" if skew > 0 else "behind"
    return f", and STS's clock is {abs(skew):,.0f} s {where} this machine's"


def instant(seconds: object) -> str:
    """Return seconds since the epoch as a date in UTC; of anything else, that it is none."""
    if isinstance(seconds, int | float):
        try:
            return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
        except (ValueError, OverflowError, OSError):
            pass
    return "(unknown)"


def _shown(claims: Mapping[str, Any] | None, name: str) -> str:
    """Return a claim as JSON, bounded: a token is anybody's text."""
    if claims is None:
        return "(unknown: the token is not a JWT)"
    text = json.dumps(claims.get(name))
    return text if len(text) <= _SHOWN_LIMIT else text[: _SHOWN_LIMIT - 3] + "..."
