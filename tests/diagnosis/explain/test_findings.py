"""The words and the order of findings, and how differences of providers are described."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_creds.diagnosis._explain.explain import Explanation, explain
from irsa_creds.diagnosis._explain.provider_names import difference, is_other_issuer, is_similar
from irsa_creds.diagnosis._explain.subjects import subject_difference
from irsa_creds.diagnosis._policy.templates import trust_policy

ID = "0123456789ABCDEF0123456789ABCDEF"
EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{ID}"
ISSUER = f"https://{EKS}"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SUBJECT = "system:serviceaccount:prod:reader"


def right() -> dict[str, Any]:
    return trust_policy("prod/reader", ISSUER, ACCOUNT)


def explained(policy: dict[str, Any], role_arn: str | None = ROLE) -> Explanation:
    return explain(policy, service_account="prod/reader", issuer=ISSUER, role_arn=role_arn)


def wanting(**tests: Any) -> dict[str, Any]:
    """The right policy with other conditions; a word as operator, claims as keys."""
    policy = right()
    policy["Statement"][0]["Condition"] = {
        operator: {f"{EKS}:{claim}": value for claim, value in claims.items()}
        for operator, claims in tests.items()
    }
    return policy


def test_a_cause_shows_no_token_in_the_name_of_a_provider() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJhIjogMX0.c2lnbmF0dXJl"
    policy = right()
    provider = f"oidc.eks.eu-west-1.{token}/id/{ID}"
    policy["Statement"][0]["Principal"] = {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"
    }
    found = explained(policy)
    assert "its host ends in ***" in found.cause
    assert token not in str(found)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (EKS, ""),
        ("token.actions.githubusercontent.com", "another issuer"),
        (EKS.replace("oidc.eks.eu-west-1", "oidc.us-east-1.eks"), "are swapped"),
        (EKS.replace("oidc.eks.eu-west-1", "oidc.us-east-1.eks"), "and its region is us-east-1"),
        (EKS.replace("/id/", "/").replace("eu-west-1", "us-east-1"), "and its region is us-east-1"),
        (EKS.replace(ID, "F" * 32), f"another cluster (id {'F' * 32})"),
        (EKS.replace("oidc.eks", "oidc.esk"), "misspelled"),
        ("", "empty"),
        ("oidc.eks.*", "wildcards"),
    ],
)
def test_a_provider_differs_from_a_cluster_s_in_a_way_that_has_a_name(
    found: str, says: str
) -> None:
    text = difference(found, EKS)
    assert says in text
    assert bool(text) == (found != EKS)


@pytest.mark.parametrize(
    ("found", "wanted", "says"),
    [
        ("sso.example.com", "sso.example.com/", "slash at the end is missing"),
        ("sso.example.com/", "sso.example.com", "ends with a slash"),
        ("sso.exmaple.com", "sso.example.com", "misspelled"),
        (EKS, "gitlab.com", "another issuer"),
    ],
)
def test_a_provider_differs_from_any_other_too(found: str, wanted: str, says: str) -> None:
    assert says in difference(found, wanted)


def test_only_an_unrelated_provider_is_another_issuer() -> None:
    assert is_other_issuer(EKS.replace(ID, "F" * 32), EKS)
    assert is_other_issuer("gitlab.com", EKS)
    assert not is_other_issuer(EKS.replace("0123", "0132", 1), EKS)
    assert not is_other_issuer("", EKS)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("reader", "raeder", True),
        ("reader", "readers", True),
        ("reader", "eader", True),
        ("reader", "reeder", True),
        ("reader", "writer", False),
        ("dev", "prod", False),
        ("", "prod", False),
        ("production", "porducton", True),
        ("a" * 1000, "a" * 999 + "b", True),
        ("a" * 20, "b" * 20, False),
    ],
)
def test_texts_are_similar_if_few_letters_are_wrong(one: str, other: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_similar(one, other) is expected


@pytest.mark.parametrize(
    ("wanted", "actual", "says"),
    [
        ("repo:acme/*:ref:refs/heads/dev", "repo:acme/app:ref:refs/heads/main", "'refs/heads/dev'"),
        ("user-1", "user-2", "probably misspelled"),
        ("a:b", "a:b:c", "one is longer"),
    ],
)
def test_subjects_that_are_not_of_kubernetes_differ_by_their_parts(
    wanted: str, actual: str, says: str
) -> None:
    assert says in subject_difference(wanted, actual)


def test_errors_come_before_warnings_before_information() -> None:
    policy = wanting(ForAllValues={}, StringEquals={"sub": "system:serviceaccount:prod:raeder"})
    policy["Statement"][0]["Condition"].pop("ForAllValues")
    policy["Statement"][0]["Condition"]["StringEqualsIfExists"] = {f"{EKS}:email": "a@b.c"}
    found = explained(policy)
    assert [(f.id, f.severity) for f in found.findings] == [
        ("P04", "error"),
        ("P06", "warning"),
        ("P07", "info"),
    ]


def test_a_statement_is_called_by_its_sid_and_its_number() -> None:
    policy = right()
    policy["Statement"][0] |= {"Sid": "Pods", "Action": "sts:AssumeRole"}
    [finding] = explained(policy).findings
    assert finding.message.startswith("Statement 'Pods' allows 'sts:AssumeRole'")
    assert finding.statement == 1


def test_many_values_are_not_all_shown() -> None:
    names = [f"system:serviceaccount:prod:job-{number}" for number in range(9)]
    [finding] = explained(wanting(StringEquals={"sub": names, "aud": "sts.amazonaws.com"})).findings
    assert "and 6 more" in finding.message


def test_the_closest_of_many_values_is_the_one_that_is_compared() -> None:
    names = ["system:serviceaccount:dev:writer", "system:serviceaccount:prod:raeder"]
    [finding] = explained(wanting(StringEquals={"sub": names, "aud": "sts.amazonaws.com"})).findings
    assert "'raeder' in the policy, 'reader' in the token" in finding.message
    assert "run the pod as the service account raeder of the namespace prod" in finding.fix


def test_the_first_line_says_what_trusts_another_issuer() -> None:
    policy = right()
    policy["Statement"][0]["Principal"]["Federated"] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/a.b"
    found = explained(policy)
    assert found.cause == "wrong principal: the policy trusts another issuer (P02)"
    assert "issuer: the policy trusts another issuer. It has" in found.findings[0].message


def test_without_a_role_the_account_comes_from_the_policy() -> None:
    policy = right()
    arn = policy["Statement"][0]["Principal"]["Federated"]
    policy["Statement"][0]["Principal"] = {"AWS": arn}
    [finding] = explained(policy, role_arn=None).findings
    assert f'"Federated": "{arn}"' in finding.fix


def test_an_unknown_account_is_a_placeholder() -> None:
    policy = right()
    policy["Statement"][0]["Principal"] = {"Federated": ISSUER}
    found = explained(policy, role_arn=None)
    assert f"arn:aws:iam::ACCOUNT:oidc-provider/{EKS}" in found.findings[0].fix
    assert found.fixed is None


def test_a_statement_for_another_principal_stays_and_a_correct_one_is_added() -> None:
    node = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    found = explained({"Version": "2012-10-17", "Statement": [node]})
    assert found.fixed == {"Version": "2012-10-17", "Statement": [node, right()["Statement"][0]]}
    assert any("Add a statement" in finding.fix for finding in found.findings)


def test_a_finding_is_not_repeated() -> None:
    policy = right()
    policy["Statement"][0]["Sid"] = "Same"
    policy["Statement"][0]["Condition"] = None
    del policy["Statement"][0]["Condition"]
    policy["Statement"] *= 2
    found = explained(policy)
    assert sorted(f.id for f in found.findings) == ["P06", "P11"]


def test_a_condition_of_another_trusted_provider_is_information() -> None:
    policy = right()
    statement = policy["Statement"][0]
    other = f"oidc.eks.us-east-1.amazonaws.com/id/{'F' * 32}"
    statement["Principal"]["Federated"] = [
        statement["Principal"]["Federated"],
        f"arn:aws:iam::{ACCOUNT}:oidc-provider/{other}",
    ]
    statement["Condition"]["StringEqualsIfExists"] = {f"{other}:sub": SUBJECT}
    [finding] = explained(policy).findings
    assert (finding.id, finding.severity) == ("P07", "info")


def test_an_unknown_key_beside_a_false_one_is_only_information() -> None:
    policy = wanting(StringEquals={"sub": "system:serviceaccount:x:y", "aud": "sts.amazonaws.com"})
    policy["Statement"][0]["Condition"]["IpAddress"] = {"aws:SourceIp": "203.0.113.0/24"}
    found = explained(policy)
    assert found.verdict == "deny"
    assert [(f.id, f.severity) for f in found.findings] == [("P04", "error"), ("P12", "info")]


def test_a_negated_operator_on_an_absent_claim_is_explained() -> None:
    policy = right()
    policy["Statement"][0]["Condition"]["StringNotEquals"] = {f"{EKS}:email": "a@b.c"}
    policy["Statement"][0]["Condition"]["Null"] = {f"{EKS}:amr": "true"}
    messages = [f.message for f in explained(policy).findings if f.id == "P07"]
    assert any("a negated operator matches without it" in message for message in messages)
    assert any("Null requires that" in message for message in messages)


def test_the_cause_of_a_denial_shows_no_token() -> None:
    policy = right()
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    policy["Statement"][0] |= {"Effect": "Deny", "Sid": token}
    assert explained(policy).summary == 'DENY  statement "***" denies it (P04)'


def test_without_a_subject_there_is_nothing_to_propose() -> None:
    policy = right()
    policy["Statement"][0]["Condition"] = {"StringEquals": {f"{EKS}:namespace": "prod"}}
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuYiJ9.c2ln"
    policy["Statement"][0]["Principal"]["Federated"] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/a.b"
    policy["Statement"][0]["Condition"] = {"StringEquals": {"a.b:namespace": "prod"}}
    found = explain(policy, token=token)
    assert found.fixed is None
    assert found.findings[0].fix == "Use a token with a subject, and require it."
    assert found.asked["subject"] == "none"
