"""The one change that fixes a policy, and policies without such a change."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from irsa_creds.diagnosis._explain.changes import corrected
from irsa_creds.diagnosis._explain.explain import Explanation, explain
from irsa_creds.diagnosis._policy.parse import parse_policy
from irsa_creds.diagnosis._policy.request import from_service_account
from irsa_creds.diagnosis._policy.templates import trust_policy

ID = "0123456789ABCDEF0123456789ABCDEF"
EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{ID}"
ISSUER = f"https://{EKS}"
OTHER = f"oidc.eks.us-east-1.amazonaws.com/id/{'FEDCBA98' * 4}"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{EKS}"
SUBJECT = "system:serviceaccount:prod:reader"
SUB, AUD = f"{EKS}:sub", f"{EKS}:aud"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"
STS = "sts.amazonaws.com"


def policy(**elements: Any) -> dict[str, Any]:
    made = trust_policy("prod/reader", ISSUER, ACCOUNT)
    made["Statement"][0] |= elements
    made["Statement"][0] = {k: v for k, v in made["Statement"][0].items() if v is not None}
    return made


def explained(bad: dict[str, Any]) -> Explanation:
    return explain(bad, service_account="prod/reader", issuer=ISSUER, role_arn=ROLE)


def fixed(bad: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(bad)
    found = explained(bad)
    assert bad == before
    assert found.fixed is not None
    assert explained(found.fixed).verdict == "allow"
    statement: dict[str, Any] = found.fixed["Statement"][0]
    return statement


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Action": "sts:AssumeRole"}, {"Action": EXCHANGE}),
        (
            {"Action": ["sts:AssumeRole", "sts:TagSession"]},
            {"Action": [EXCHANGE, "sts:TagSession"]},
        ),
        ({"Action": "sts:TagSession"}, {"Action": ["sts:TagSession", EXCHANGE]}),
        ({"Principal": {"AWS": ARN}}, {"Principal": {"Federated": ARN}}),
        (
            {"Principal": {"AWS": ["arn:aws:iam::123456789012:root", ARN], "Federated": "x.y"}},
            {
                "Principal": {
                    "AWS": ["arn:aws:iam::123456789012:root"],
                    "Federated": ["x.y", ARN],
                }
            },
        ),
        (
            {"Principal": {"Federated": ["x.y", f"{ARN}/"]}},
            {"Principal": {"Federated": ["x.y", ARN]}},
        ),
        (
            {"Condition": {"StringEquals": {SUB: "system:serviceaccount:prod:*", AUD: STS}}},
            {
                "Condition": {
                    "StringEquals": {SUB: SUBJECT, AUD: STS},
                }
            },
        ),
        (
            {"Condition": {"StringEquals": {f"{OTHER}:sub": SUBJECT, f"{OTHER}:aud": STS}}},
            {"Condition": {"StringEquals": {SUB: SUBJECT, AUD: STS}}},
        ),
        (
            {"Condition": {"StringEquals": {SUB: ["a", f"{SUBJECT}s"], AUD: STS}}},
            {"Condition": {"StringEquals": {SUB: ["a", SUBJECT], AUD: STS}}},
        ),
        (
            {"Condition": {"StringEquals": {SUB: SUBJECT, AUD: STS, "sts:ExternalId": "x"}}},
            {"Condition": {"StringEquals": {SUB: SUBJECT, AUD: STS}}},
        ),
        (
            {"Condition": {"StringEquals": {f"{EKS}:namespace": "prod", AUD: STS}}},
            {"Condition": {"StringEquals": {AUD: STS, SUB: SUBJECT}}},
        ),
    ],
)
def test_a_correction_changes_one_thing_and_leaves_the_rest(
    elements: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert fixed(policy(**elements)) == policy(**expected)["Statement"][0]


def test_a_provider_misspelled_everywhere_is_one_mistake() -> None:
    wrong = EKS.replace("oidc.eks.eu-west-1", "oidc.eu-west-1.eks")
    bad = policy(
        Principal={"Federated": ARN.replace(EKS, wrong)},
        Condition={"StringEquals": {f"{wrong}:sub": SUBJECT, f"{wrong}:aud": STS}},
    )
    assert fixed(bad) == policy()["Statement"][0]


def test_another_cluster_s_statement_stays_and_this_one_s_is_added() -> None:
    bad = policy(
        Principal={"Federated": ARN.replace(EKS, OTHER)},
        Condition={"StringEquals": {f"{OTHER}:sub": SUBJECT, f"{OTHER}:aud": STS}},
    )
    found = explained(bad)
    assert found.fixed is not None
    assert found.fixed["Statement"] == [*bad["Statement"], *policy()["Statement"]]


def test_a_statement_without_a_list_gets_one_when_another_is_added() -> None:
    node = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    found = explained({"Version": "2012-10-17", "Statement": node})
    assert found.fixed == {"Version": "2012-10-17", "Statement": [node, policy()["Statement"][0]]}


def test_a_single_statement_is_corrected_in_place() -> None:
    bad = {"Version": "2012-10-17", "Statement": policy(Action="sts:AssumeRole")["Statement"][0]}
    found = explained(bad)
    assert found.fixed == {"Version": "2012-10-17", "Statement": policy()["Statement"][0]}


@pytest.mark.parametrize(
    "bad",
    [
        # Two mistakes are two changes.
        policy(Action="sts:AssumeRole", Principal={"AWS": ARN}),
        policy(Condition={"StringEquals": {SUB: "system:serviceaccount:x:y", AUD: "z"}}),
        # A correction must not allow every identity.
        policy(Condition={"StringNotEquals": {SUB: SUBJECT}, "StringEquals": {AUD: STS}}),
        policy(Condition={"Null": {SUB: "true"}, "StringEquals": {AUD: STS}}),
        policy(Condition={"StringEquals": {"sts:ExternalId": "x"}}),
        policy(Condition={"StringEquals": {"sts:ExternalId": "x", AUD: STS}}),
        policy(
            Action="sts:AssumeRole",
            Condition={"StringLike": {SUB: "system:serviceaccount:*", AUD: STS}},
        ),
        policy(
            Condition={
                "StringEquals": {SUB: "system:serviceaccount:prod:raeder"},
                "ForAllValues:StringEquals": {AUD: STS},
            }
        ),
        # NotAction allows further actions that the policy does not name.
        policy(Action=None, NotAction="sts:*"),
        # A Deny without conditions is intended.
        policy()
        | {
            "Statement": [
                policy()["Statement"][0],
                policy(Effect="Deny", Condition=None)["Statement"][0],
            ]
        },
    ],
)
def test_no_correction_is_offered_if_one_change_is_not_enough(bad: dict[str, Any]) -> None:
    found = explained(bad)
    assert found.verdict == "deny"
    assert found.fixed is None


def test_a_deny_never_gets_an_exception() -> None:
    deny = {
        "Effect": "Deny",
        "Principal": {"Federated": ARN},
        "Action": EXCHANGE,
        "Condition": {"StringNotEquals": {SUB: "system:serviceaccount:prod:writer"}},
    }
    found = explained(policy() | {"Statement": [*policy()["Statement"], deny]})
    assert found.fixed is None
    assert found.findings[0].fix == "Use another token, or ask the owner of the policy."


def test_a_deny_of_exactly_this_token_is_for_the_owner_of_the_policy() -> None:
    deny = policy(Effect="Deny", Condition={"StringLike": {SUB: "system:serviceaccount:prod:*"}})
    found = explained(policy() | {"Statement": [*policy()["Statement"], *deny["Statement"]]})
    assert found.fixed is None
    assert found.findings[0].fix == "Use another token, or ask the owner of the policy."


def test_a_change_that_makes_no_policy_is_passed_over() -> None:
    parsed = parse_policy(policy(Action="sts:AssumeRole"))
    request = from_service_account("prod/reader", issuer=ISSUER)
    tried = []

    def spoil(document: dict[str, Any]) -> None:
        tried.append("spoilt")
        document["Statement"] = []

    def nothing(document: dict[str, Any]) -> None:
        tried.append("nothing")

    def open_(document: dict[str, Any]) -> None:
        tried.append("open")
        document["Statement"][0]["Action"] = "*"

    def right(document: dict[str, Any]) -> None:
        document["Statement"][0]["Action"] = EXCHANGE

    changes = [spoil, nothing, open_, right]
    found = corrected(parsed, request, changes, lambda made: made.statements[0].actions != ("*",))
    assert tried == ["spoilt", "nothing", "open"]
    assert found == policy()
