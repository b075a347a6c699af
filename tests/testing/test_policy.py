"""The sandbox's use of the evaluator; tests/diagnosis tests the evaluator itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_creds.diagnosis._policy.request import AccessRequest
from irsa_creds.testing import UnsupportedPolicyError
from irsa_creds.testing._policy import SignedRequest, allows, trusts, trusts_caller

PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.example/id/ABC"
ROLE = "arn:aws:iam::123456789012:role/reader"
ACTION = "sts:AssumeRoleWithWebIdentity"
AUD, SUB = "oidc.example/id/ABC:aud", "oidc.example/id/ABC:sub"
TOKEN = AccessRequest(
    "https://oidc.example/id/ABC",
    {"aud": ["sts.amazonaws.com"], "sub": "system:serviceaccount:shop:cart"},
    role_arn="arn:aws:iam::123456789012:role/app",
)
CALLER = SignedRequest(
    "sts:AssumeRole",
    principals=frozenset({ROLE}),
    facts={"sts:externalid": ("id-1",), "sts:none": None},
)
READ = SignedRequest("s3:GetObject", resource="arn:aws:s3:::data/a/b.txt")


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(condition: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ACTION,
    }
    if condition is not None:
        statement["Condition"] = condition
    return statement | changes


def permission(resource: Any = "*", **changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource} | changes


@pytest.mark.parametrize(
    ("condition", "trusted"),
    [
        (None, True),
        ({"StringEquals": {AUD: "sts.amazonaws.com"}, "StringLike": {SUB: "*:cart"}}, True),
        ({"StringNotLike": {SUB: "*:cart"}}, False),
        ({"StringEquals": {SUB: "system:serviceaccount:shop:*"}}, False),
    ],
)
def test_a_token_against_a_trust_policy(condition: dict[str, Any] | None, *, trusted: bool) -> None:
    assert trusts(policy(trust(condition)), TOKEN) is trusted


@pytest.mark.parametrize(
    ("changes", "trusted"),
    [
        ({"Principal": {"AWS": ROLE}}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::123456789012:root", ROLE]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Principal": {"Federated": ROLE}}, False),
        ({"Condition": {"StringEquals": {"sts:ExternalId": "id-1"}}}, True),
        ({"Condition": {"StringEquals": {"sts:ExternalId": "id-2"}}}, False),
        ({"Condition": {"Null": {"sts:None": "true"}}}, True),
    ],
)
def test_a_caller_against_a_trust_policy(changes: dict[str, Any], *, trusted: bool) -> None:
    statement = trust(Action="sts:AssumeRole", Principal={"AWS": ROLE}) | changes
    assert trusts_caller(policy(statement), CALLER) is trusted


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (permission("arn:aws:s3:::data/*"), True),
        (permission(["x", "arn:aws:s3:::data/a/b.txt"]), True),
        (permission("arn:aws:s3:::data"), False),
        (permission("arn:aws:s3:::DATA/*"), False),
        (permission("arn:aws:s3:::data/a.b.txt"), False),
        (permission(Action="s3:Put*"), False),
        ({"Effect": "Allow", "NotAction": "s3:Put*", "NotResource": "arn:aws:s3:::b/*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::data/*"}, False),
        (permission("arn:aws:s3:::data/${*}*"), False),
    ],
)
def test_a_resource_against_permissions(statement: dict[str, Any], *, allowed: bool) -> None:
    assert allows([policy(statement)], READ) is allowed


def test_one_policy_can_allow_and_one_deny_is_final() -> None:
    yes, no = policy(permission()), policy(permission("arn:aws:s3:::other"))
    assert allows([no, yes], READ)
    assert not allows([no], READ)
    assert not allows([], READ)
    assert not allows([yes, policy(permission(Effect="Deny"))], READ)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (trust({"StringEquals": {"aws:SourceVpc": "x"}}), "aws:SourceVpc with StringEquals"),
        (trust({"ForAnyValue:Bool": {"aws:ViaAWSService": True}}), "with ForAnyValue:Bool"),
        (trust(Principal="*"), 'statement 1 has the principal "\\*"'),
        (trust({"StringLike": {SUB: "${aws:userid}"}}), f"{SUB} with StringLike"),
        (trust(NotPrincipal="x"), "NotPrincipal, which IAM rejects"),
        (trust({"StringIs": {SUB: "x"}}), "operator 'StringIs'"),
    ],
)
def test_an_error_names_what_cannot_be_evaluated(statement: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match=words):
        trusts(policy(statement), TOKEN)


def test_unknown_values_that_do_not_matter_are_ignored() -> None:
    other = trust({"NumericLessThan": {"aws:EpochTime": 1}}, Action="sts:AssumeRole")
    assert trusts(policy(other, trust()), TOKEN)
    assert not trusts(policy(other, trust({"StringEquals": {SUB: "x"}})), TOKEN)


def test_an_error_names_only_undecided_statements() -> None:
    known = trust({"StringEquals": {SUB: "x"}}, Sid="known")
    unknown = trust({"StringEquals": {SUB: TOKEN.claims["sub"], "aws:x": "y"}}, Sid="unknown")
    with pytest.raises(UnsupportedPolicyError) as caught:
        trusts(policy(known, unknown), TOKEN)
    assert str(caught.value) == (
        "The sandbox cannot decide whether the policy allows sts:AssumeRoleWithWebIdentity: "
        'statement "unknown" tests aws:x with StringEquals.'
    )


def test_a_variable_in_a_resource_is_an_error() -> None:
    statement = permission("arn:aws:s3:::${aws:userid}/*")
    with pytest.raises(UnsupportedPolicyError, match="statement 1 has a variable in its resources"):
        allows([policy(statement)], READ)


def test_a_wildcard_principal_is_an_error_for_a_caller_too() -> None:
    statement = trust(Action="sts:AssumeRole", Principal={"AWS": "*"})
    with pytest.raises(UnsupportedPolicyError, match='principal "\\*"'):
        trusts_caller(policy(statement), CALLER)
