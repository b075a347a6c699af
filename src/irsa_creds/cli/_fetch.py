"""A role's trust policy, asked of IAM with whatever credentials this shell has."""

from __future__ import annotations

from typing import Any

from irsa_creds._arn import role_arn as checked_role_arn
from irsa_creds._errors import said
from irsa_creds._validate import shown
from irsa_creds.cli._parser import UsageError

__all__ = ["fetch_role"]

# IAM has one endpoint in each partition, and a region of it signs (botocore 1.43, endpoints.json).
_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_ELSE = "The policy can come from elsewhere: aws iam get-role --role-name NAME > role.json"


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
        trouble = f"{type(error).__name__}: {said(error)}"
    # Outside of the handler: botocore's errors can hold a request with its secrets.
    if trouble:
        raise UsageError(
            f"iam:GetRole of {shown(arn)} failed: {trouble}. It is asked with the credentials of "
            f"this environment, which must allow iam:GetRole. {_ELSE}"
        )
    found = answer["Role"]["Arn"]
    if found != arn:
        raise UsageError(
            f"These credentials are of another account: IAM has {shown(found)}, not {shown(arn)}; "
            f"choose others, as with AWS_PROFILE. {_ELSE}"
        )
    return {"AssumeRolePolicyDocument": answer["Role"]["AssumeRolePolicyDocument"]}


def _asked(arn: str) -> dict[str, Any]:
    import botocore.session  # noqa: PLC0415 - only --fetch needs it

    session = botocore.session.get_session()
    region = _REGIONS.get(arn.split(":")[1]) or session.get_config_variable("region")
    client = session.create_client("iam", region_name=region)
    answer: dict[str, Any] = client.get_role(RoleName=arn.rpartition("/")[2])
    return answer


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    return BotoCoreError, ClientError, ValueError
