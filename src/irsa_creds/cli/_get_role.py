"""A role's trust policy, asked of IAM with whatever credentials this shell has."""

from __future__ import annotations

import re
import shlex
from typing import Any

from irsa_creds._identity.arns import role_arn as checked_role_arn
from irsa_creds._identity.validation import quoted
from irsa_creds._masking import JWT, mask
from irsa_creds.cli._errors import UsageError

__all__ = ["fetch_role"]

# IAM has one endpoint in each partition, and a region of it signs (botocore 1.43, endpoints.json).
_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# Who was refused, and what: names of roles are long, and would be taken for secrets.
_ROLE = r"(?a:arn:aws[a-z-]{0,20}:(?:iam::\d{12}:role|sts::\d{12}:assumed-role)/[\w+=,.@/-]{1,600})"
_PLACE = "arn:ROLE"
_EXCHANGE = "AssumeRoleWithWebIdentity"


def fetch_role(role_arn: str) -> dict[str, Any]:
    """Return what iam:GetRole says of a role.

    Args:
        role_arn: GetRole takes its last part alone, without a path.

    Raises:
        ConfigError: that is no ARN of a role.
        UsageError: IAM did not answer, refused, or has another role of that name.
    """
    arn = checked_role_arn(role_arn, "The role", aws=False)
    trouble = ""
    try:
        answer = _asked(arn)
    except _errors() as error:
        trouble = _trouble(arn, error)
    # Outside of the handler: botocore's errors can hold a request with its secrets.
    if trouble:
        raise UsageError(f"{trouble}\n{_elsewhere(arn)}")
    found = answer["Role"]["Arn"]
    if found != arn:
        raise UsageError(
            f"These credentials are of another account: IAM has {quoted(found)}, not {quoted(arn)}"
            f"; choose others, as with AWS_PROFILE.\n{_elsewhere(arn)}"
        )
    return {"AssumeRolePolicyDocument": answer["Role"]["AssumeRolePolicyDocument"]}


def _trouble(arn: str, error: Exception) -> str:
    """Return why there is no policy: what IAM says, or STS before it."""
    said = f"{type(error).__name__}: {_said(error)}"
    if getattr(error, "operation_name", None) == _EXCHANGE:
        return (
            f"IAM was not asked for {quoted(arn)}: --fetch signs with the credentials of this "
            f"environment, which are those of the web identity, and STS refuses it. {said}."
        )
    return (
        f"iam:GetRole of {quoted(arn)} failed: {said}. It is asked with the credentials of this "
        "environment, which must allow iam:GetRole."
    )


def _said(error: Exception) -> str:
    """Return an error's own words without what looks like a secret, ARNs of roles in full."""
    words = str(error)
    masked = mask(re.sub(_ROLE, _PLACE, words)).rstrip(".")
    for arn in re.findall(_ROLE, words):
        masked = masked.replace(_PLACE, re.sub(JWT, "***", arn), 1)
    return masked


def _elsewhere(arn: str) -> str:
    """Return how to have the policy of somebody who may read it."""
    name = shlex.quote(arn.rpartition("/")[2])
    return (
        "Where you may read IAM, and then here:\n"
        f"  aws iam get-role --role-name {name} > role.json\n"
        "  irsa-creds explain --policy role.json ...  # in place of --fetch, the rest as before"
    )


def _asked(arn: str) -> dict[str, Any]:
    import botocore.session  # noqa: PLC0415 - only --fetch needs it

    session = botocore.session.get_session()
    region = _REGIONS.get(arn.split(":")[1]) or session.get_config_variable("region")
    client = session.create_client("iam", region_name=region)
    answer: dict[str, Any] = client.get_role(RoleName=arn.rpartition("/")[2])
    return answer


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    return BotoCoreError, ClientError, OSError, ValueError
