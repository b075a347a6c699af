"""What an error of STS or of the network means: its likely cause, what to do, whether to retry.

The source is STS's API reference: AssumeRoleWithWebIdentity, "Errors" and "Common Error Types".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._errors import Failure

__all__ = ["INVALID_PARAMETER", "Cause", "classify", "codes"]


class Cause(Record):
    """The likely cause of a failure, what to do about it, and how the refresh goes on.

    The texts are templates over the values that `advised` gets: for STS, `advice.values`. A log
    line has the first sentence of the advice only.

    Attributes:
        sentence: the cause; empty if the headline has it.
        fix: what to do.
        command: the next command to run; empty if no single command helps.
        retryable: the same request may succeed later.
        throttled: the service wants fewer calls.
        bad_token: another token may succeed.
        attempts: at most this many in one refresh that callers wait for; 0 is the usual number.
    """

    __slots__ = ()

    sentence: str
    fix: str
    command: str = ""
    retryable: bool = False
    throttled: bool = False
    bad_token: bool = False
    attempts: int = 0

    def advised(self, failure: Failure, values: Mapping[str, str | None]) -> Failure:
        """Return `failure` with this cause's advice, command and retries."""
        return failure._replace(
            advice=f"{self.sentence} {self.fix}".lstrip().format_map(values),
            command=self.command.format_map(values),
            retryable=self.retryable,
            throttled=self.throttled,
            bad_token=self.bad_token,
            attempts=self.attempts,
        )


#: The codes of STS and Ceph for an invalid parameter, which may be the duration.
INVALID_PARAMETER = frozenset({"ValidationError", "InvalidArgument", "InvalidParameterValue"})

_THROTTLED = Cause(
    "{endpoint} received too many calls.",
    "irsa-creds waits longer between its attempts.",
    retryable=True,
    throttled=True,
)
_THROTTLING = (
    "Throttling",
    "Throttled",
    "RequestThrottled",
    "TooManyRequests",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
)
_NO_CONNECTION = Cause(
    "",
    "Check DNS, network policies and routes from the pod to {endpoint}. AWS_REGION selects the "
    "endpoint; without internet access the pod needs a VPC endpoint, and the global endpoint "
    "(AWS_STS_REGIONAL_ENDPOINTS=legacy) has none.",
    retryable=True,
)
_PARAMETER = Cause(
    "The duration, the role ARN or the session name is not valid.",
    "Compare the duration ({duration}) with the role's maximum session duration, and check the "
    "role ARN {role} and the session name.",
    "aws iam get-role --role-name {role_name} --query Role.MaxSessionDuration",
)

# STS has one code for these; a phrase in its message tells them apart.
_INVALID_TOKEN = "InvalidIdentityToken"  # noqa: S105 - an error code
_REJECTED_PROVIDER = (
    "The IAM OIDC provider of the token's issuer is missing, has another client ID or an old "
    "thumbprint, or the token's signature is not valid."
)
_PHRASES = {
    "retrieve verification key": Cause(
        "STS could not fetch the signing keys of the token's issuer.",
        "The refresh is retried. If the error stays, check that the issuer is reachable from AWS.",
        "{fetch_discovery}",
        retryable=True,
    ),
    "no openidconnect provider found": Cause(
        "The role's account{account} has no IAM OIDC provider for the token's issuer.",
        "Create the provider in that account, once for each cluster.",
        "{create_provider}",
    ),
    "incorrect token audience": Cause(
        "The token's audience is not a client ID of the IAM OIDC provider.",
        "{audience}.{clue}",
        "{correct_audience}",
    ),
    "thumbprint": Cause(
        "The certificate of the issuer has none of the thumbprints of the IAM OIDC provider.",
        "Replace them by that of the CA that signed the certificate. AWS compares no thumbprint "
        "if the CA is one that it trusts.",
        "aws iam update-open-id-connect-provider-thumbprint "
        "--open-id-connect-provider-arn {provider_arn} --thumbprint-list THUMBPRINT",
    ),
    "required claim: sub": Cause(
        "The token has no subject (sub).",
        "Use an ID token. An access token, or the request token of a CI system "
        "(ACTIONS_ID_TOKEN_REQUEST_TOKEN), has none.",
        bad_token=True,
    ),
    "required claim: aud": Cause(
        "The token has no audience (aud).",
        "Mount a projected token for sts.amazonaws.com: that of a Secret has no audience. Another "
        "issuer must set it to a client ID of the IAM OIDC provider.",
        "{mount_token}",
        bad_token=True,
    ),
    "required claim": Cause(
        "The token lacks a claim that STS requires.",
        "Use an ID token of the issuer, with iss, sub, aud, iat and exp.",
        bad_token=True,
    ),
    "could not be validated": Cause(
        _REJECTED_PROVIDER,
        "Check the provider, in the role's account{account}: its URL must be the token's issuer, "
        "and its client IDs must have the token's audience.",
        "aws iam get-open-id-connect-provider --open-id-connect-provider-arn {provider_arn}",
        bad_token=True,
    ),
    "": Cause(
        "The token is truncated, or another issuer's ({shape}).",
        "Check that the token file holds the token that the cluster projects; irsa-creds reads it "
        "again.",
        retryable=True,
        bad_token=True,
        attempts=3,
    ),
}
_CODES = {
    "AccessDenied": Cause(
        "The role's trust policy probably does not match {subject}.",
        "If it does, the role may not exist, or an SCP or the policy of a VPC endpoint denies the "
        "call.{clue} `irsa-creds explain` names the condition that fails; run it where "
        "iam:GetRole is allowed.",
        "aws iam get-role --role-name {role_name} > role.json && "
        "irsa-creds explain --policy role.json {token_options}",
    ),
    "ExpiredToken": Cause(
        "The token is expired for STS{written}{skew}.",
        "Do not mount it with subPath (such a file is never updated), and check the kubelet and "
        "the clocks.",
        bad_token=True,
    ),
    "IDPCommunicationError": Cause(
        "STS cannot reach the token's issuer.",
        "Check that it is up and reachable from AWS.",
        "{fetch_discovery}",
        retryable=True,
    ),
    "IDPRejectedClaim": Cause(
        "STS rejected a claim of the token, or the token is expired{skew}.",
        "Check the claims; irsa-creds tries again when the token changes.",
        bad_token=True,
    ),
    **dict.fromkeys(INVALID_PARAMETER, _PARAMETER),
    "MalformedPolicyDocument": Cause(
        "The session policy is not a valid IAM policy.",
        "Correct the argument `policy`.",
        "aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY "
        "--policy-document file://policy.json",
    ),
    "PackedPolicyTooLarge": Cause(
        "Session policies and tags are larger than STS packs into a session.",
        "Shorten the policy, or use fewer policy ARNs or tags.",
    ),
    "RegionDisabled": Cause(
        "STS is not active for the account at {endpoint}.",
        "Enable the region in the account, or set AWS_REGION to another region.",
        "aws account enable-region --region-name {region}",
    ),
    **dict.fromkeys(_THROTTLING, _THROTTLED),
    "EndpointConnectionError": _NO_CONNECTION,
    "ConnectTimeoutError": _NO_CONNECTION,
    "SSLError": Cause(
        "",
        "Check that AWS_CA_BUNDLE names an existing file with the CA that signed the certificate "
        "of {endpoint}. A TLS proxy has a certificate and a CA of its own.",
        retryable=True,
    ),
    "ProxyConnectionError": Cause(
        "The proxy failed and STS was not called.",
        "Check HTTPS_PROXY and HTTP_PROXY, or add the host of {endpoint} to NO_PROXY.",
        retryable=True,
    ),
    "MalformedAnswer": Cause(
        "",
        "Check that {endpoint} is an STS endpoint and that no proxy responds in its place.",
        retryable=True,
    ),
}
# For role chaining (also: IAM User Guide, "Troubleshoot IAM roles"); all other codes mean the same
# as with a token.
_SIGNATURE = Cause(
    "The signature by the role {signer} is not valid for STS{skew}.",
    "Check this machine's clock, and that no proxy changes the request.",
)
_CHAINED_PARAMETER = Cause(
    "A parameter of the request is not valid.",
    "Check the duration ({duration}; at most one hour in role chaining), the role ARN {role}, the "
    "session name, the external ID, the tags and the source identity.",
    "aws iam get-role --role-name {role_name} --query Role.MaxSessionDuration",
)
_CHAINED = {
    "AccessDenied": Cause(
        "The role {signer} may not assume the role {role}.",
        "In a policy of the source role, allow sts:AssumeRole (sts:TagSession for session tags, "
        "sts:SetSourceIdentity for a source identity). In the target role's trust policy, allow "
        "the source role, with the external ID if the policy requires one.",
        "aws iam simulate-principal-policy --policy-source-arn {quoted_signer} "
        "--action-names sts:AssumeRole --resource-arns {quoted_role}",
    ),
    "ExpiredToken": Cause(
        "The credentials of the role {signer} are expired for STS{skew}.",
        "irsa-creds refreshes them. Check the clocks.",
        retryable=True,
        bad_token=True,
        attempts=3,
    ),
    "InvalidClientTokenId": Cause(
        "{endpoint} does not know the credentials of the role {signer}.",
        "Credentials from the global endpoint are not valid in opt-in regions: set AWS_REGION.",
        bad_token=True,
    ),
    "SignatureDoesNotMatch": _SIGNATURE,
    "IncompleteSignature": _SIGNATURE,
    "RequestExpired": _SIGNATURE,
    **dict.fromkeys(INVALID_PARAMETER, _CHAINED_PARAMETER),
}
# Of codes that are not known by name.
_OUTAGE = Cause(
    "",
    "Check that {endpoint} is reachable and healthy. The next read tries again.",
    retryable=True,
)
_OTHER_STS = Cause("", "Check that {endpoint} is the STS that knows the role {role}.")
_UNKNOWN = Cause("", "Check that {endpoint} is an STS endpoint.", retryable=True, attempts=3)


def classify(
    code: str, words: str = "", status: int | None = None, *, chained: bool = False
) -> Cause:
    """Return the cause of a failure.

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
    return _OTHER_STS if status in {401, 403} else _UNKNOWN


def codes() -> frozenset[str]:
    """Return every code that is known by name, without the suffix `Exception`."""
    return frozenset({_INVALID_TOKEN, *_CODES, *_CHAINED})
