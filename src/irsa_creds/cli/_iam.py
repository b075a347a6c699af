"""Get a role's trust policy and OIDC provider from IAM, with the credentials of this shell."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from irsa_creds._identity.arns import role_arn as checked_role_arn
from irsa_creds._identity.claims import OTHER_CLIENTS, STS, plain_issuer
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._masking import JWT, mask, quoted
from irsa_creds.cli._errors import UsageError
from irsa_creds.diagnosis._explain.finding import Finding, quoted_list
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["check_provider", "fetch_role"]

# The signing region of IAM's endpoint in each partition (botocore 1.43, endpoints.json).
_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# Role ARNs in error messages; masking would take long role names for secrets.
_ROLE = r"(?a:arn:aws[a-z-]{0,20}:(?:iam::\d{12}:role|sts::\d{12}:assumed-role)/[\w+=,.@/-]{1,600})"
_MASKED_ROLE = "arn:ROLE"
_EXCHANGE = "AssumeRoleWithWebIdentity"


def fetch_role(role_arn: str) -> dict[str, Any]:
    """Return the response of iam:GetRole for a role.

    Args:
        role_arn: GetRole uses only its last part, without a path.

    Raises:
        ConfigError: it is not the ARN of a role.
        UsageError: IAM did not respond, denied, or returned another role with this name.
    """
    arn = checked_role_arn(role_arn, "The role", aws=False)
    message = ""
    try:
        response = _iam_client(arn).get_role(RoleName=arn.rpartition("/")[2])
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        message = _message(arn, error)
    # Raised outside of the handler: errors of botocore may contain the request with its secrets.
    if message:
        raise UsageError(f"{message}\n{_elsewhere(arn)}")
    found = response["Role"]["Arn"]
    if found != arn:
        raise UsageError(
            f"These credentials are of another account: IAM returned {quoted(found)}, not "
            f"{quoted(arn)}; use other ones, for example with AWS_PROFILE.\n{_elsewhere(arn)}"
        )
    return {"AssumeRolePolicyDocument": response["Role"]["AssumeRolePolicyDocument"]}


def _message(arn: str, error: Exception) -> str:
    """Return why there is no policy: the error of IAM, or of STS before it."""
    text = f"{type(error).__name__}: {_masked_text(error)}"
    if getattr(error, "operation_name", None) == _EXCHANGE:
        return (
            f"IAM was not called for {quoted(arn)}: --fetch uses the credentials of this "
            f"environment, here the web identity, and STS denies it. {text}."
        )
    return (
        f"iam:GetRole of {quoted(arn)} failed: {text}. --fetch uses the credentials of this "
        "environment, which must allow iam:GetRole."
    )


def _masked_text(error: Exception) -> str:
    """Return the text of an error with secrets masked and role ARNs in full."""
    words = str(error)
    masked = mask(re.sub(_ROLE, _MASKED_ROLE, words)).rstrip(".")
    for arn in re.findall(_ROLE, words):
        masked = masked.replace(_MASKED_ROLE, re.sub(JWT, "***", arn), 1)
    return masked


def _elsewhere(arn: str) -> str:
    """Return the commands for a machine that may read the policy."""
    name = shlex.quote(arn.rpartition("/")[2])
    return (
        "Run the first command where you have iam:GetRole, then the second one here:\n"
        f"  aws iam get-role --role-name {name} > role.json\n"
        "  irsa-creds explain --policy role.json ...  # instead of --fetch, other options as before"
    )


class ProviderCheck(NamedTuple):
    """P16, and why STS denies the token because of the OIDC provider; empty if it does not."""

    finding: Finding
    note: str = ""


def check_provider(request: AccessRequest, role_arn: str) -> ProviderCheck | None:
    """Return whether the issuer's OIDC provider exists in the role's account, for this audience.

    Args:
        request: with the token's issuer and audience.
        role_arn: the role, which trusts only the providers of its own account.

    Returns:
        None for an issuer that is built into IAM.
    """
    if request.provider in BUILT_IN:
        return None
    _, partition, _, _, account, _ = role_arn.split(":", 5)
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{request.provider}"
    try:
        found = _iam_client(role_arn).get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchEntity":
            return _missing(request, account, arn)
        message = (
            "The OIDC provider was not checked, which takes iam:GetOpenIDConnectProvider: "
            f"{type(error).__name__}."
        )
        return ProviderCheck(Finding("P16", "info", None, message))
    audiences = request.values(f"{request.provider}:aud")
    told = audiences if isinstance(audiences, tuple) else ()
    listed = tuple(found.get("ClientIDList", ()))
    if set(told) & {*listed}:
        message = "The OIDC provider exists in IAM and lists the audience."
        return ProviderCheck(Finding("P16", "info", None, message))
    return _other_audience(told, listed, arn)


def _missing(request: AccessRequest, account: str, arn: str) -> ProviderCheck:
    issuer = plain_issuer(request.issuer) or "ISSUER"
    fix = ["aws", "iam", "create-open-id-connect-provider"]
    fix += ["--url", issuer, "--client-id-list", STS]
    if region := region_of_issuer(issuer):
        fix = ["eksctl", "utils", "associate-iam-oidc-provider", "--cluster", "CLUSTER"]
        fix += ["--region", region, "--approve"]
    message = (
        f"The account {account} has no OIDC provider {quoted(arn)}. STS denies every token of this "
        "issuer (InvalidIdentityToken)."
    )
    note = "IAM has no OIDC provider for the token's issuer, so STS denies it"
    return ProviderCheck(Finding("P16", "error", None, message, shlex.join(fix)), note)


def _other_audience(told: tuple[str, ...], listed: tuple[str, ...], arn: str) -> ProviderCheck:
    fix = f"Use a token for one of these audiences: {quoted_list(listed)}."
    usual = next((each for each in told if each in {STS, *OTHER_CLIENTS}), None)
    if usual:
        add = ["aws", "iam", "add-client-id-to-open-id-connect-provider"]
        add += ["--open-id-connect-provider-arn", arn, "--client-id", usual]
        fix = shlex.join(add)
    message = (
        f"The OIDC provider {quoted(arn)} has the client IDs {quoted_list(listed)}, and the token "
        f"has the audience {quoted_list(told)}. STS denies it (InvalidIdentityToken)."
    )
    note = "the OIDC provider does not list the token's audience, so STS denies it"
    return ProviderCheck(Finding("P16", "error", None, message, fix), note)


def _iam_client(role_arn: str) -> Any:
    """Return botocore's client of IAM for the partition of a role."""
    session = get_session()
    region = _REGIONS.get(role_arn.split(":")[1]) or session.get_config_variable("region")
    return session.create_client("iam", region_name=region)
