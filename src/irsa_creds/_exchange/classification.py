"""What an error of STS or of the network means: its likely cause, and whether to retry.

The source is STS's API reference: AssumeRoleWithWebIdentity, "Errors" and "Common Error Types".
`advice` says what to do about each cause.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "CAUSES",
    "EXPIRED_TOKEN",
    "INVALID_PARAMETER",
    "Classification",
    "classify",
    "codes",
]


#: Templates over `ExchangeFacts.values`, one sentence each; empty if the headline has the cause.
CAUSES = {
    "audience": "The token's audience is not a client ID of the IAM OIDC provider.",
    "chained_parameter": "A parameter of the request is not valid.",
    "expired_source": "The credentials of the role {signer} are expired for STS{skew}.",
    "expired_token": "The token is expired for STS{written}{skew}.",
    "forbidden": "",
    "invalid_token": "The token is truncated, or another issuer's ({shape}).",
    "issuer_keys": "STS could not fetch the signing keys of the token's issuer.",
    "issuer_unreachable": "STS cannot reach the token's issuer.",
    "malformed": "",
    "no_connection": "",
    "no_provider": "The role's account{account} has no IAM OIDC provider for the token's issuer.",
    "outage": "",
    "parameter": "The duration, the role ARN or the session name is not valid.",
    "policy_size": "Session policies and tags are larger than STS packs into a session.",
    "proxy": "The proxy failed and STS was not called.",
    "region": "STS is not active for the account at {endpoint}.",
    "rejected_claim": "STS rejected a claim of the token, or the token is expired{skew}.",
    "session_policy": "The session policy is not a valid IAM policy.",
    "signature": "The signature by the role {signer} is not valid for STS{skew}.",
    "source_role": "The role {signer} may not assume the role {role}.",
    "throttled": "{endpoint} received too many calls.",
    "tls": "",
    "trust_policy": "The role's trust policy probably does not match {subject}.",
    "unknown": "",
    "unknown_source": "{endpoint} does not know the credentials of the role {signer}.",
}


class Classification(NamedTuple):
    """The cause of a failure, and how to go on.

    Attributes:
        cause: a key of `CAUSES`.
        retryable: the same request may succeed later.
        throttled: STS wants fewer calls.
        bad_token: another token may succeed.
        attempts: at most this many in one refresh that callers wait for; 0 is the usual number.
    """

    cause: str
    retryable: bool = False
    throttled: bool = False
    bad_token: bool = False
    attempts: int = 0


_OUTAGE = Classification("outage", retryable=True)
_THROTTLED = Classification("throttled", retryable=True, throttled=True)
_FORBIDDEN = Classification("forbidden")
_UNKNOWN = Classification("unknown", retryable=True, attempts=3)
#: The codes with which STS and other services call a session token expired.
EXPIRED_TOKEN = frozenset({"ExpiredToken", "ExpiredTokenException"})
#: The codes of STS and Ceph for an invalid parameter, which may be the duration.
INVALID_PARAMETER = frozenset({"ValidationError", "InvalidArgument", "InvalidParameterValue"})

# STS has one code for these; a phrase in its message tells them apart.
_INVALID_TOKEN = "InvalidIdentityToken"  # noqa: S105 - an error code
_PHRASES = {
    "retrieve verification key": Classification("issuer_keys", retryable=True),
    "no openidconnect provider found": Classification("no_provider"),
    "incorrect token audience": Classification("audience"),
    "": Classification("invalid_token", retryable=True, bad_token=True, attempts=3),
}
_CODES = {
    "ExpiredToken": Classification("expired_token", bad_token=True),
    "IDPCommunicationError": Classification("issuer_unreachable", retryable=True),
    "IDPRejectedClaim": Classification("rejected_claim", bad_token=True),
    "AccessDenied": Classification("trust_policy"),
    **dict.fromkeys(INVALID_PARAMETER, Classification("parameter")),
    "MalformedPolicyDocument": Classification("session_policy"),
    "PackedPolicyTooLarge": Classification("policy_size"),
    "RegionDisabled": Classification("region"),
    **dict.fromkeys(
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
        _THROTTLED,
    ),
    **dict.fromkeys(
        ("EndpointConnectionError", "ConnectTimeoutError"),
        Classification("no_connection", retryable=True),
    ),
    "SSLError": Classification("tls", retryable=True),
    "ProxyConnectionError": Classification("proxy", retryable=True),
    "MalformedAnswer": Classification("malformed", retryable=True),
}
# For role chaining (also: IAM User Guide, "Troubleshoot IAM roles"); all other codes mean the same
# as with a token.
_CHAINED = {
    "AccessDenied": Classification("source_role"),
    "ExpiredToken": Classification("expired_source", retryable=True, bad_token=True, attempts=3),
    "InvalidClientTokenId": Classification("unknown_source", bad_token=True),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "IncompleteSignature", "RequestExpired"),
        Classification("signature"),
    ),
    **dict.fromkeys(INVALID_PARAMETER, Classification("chained_parameter")),
}


def classify(
    code: str, words: str = "", status: int | None = None, *, chained: bool = False
) -> Classification:
    """Return what a failure means.

    Args:
        code: STS's code, with or without the suffix `Exception`, or the class name of a network
            error.
        words: STS's message.
        status: the HTTP status; None without a response.
        chained: whether a source role's credentials signed the request.
    """
    bare = code.removesuffix("Exception")
    if bare == _INVALID_TOKEN:
        return next(found for phrase, found in _PHRASES.items() if phrase in words.lower())
    found = (_CODES | _CHAINED if chained else _CODES).get(bare)
    if found is not None:
        return found
    if bare.startswith("Throttl") or status == 429:  # noqa: PLR2004 - "Too Many Requests"
        return _THROTTLED
    if status is None or status >= 500:  # noqa: PLR2004 - the server's own failures
        return _OUTAGE
    return _FORBIDDEN if status in {401, 403} else _UNKNOWN


def codes() -> frozenset[str]:
    """Return every code that is known by name, without the suffix `Exception`."""
    return frozenset({_INVALID_TOKEN, *_CODES, *_CHAINED})
