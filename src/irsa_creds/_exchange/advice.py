"""Values and commands that the advice of a failure quotes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from irsa_creds._errors import instant
from irsa_creds._identity.arns import ROLE_PARTS
from irsa_creds._identity.claims import (
    OTHER_CLIENTS,
    POD_IDENTITY,
    SERVICE_ACCOUNT,
    STS,
    clean_issuer,
    is_for_api_server,
)
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._identity.validation import quoted_path

if TYPE_CHECKING:
    from irsa_creds._errors import Failure
    from irsa_creds._exchange.exchange_request import ExchangeRequest

__all__ = [
    "correct_audience",
    "create_provider",
    "enable_region",
    "explain",
    "fetch_discovery",
    "mount_token",
    "read_longest_session",
    "read_provider",
    "replace_thumbprint",
    "simulate",
    "validate_policy",
    "values",
]

# Seconds: STS's `Date` has whole ones, and a response takes time.
_LEAST_SKEW = 5


def values(failure: Failure, request: ExchangeRequest, skew: float | None) -> dict[str, object]:
    """Return the values that the templates of causes and fixes quote.

    Args:
        failure: has the token's claims.
        request: the request that failed.
        skew: seconds by which STS's clock is ahead of this machine's; None if it is unknown.
    """
    assertion, duration = request.assertion, request.duration
    _, account, _ = _role_parts(failure)
    written = instant(assertion.written.timestamp()) if assertion.written else None
    return {
        "account": account and f" {account}",
        "audience": _audience_advice(failure),
        "clue": " The token is not a JWT." if assertion.claims is None else _clue(failure),
        "duration": "STS's default" if duration is None else f"{duration} s",
        "endpoint": failure.endpoint,
        "role": failure.role_arn,
        "shape": assertion.shape(),
        "signer": request.signer,
        "skew": _skew(skew),
        "subject": failure.sub or "the token",
        "written": f"; its file was written at {written}" if written else "",
    }


def _skew(skew: float | None) -> str:
    """Return the difference of the clocks as a clause; empty if it is small or unknown."""
    if skew is None or abs(skew) < _LEAST_SKEW:
        return ""
    where = "ahead of" if skew > 0 else "behind"
    return f", and STS's clock is {abs(skew):,.0f} s {where} this machine's"


def _clue(failure: Failure) -> str:
    """Return the unusual property of a token as a sentence."""
    if POD_IDENTITY in _audiences(failure):
        return " It is a token of EKS Pod Identity, which is not meant for STS."
    if _is_for_others(failure):
        return " It is the token for the cluster's API server; send it nowhere else."
    account = _service_account(failure)
    if account and account[2] == "default":
        return (
            " The pod runs as the service account 'default': set serviceAccountName to the "
            "annotated one."
        )
    return ""


def _service_account(failure: Failure) -> re.Match[str] | None:
    """Return the service account that the token's subject names."""
    return re.fullmatch(SERVICE_ACCOUNT, failure.sub or "")


def _audiences(failure: Failure) -> list[str]:
    return (failure.aud or "").split(", ")


def _is_for_others(failure: Failure) -> bool:
    """Whether a token is meant for Pod Identity or the API server.

    IAM must never list such an audience: every pod has a token with it.
    """
    return any(
        each == POD_IDENTITY or is_for_api_server(each, failure.iss) for each in _audiences(failure)
    )


def _may_be_client_id(failure: Failure) -> bool:
    """Whether the IAM OIDC provider should list the audience: it is not another system's."""
    return not _is_for_others(failure) and (
        failure.aud in {STS, *OTHER_CLIENTS} or _service_account(failure) is None
    )


def _audience_advice(failure: Failure) -> str:
    if _is_for_others(failure):
        return f"Mount a token for {STS}; this token's audience must not be added there"
    if _may_be_client_id(failure):
        return "Add it there"
    return (
        f"Mount a token for {STS} (the webhook's, or a projected volume with that audience), or "
        "add this token's audience (aws iam add-client-id-to-open-id-connect-provider)"
    )


# Commands: shlex quotes their words, because claims have arbitrary text. A word in capitals stands
# for an unknown value. Sources: AWS CLI command reference; eksctl's schema of
# `utils associate-iam-oidc-provider`.


def create_provider(failure: Failure, _: ExchangeRequest) -> str:
    iss = clean_issuer(failure.iss) or "ISSUER"
    region = region_of_issuer(iss)
    if region:
        eksctl = ["eksctl", "utils", "associate-iam-oidc-provider", "--cluster", "CLUSTER"]
        return shlex.join([*eksctl, "--region", region, "--approve"])
    aud = STS if _is_for_others(failure) else _audience(failure)
    aws = ["aws", "iam", "create-open-id-connect-provider"]
    return shlex.join([*aws, "--url", iss, "--client-id-list", aud])


def correct_audience(failure: Failure, request: ExchangeRequest) -> str:
    """Return the command that adds the audience, or that prints a pod with a token for STS."""
    if _may_be_client_id(failure):
        add = _on_provider(failure, "add-client-id-to-open-id-connect-provider")
        return shlex.join([*add, "--client-id", _audience(failure)])
    return mount_token(failure, request)


def replace_thumbprint(failure: Failure, _: ExchangeRequest) -> str:
    replace = _on_provider(failure, "update-open-id-connect-provider-thumbprint")
    return shlex.join([*replace, "--thumbprint-list", "THUMBPRINT"])


def read_provider(failure: Failure, _: ExchangeRequest) -> str:
    return shlex.join(_on_provider(failure, "get-open-id-connect-provider"))


def _on_provider(failure: Failure, command: str) -> list[str]:
    """Return the words of a command for the IAM OIDC provider of the token's issuer."""
    partition, account, _ = _role_parts(failure)
    provider = re.sub(r"^https?://", "", clean_issuer(failure.iss) or "ISSUER").rstrip("/")
    arn = f"arn:{partition}:iam::{account or 'ACCOUNT'}:oidc-provider/{provider}"
    return ["aws", "iam", command, "--open-id-connect-provider-arn", arn]


def mount_token(failure: Failure, _: ExchangeRequest) -> str:
    """Return the command that prints a pod with a token for STS; empty for other tokens."""
    subject = _service_account(failure)
    if not subject:
        return ""
    manifest = ["irsa-creds", "manifest", "--service-account", f"{subject[1]}/{subject[2]}"]
    return shlex.join([*manifest, "--role-arn", failure.role_arn or ""])


def fetch_discovery(failure: Failure, _: ExchangeRequest) -> str:
    iss = clean_issuer(failure.iss)
    if not iss:
        return ""
    return shlex.join(["curl", "-sS", f"{iss.rstrip('/')}/.well-known/openid-configuration"])


def enable_region(failure: Failure, _: ExchangeRequest) -> str:
    found = re.search(r"//sts(?:-fips)?\.([a-z]+-[a-z0-9-]+)\.", failure.endpoint or "")
    return f"aws account enable-region --region-name {found[1] if found else 'REGION'}"


def read_longest_session(failure: Failure, _: ExchangeRequest) -> str:
    read = ["aws", "iam", "get-role", "--role-name", _role_parts(failure)[2]]
    return shlex.join([*read, "--query", "Role.MaxSessionDuration"])


def validate_policy(_: Failure, __: ExchangeRequest) -> str:
    return (
        "aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY "
        "--policy-document file://policy.json"
    )


def simulate(failure: Failure, request: ExchangeRequest) -> str:
    simulate = ["aws", "iam", "simulate-principal-policy"]
    simulate += ["--policy-source-arn", request.signer or "", "--action-names", "sts:AssumeRole"]
    return shlex.join([*simulate, "--resource-arns", failure.role_arn or ""])


def explain(failure: Failure, request: ExchangeRequest) -> str:
    """Return the commands that read the trust policy and compare the token with it.

    The pod has no credentials to read the policy with. If the claims say everything, the commands
    need no token and run wherever iam:GetRole is allowed.
    """
    iss, aud, account = clean_issuer(failure.iss), _whole(failure.aud), _service_account(failure)
    if account and iss and aud:
        token = ["--service-account", f"{account[1]}/{account[2]}", "--issuer", iss]
        token += ["--audience", aud]
    else:
        token = ["--token", _printable(request.token_file) or "FILE"]
    read = ["aws", "iam", "get-role", "--role-name", _role_parts(failure)[2]]
    explain = ["irsa-creds", "explain", "--policy", "role.json", *token]
    return f"{shlex.join(read)} > role.json && {shlex.join(explain)}"


def _role_parts(failure: Failure) -> tuple[str, ...]:
    """Return partition, account and name of the role."""
    role = re.fullmatch(ROLE_PARTS, failure.role_arn or "")
    return role.groups() if role else ("aws", "", "ROLE")


def _audience(failure: Failure) -> str:
    return _whole(failure.aud) or "AUDIENCE"


def _whole(claim: str | None) -> str | None:
    """Return a claim if it is one value, neither cut nor masked, and not like an option."""
    return None if claim is None or re.search(r"^-|, |\*\*\*|\.\.\.", claim) else claim


def _printable(path: str | None) -> str | None:
    """Return the token file's path; None if it may not be shown as it is."""
    return path if path and path.isprintable() and quoted_path(path) == repr(path) else None
