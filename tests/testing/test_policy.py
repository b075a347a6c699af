from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_creds.testing import UnsupportedPolicyError
from irsa_creds.testing._policy import Question, allows

PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.example/id/ABC"
ACTION = "sts:AssumeRoleWithWebIdentity"
TRUST = Question(
    ACTION,
    principal=("Federated", frozenset({PROVIDER})),
    facts={
        "oidc.example/id/abc:aud": ["sts.amazonaws.com", "other"],
        "oidc.example/id/abc:sub": ["system:serviceaccount:shop:cart"],
    },
)
AUD, SUB = "oidc.example/id/ABC:aud", "oidc.example/id/ABC:sub"


def policy(*statements: dict[str, Any]) -> list[str]:
    return [json.dumps({"Version": "2012-10-17", "Statement": list(statements)})]


def trust(condition: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ACTION,
    }
    if condition is not None:
        statement["Condition"] = condition
    return statement | changes


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {"StringEquals": {AUD: "sts.amazonaws.com", SUB: "system:serviceaccount:shop:cart"}},
        {"StringEquals": {SUB: ["system:serviceaccount:a:b", "system:serviceaccount:shop:cart"]}},
        {"StringLike": {SUB: "system:serviceaccount:shop:*"}},
        {"StringLike": {SUB: ["x", "system:serviceaccount:????:c?rt"]}},
        {"StringEquals": {AUD: "other"}, "StringLike": {SUB: "*:cart"}},
    ],
)
def test_a_condition_that_holds_lets_in(condition: dict[str, Any] | None) -> None:
    assert allows(policy(trust(condition)), TRUST)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {SUB: "system:serviceaccount:shop:card"}},
        {"StringEquals": {SUB: "system:serviceaccount:shop:*"}},
        {"StringEquals": {AUD: "sts.amazonaws.com", SUB: "x"}},
        {"StringLike": {SUB: "system:serviceaccount:shop"}},
        {"StringLike": {SUB: "SYSTEM:*"}},
        {"StringEquals": {AUD: "other"}, "StringLike": {SUB: "x"}},
    ],
)
def test_a_condition_that_fails_keeps_out(condition: dict[str, Any]) -> None:
    assert not allows(policy(trust(condition)), TRUST)


@pytest.mark.parametrize(
    "changes",
    [
        {"Action": "sts:AssumeRole"},
        {"Principal": {"Federated": PROVIDER + "D"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Principal": {"Federated": []}},
    ],
)
def test_another_action_or_principal_keeps_out(changes: dict[str, Any]) -> None:
    assert not allows(policy(trust(**changes)), TRUST)


@pytest.mark.parametrize("action", ["*", "sts:*", "STS:assumerolewithwebidentity", [ACTION, "x"]])
def test_actions_match_by_wildcard_list_and_any_case(action: Any) -> None:
    assert allows(policy(trust(Action=action)), TRUST)


def test_any_statement_may_let_in() -> None:
    no = trust({"StringEquals": {SUB: "x"}})
    assert allows(policy(no, trust()), TRUST)
    assert allows(policy(no) + policy(trust()), TRUST)
    assert not allows(policy(no), TRUST)


def test_a_single_statement_needs_no_list() -> None:
    assert allows([json.dumps({"Statement": trust()})], TRUST)


def test_an_explicit_deny_wins() -> None:
    deny = trust({"StringLike": {SUB: "*:shop:*"}}, Effect="Deny")
    assert not allows(policy(trust(), deny), TRUST)
    assert allows(policy(trust(), trust({"StringLike": {SUB: "x"}}, Effect="Deny")), TRUST)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (trust({"StringNotEquals": {SUB: "x"}}), "operator StringNotEquals"),
        (trust({"ForAnyValue:StringLike": {AUD: "x"}}), "operator ForAnyValue:StringLike"),
        (trust({"StringEqualsIfExists": {SUB: "x"}}), "operator StringEqualsIfExists"),
        (trust({"StringEquals": {"oidc.example/id/ABC:amr": "x"}}), "key oidc.example/id/ABC:amr"),
        (trust({"StringEquals": {SUB: "no", "aws:SourceIp": "x"}}), "key aws:SourceIp"),
        (trust(NotAction="x"), "element NotAction"),
        (trust(Principal="*"), 'Principal": "\\*"'),
    ],
)
def test_what_is_not_evaluated_is_refused_by_name(statement: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match=words):
        allows(policy(statement), TRUST)


def test_what_does_not_matter_may_be_unknown() -> None:
    other = trust({"NumericLessThan": {"x": 1}}, Action="sts:AssumeRole")
    assert allows(policy(other, trust()), TRUST)


def test_a_question_without_facts_says_that_it_knows_no_key() -> None:
    question = Question("s3:GetObject", resource="arn:aws:s3:::b/k")
    statement = {
        "Effect": "Allow",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"a": "b"}},
    }
    with pytest.raises(UnsupportedPolicyError, match="here it knows none"):
        allows(policy(statement), question)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ("arn:aws:s3:::data/*", True),
        (["x", "arn:aws:s3:::data/a/b.txt"], True),
        ("arn:aws:s3:::data", False),
        ("arn:aws:s3:::DATA/*", False),
        ("arn:aws:s3:::data/a.b.txt", False),
    ],
)
def test_resources_match_by_wildcard(resource: Any, *, allowed: bool) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}
    question = Question("s3:GetObject", resource="arn:aws:s3:::data/a/b.txt")
    assert allows(policy(statement), question) is allowed


def test_policy_variables_are_refused_by_name() -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:userid}"}
    with pytest.raises(UnsupportedPolicyError, match="policy variables"):
        allows(policy(statement), Question("s3:GetObject", resource="x"))
