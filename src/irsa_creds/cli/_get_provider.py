"""Look at the OIDC provider in IAM that a token needs, with the credentials of this shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from irsa_creds._identity.claims import OTHER_CLIENTS, STS, clean_issuer
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds._masking import quoted
from irsa_creds.cli._get_role import iam_client
from irsa_creds.diagnosis._explain.finding import Finding, finding, quoted_list
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["check_provider"]


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
        found = iam_client(role_arn).get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchEntity":
            return _missing(request, account, arn)
        message = (
            "The OIDC provider was not checked, which takes iam:GetOpenIDConnectProvider: "
            f"{type(error).__name__}."
        )
        return ProviderCheck(finding("P16", "info", None, message))
    audiences = request.values(f"{request.provider}:aud")
    told = audiences if isinstance(audiences, tuple) else ()
    listed = tuple(found.get("ClientIDList", ()))
    if set(told) & {*listed}:
        message = "The OIDC provider exists in IAM and lists the audience."
        return ProviderCheck(finding("P16", "info", None, message))
    return _other_audience(told, listed, arn)


def _missing(request: AccessRequest, account: str, arn: str) -> ProviderCheck:
    issuer = clean_issuer(request.issuer) or "ISSUER"
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
    return ProviderCheck(finding("P16", "error", None, message, shlex.join(fix)), note)


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
    return ProviderCheck(finding("P16", "error", None, message, fix), note)
