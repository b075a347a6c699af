from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.parse import parse_policy
from irsa_creds.diagnosis._policy.request import AccessRequest

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.evaluate import Judgement
    from irsa_creds.diagnosis._policy.logic import Truth

HOST = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
ACTION = "sts:AssumeRoleWithWebIdentity"
SUBJECT = "system:serviceaccount:data:reader"
CLAIMS = {"iss": f"https://{HOST}", "aud": ["sts.amazonaws.com"], "sub": SUBJECT}
ROLE = "arn:aws:iam::123456789012:role/app"
TAGS = {"https://aws.amazon.com/tags": {"principal_tags": {"Team": ["data"]}}}

# A condition each that holds, that does not, and of which only AWS knows.
TRUE = {"StringEquals": {f"{HOST}:sub": SUBJECT}}
FALSE = {"StringLike": {f"{HOST}:sub": "system:serviceaccount:other:*"}}
UNKNOWN = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
ANYBODY: dict[str, Any] = {"Principal": "*"}


def statement(*conditions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    merged = {operator: tests for condition in conditions for operator, tests in condition.items()}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ACTION,
        "Condition": merged,
    } | changes


def judged(*statements: dict[str, Any], **claims: Any) -> Judgement:
    policy = parse_policy({"Version": "2012-10-17", "Statement": list(statements)})
    return judge(policy, AccessRequest(f"https://{HOST}", CLAIMS | claims, ROLE))


def allow(*conditions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return statement(*conditions, **changes)


def deny(*conditions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return statement(*conditions, Effect="Deny", **changes)


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ([allow()], "allow"),
        ([allow(TRUE)], "allow"),
        ([allow(FALSE)], "deny"),
        ([allow(UNKNOWN)], "unknown"),
        ([allow(FALSE, {"Null": {"aws:SourceVpc": "true"}})], "deny"),
        ([allow(TRUE, {"Null": {"aws:SourceVpc": "true"}})], "unknown"),
        ([allow(TRUE, Action="sts:AssumeRole")], "deny"),
        ([allow(UNKNOWN, Action="sts:AssumeRole")], "deny"),
        ([allow(TRUE, **ANYBODY)], "unknown"),
        ([allow(TRUE, Principal={"AWS": "*"})], "unknown"),
        ([allow(FALSE, **ANYBODY)], "deny"),
        ([allow(TRUE, Principal={"AWS": "*", "Federated": PROVIDER})], "allow"),
        ([allow(TRUE, Principal={"Federated": ["x", PROVIDER]})], "allow"),
        ([deny(FALSE)], "deny"),
        ([allow(FALSE), allow(TRUE)], "allow"),
        ([allow(UNKNOWN), allow(TRUE)], "allow"),
        ([allow(UNKNOWN), allow(FALSE)], "unknown"),
        ([allow(TRUE), deny(TRUE)], "deny"),
        ([allow(TRUE), deny(FALSE)], "allow"),
        ([allow(TRUE), deny(UNKNOWN)], "unknown"),
        ([allow(TRUE), deny(UNKNOWN), deny(TRUE)], "deny"),
        ([allow(UNKNOWN), deny(UNKNOWN)], "unknown"),
        ([allow(UNKNOWN), deny(TRUE)], "deny"),
        ([allow(FALSE), deny(UNKNOWN)], "deny"),
        ([allow(TRUE), deny(TRUE, Action="sts:AssumeRole")], "allow"),
        ([allow(TRUE), deny(UNKNOWN, Action="sts:AssumeRole")], "allow"),
        ([allow(TRUE), deny(TRUE, **ANYBODY)], "unknown"),
        ([allow(TRUE), deny(FALSE, **ANYBODY)], "allow"),
    ],
)
def test_the_verdict_follows_from_all_statements(
    statements: list[dict[str, Any]], verdict: str
) -> None:
    assert judged(*statements).verdict == verdict
    assert judged(*reversed(statements)).verdict == verdict


@pytest.mark.parametrize(
    ("element", "names", "about"),
    [
        ("Action", ACTION, True),
        ("Action", ACTION.upper(), True),
        ("Action", ["sts:AssumeRole", ACTION], True),
        ("Action", "sts:AssumeRole*", True),
        ("Action", "sts:*", True),
        ("Action", "*", True),
        ("Action", "sts:AssumeRoleWith???Identity", True),
        ("Action", "sts:AssumeRole", False),
        ("Action", "sts:TagSession", False),
        ("Action", "AssumeRoleWithWebIdentity", False),
        ("Action", f"{ACTION} ", False),
        ("NotAction", "sts:AssumeRole", True),
        ("NotAction", "sts:*", False),
        ("NotAction", ["iam:*", ACTION.lower()], False),
    ],
)
def test_an_action_is_named_by_wildcards_in_any_case_or_left_out(
    element: str, names: Any, *, about: bool
) -> None:
    changed = allow(TRUE) | {element: names}
    if element == "NotAction":
        del changed["Action"]
    judgement = judged(changed)
    assert judgement.statements[0].action is about
    assert judgement.verdict == ("allow" if about else "deny")


def test_each_part_of_a_statement_is_evaluated() -> None:
    [one] = judged(allow(TRUE, FALSE, {"Null": {"aws:SourceVpc": "false"}}, **ANYBODY)).statements
    assert (one.action, one.principal, one.resource, one.truth) == (True, None, True, False)
    assert [(test.operator, truth) for test, truth in one.conditions] == [
        ("StringEquals", True),
        ("StringLike", False),
        ("Null", None),
    ]


@pytest.mark.parametrize(
    ("version", "truth"), [("2012-10-17", True), ("2008-10-17", False), (None, False)]
)
def test_variables_are_of_the_new_version_alone(version: str | None, *, truth: Truth) -> None:
    condition = {"StringEquals": {f"{HOST}:sub": f"${{{HOST}:sub}}"}}
    document = {"Version": version, "Statement": allow(condition)}
    if version is None:
        del document["Version"]
    judgement = judge(parse_policy(document), AccessRequest(f"https://{HOST}", CLAIMS))
    assert judgement.statements[0].truth is truth


def test_two_audiences_are_unknown_to_an_operator_of_one() -> None:
    plain = {"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"}}
    any_of = {"ForAnyValue:StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"}}
    both = ["sts.amazonaws.com", "vault"]
    assert judged(allow(plain), aud=both).verdict == "unknown"
    assert judged(allow(any_of), aud=both).verdict == "allow"


def test_a_condition_key_has_no_case_and_its_value_has() -> None:
    assert judged(allow({"StringEquals": {f"{HOST}:SUB".upper(): SUBJECT}})).verdict == "allow"
    assert judged(allow({"StringEquals": {f"{HOST}:sub": SUBJECT.upper()}})).verdict == "deny"


@pytest.mark.parametrize(
    ("actions", "verdict", "about"),
    [
        ([ACTION, "sts:TagSession"], "allow", ACTION),
        (["sts:*"], "allow", ACTION),
        ([ACTION], "deny", "sts:TagSession"),
        (["sts:TagSession"], "deny", ACTION),
        (["sts:AssumeRole"], "deny", ACTION),
    ],
)
def test_session_tags_of_a_token_must_be_allowed_too(
    actions: list[str], verdict: str, about: str
) -> None:
    judgement = judged(allow(TRUE, Action=actions), **TAGS)
    assert (judgement.verdict, judgement.action) == (verdict, about)


def test_a_denied_action_takes_precedence_over_an_unknown_one() -> None:
    judgement = judged(allow(UNKNOWN), **TAGS)
    assert (judgement.verdict, judgement.action) == ("deny", "sts:TagSession")


ANY: dict[str, Any] = {"Principal": {"AWS": "*"}}
OTHER = {"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.example"}
FAR = {"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("statements", "nearest"),
    [
        ([deny(TRUE)], None),
        ([allow(FALSE)], 0),
        ([deny(TRUE), allow(FALSE)], 1),
        ([allow(**FAR), allow(FALSE)], 1),
        ([allow(FALSE), allow(TRUE)], 1),
        ([allow(UNKNOWN), allow(TRUE)], 1),
        ([allow(FALSE), allow(UNKNOWN)], 1),
        ([allow(FALSE), allow(FALSE)], 0),
        ([allow(FALSE, Principal={"AWS": "x"}), allow(FALSE, Action="sts:AssumeRole")], 0),
        ([allow(**ANY | {"Action": "sts:AssumeRole"}), allow(FALSE, Principal=OTHER)], 1),
        ([allow(FALSE, Action="x:y"), allow(TRUE, Action="sts:AssumeRole")], 1),
        ([allow(TRUE, Action="sts:AssumeRole"), allow(FALSE)], 1),
    ],
)
def test_the_nearest_allow_is_the_one_of_which_least_is_amiss(
    statements: list[dict[str, Any]], nearest: int | None
) -> None:
    found = judged(*statements).nearest
    assert (found and found.statement.index) == nearest
