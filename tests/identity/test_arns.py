"""ARNs of roles and policies, and the messages for common mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns

ROLE = "arn:aws:iam::123456789012:role/app"


def error_of(check: Any, value: Any, source: str, *, aws: bool) -> str:
    with pytest.raises(ConfigError) as caught:
        check(value, source, aws=aws)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    "arn",
    [
        ROLE,
        "arn:aws-cn:iam::123456789012:role/app",
        "arn:aws-us-gov:iam::123456789012:role/path/to/app",
        "arn:aws-iso-b:iam::123456789012:role/a+b=c,d.e@f_g-h",
        "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/" + "n" * 64,
        "arn:aws:iam::123456789012:role/pa:th/app",
    ],
)
def test_a_role_of_any_partition_and_path_passes_at_aws(arn: str) -> None:
    assert arns.role_arn(arn, "AWS_ROLE_ARN", aws=True) == arn


@pytest.mark.parametrize(
    ("arn", "mistake"),
    [
        ("", "it is empty"),
        (f" {ROLE}", "has blanks or quotes around it"),
        (f"{ROLE}\n", "has blanks or quotes around it"),
        (f'"{ROLE}"', "has blanks or quotes around it"),
        ("arn:aws:iam::123456789012:role/my app", "it has a blank in it"),
        ("app", "an ARN begins with 'arn:'"),
        ("arn:aws:sts::123456789012:assumed-role/app/name", "the ARN of a role's session"),
        ("arn:aws:iam::123456789012:policy/app", "the ARN of a policy"),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "the ARN of a policy"),
        ("arn:aws:iam::123456789012:user/app", "the ARN of a user"),
        ("arn:aws:iam::123456789012:group/app", "the ARN of a group"),
        ("arn:aws:iam::123456789012:instance-profile/app", "the ARN of an instance profile"),
        ("arn:aws:iam::123456789012:oidc-provider/x", "the ARN of an OIDC provider"),
        ("arn:aws:iam:123456789012:role/app", "too few colons"),
        ("arn:aws:iam:::123456789012:role/app", "too many colons"),
        ("arn:aws:iam::123456789012:role/app:", "too many colons"),
        ("arn:aws:s3::123456789012:role/app", "roles belong to the service 'iam'"),
        ("arn:amazon:iam::123456789012:role/app", "its partition is not one of AWS's"),
        ("arn:aws:iam:eu-west-1:123456789012:role/app", "names no region"),
        ("arn:aws:iam::12345678901:role/app", "account id is not 12 digits"),
        ("arn:aws:iam::1234567890123:role/app", "account id is not 12 digits"),
        ("arn:aws:iam:::role/app", "account id is not 12 digits"),
        ("arn:aws:iam::" + "\u0661" * 12 + ":role/app", "account id is not 12 digits"),
        ("arn:aws:iam::123456789012:app", "'role/' and a name must follow"),
        ("arn:aws:iam::123456789012:role/", "a role's name has 1 to 64"),
        ("arn:aws:iam::123456789012:role/" + "n" * 65, "a role's name has 1 to 64"),
        ("arn:aws:iam::123456789012:role/ä", "a role's name has 1 to 64"),
    ],
)
def test_an_invalid_role_arn_gets_a_message_with_the_mistake(arn: str, mistake: str) -> None:
    message = error_of(arns.role_arn, arn, "AWS_ROLE_ARN", aws=True)
    assert message.startswith(f"AWS_ROLE_ARN is {arn!r}"[:120])
    assert mistake in message
    assert "give the role's ARN, like arn:aws:iam::123456789012:role/NAME" in message


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam:::role/X",
        "arn:minio:iam:::role/idmp-x",
        "arn:aws:iam::tenant$:role/a/X:y",
        ROLE,
    ],
)
def test_other_endpoints_have_roles_of_their_own_shape(arn: str) -> None:
    assert arns.role_arn(arn, "AWS_ROLE_ARN", aws=False) == arn


@pytest.mark.parametrize(
    ("arn", "mistake"),
    [
        ("arn:aws:iam:::policy/X", "the ARN of a policy"),
        ("'arn:aws:iam:::role/X'", "has blanks or quotes around it"),
        ("arn:aws:iam:::role/", "'role/' and a name must follow"),
        ("arn:aws:iam:::rule/X", "'role/' and a name must follow"),
    ],
)
def test_other_endpoints_accept_only_roles(arn: str, mistake: str) -> None:
    assert mistake in error_of(arns.role_arn, arn, "AWS_ROLE_ARN", aws=False)


@pytest.mark.parametrize(
    ("given", "aws"),
    [
        ([], True),
        (["arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"], True),
        (("arn:aws-cn:iam::123456789012:policy/p",) * 10, True),
        (["arn:aws:iam:::policy/p"], False),
    ],
)
def test_up_to_ten_policy_arns_pass(given: Any, *, aws: bool) -> None:
    assert arns.policy_arns(given, "policy_arns", aws=aws) == tuple(given)


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ("arn:aws:iam::aws:policy/X", "must be a list of policy ARNs"),
        ({"arn:aws:iam::aws:policy/X"}, "must be a list of policy ARNs"),
        (["arn:aws:iam::aws:policy/X"] * 11, "has 11 policy ARNs, but STS accepts at most 10"),
        ([ROLE], "not the ARN of a managed policy"),
        ([7], "has 7, which is not the ARN"),
    ],
)
def test_invalid_policy_arns_are_an_error(given: Any, mistake: str) -> None:
    assert mistake in error_of(arns.policy_arns, given, "The argument policy_arns", aws=True)


@pytest.mark.parametrize("value", [7, {"nested": "section"}, b"bytes"])
def test_a_role_arn_must_be_text(value: Any) -> None:
    assert f"AWS_ROLE_ARN is {value!r}" in error_of(arns.role_arn, value, "AWS_ROLE_ARN", aws=True)
