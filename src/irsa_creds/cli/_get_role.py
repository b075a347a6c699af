"""Get a role's trust policy from IAM, with the credentials of this shell."""

from __future__ import annotations

import re
import shlex
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from irsa_creds._identity.arns import role_arn as checked_role_arn
from irsa_creds._masking import JWT, mask, quoted
from irsa_creds.cli._errors import UsageError

__all__ = ["fetch_role", "iam_client"]

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
        response = _get_role(arn)
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        message = _message(arn, error)
    # Raised outside of the handler: errors of botocore may contain the request with its secrets.
    if message:
        raise UsageError(f"{message}\n{_elsewhere(arn)}")
    found = response["Role"]["Arn"]
    if found != arn:
        raise UsageError(
            f"These credentials are of another account: IAM returned {quoted(found)}, not "
            f"{quoted(arn)}"
            f"; use other ones, for example with AWS_PROFILE.\n{_elsewhere(arn)}"
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


def iam_client(role_arn: str) -> Any:
    """Return botocore's client of IAM for the partition of a role."""
    session = get_session()
    region = _REGIONS.get(role_arn.split(":")[1]) or session.get_config_variable("region")
    return session.create_client("iam", region_name=region)


def _get_role(arn: str) -> dict[str, Any]:
    response: dict[str, Any] = iam_client(arn).get_role(RoleName=arn.rpartition("/")[2])
    return response
