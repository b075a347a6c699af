"""What an answer of STS means in IRSA, as one table.

The table is the one of STS's API reference (AssumeRoleWithWebIdentity, "Errors" and "Common
Errors") seen from a pod; `_answer` classifies by it and `_advice` fills its sentences.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Meaning", "codes", "meaning"]


class Meaning(NamedTuple):
    """What a code says about trying again.

    Attributes:
        advice: the likely cause and what to do, as a template over the facts of `_advice`.
        command: what to type, as such a template.
        retryable: the same request may succeed later.
        throttled: STS asks for fewer calls.
        bad_token: another token may succeed.
        attempts: at most so many tries in one blocking flight; 0 is the usual number.
    """

    advice: str = ""
    command: str = ""
    retryable: bool = False
    throttled: bool = False
    bad_token: bool = False
    attempts: int = 0


class _Row(NamedTuple):
    codes: tuple[str, ...]
    phrase: str  # in the message; the first row that matches is the one
    meaning: Meaning


# IAM API reference, GetRole: the maximum is in seconds.
_LONGEST = "aws iam get-role --role-name {role_name} --query Role.MaxSessionDuration"
# OpenID Connect Discovery 1.0, section 4: STS asks the same.
_DISCOVERY = "{discovery}"
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
            "trust policy let it in, with this external id if it asks for one?",
            "aws iam simulate-principal-policy --policy-source-arn {signer} "
            "--action-names sts:AssumeRole --resource-arns {role}",
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
            "ARN {role}, session name, external id, tags and source identity.",
            _LONGEST,
        ),
    ),
)
_TABLE = (
    _Row(
        ("InvalidIdentityToken",),
        "retrieve verification key",
        Meaning(
            "STS could not fetch the keys of the token's issuer. If it stays so, the issuer is not "
            "reachable from AWS.",
            _DISCOVERY,
            retryable=True,
        ),
    ),
    _Row(
        ("InvalidIdentityToken",),
        "no openidconnect provider found",
        Meaning(
            "The role's account{account} has no IAM OIDC provider for the token's issuer: create "
            "it there, once for each cluster.",
            "{make_provider}",
        ),
    ),
    _Row(
        ("InvalidIdentityToken",),
        "incorrect token audience",
        Meaning(
            "The token's audience is none of the IAM OIDC provider's client ids: {audience}.{clue}",
            "{mend_audience}",
        ),
    ),
    _Row(
        ("InvalidIdentityToken",),
        "",
        Meaning(
            "The token is torn, or of another issuer ({shape}); it is read again. Does the token "
            "file hold what the cluster projects?",
            retryable=True,
            bad_token=True,
            attempts=3,
        ),
    ),
    _Row(
        ("ExpiredToken",),
        "",
        Meaning(
            "STS takes the token for expired{written}{skew}. Is it mounted with subPath (never "
            "updated), is the kubelet stuck, or is a clock wrong?",
            bad_token=True,
        ),
    ),
    _Row(
        ("IDPCommunicationError",),
        "",
        Meaning(
            "STS cannot reach the token's issuer: is it up, and reachable from AWS?",
            _DISCOVERY,
            retryable=True,
        ),
    ),
    _Row(
        ("IDPRejectedClaim",),
        "",
        Meaning(
            "A claim of the token was refused, or its end is past{skew}; it is tried again when "
            "the token changes.",
            bad_token=True,
        ),
    ),
    _Row(
        ("AccessDenied",),
        "",
        Meaning(
            "Most likely the role's trust policy does not let this token in (else there is no such "
            "role, or an SCP or a VPC endpoint's policy refuses).{clue} `irsa-creds explain` tells "
            "which condition fails, where somebody may read the policy (iam:GetRole).",
            "{explain}",
        ),
    ),
    _Row(
        ("ValidationError", "InvalidArgument", "InvalidParameterValue"),
        "",
        Meaning(
            "Check the duration ({duration}) against the role's maximum session duration, the role "
            "ARN {role} and the session name.",
            _LONGEST,
        ),
    ),
    _Row(
        ("MalformedPolicyDocument",),
        "",
        Meaning(
            "The session policy is not a valid IAM policy: correct the argument policy.",
            "aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY "
            "--policy-document file://policy.json",
        ),
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
            "set AWS_REGION to another.",
            "{enable_region}",
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
            "Check that AWS_CA_BUNDLE names a file that is there and holds the authority that "
            "signed the certificate of {endpoint}, and who answers there.",
            retryable=True,
        ),
    ),
    _Row(
        ("ProxyConnectionError",),
        "",
        Meaning(
            "It is the proxy that was not reached or refused, and STS was not asked: check "
            "HTTPS_PROXY and HTTP_PROXY, or let NO_PROXY name the host of {endpoint}.",
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


def codes() -> frozenset[str]:
    """Return every code that the table knows by name, without the suffix `Exception`."""
    return frozenset(code for row in (*_CHAINED, *_TABLE) for code in row.codes)
