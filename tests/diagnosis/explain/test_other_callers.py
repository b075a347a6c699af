"""A statement for several providers must restrict the tokens of each."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_creds.diagnosis._explain.explain import explain

EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{'0123456789ABCDEF' * 2}"
GITHUB = "token.actions.githubusercontent.com"
COGNITO = "cognito-identity.amazonaws.com"
READER = "system:serviceaccount:prod:reader"
STS = "sts.amazonaws.com"
POD = {f"{EKS}:sub": READER, f"{EKS}:aud": STS}


def arn(provider: str) -> str:
    return f"arn:aws:iam::123456789012:oidc-provider/{provider}"


def both(condition: dict[str, Any], other: str, **elements: Any) -> dict[str, Any]:
    allow = {
        "Effect": "Allow",
        "Principal": {"Federated": [arn(EKS), other, arn(EKS)]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [allow | elements]}


@pytest.mark.parametrize(
    ("other", "named", "tests"),
    [
        (arn(GITHUB), GITHUB, {}),
        (arn(GITHUB), GITHUB, {f"{GITHUB}:aud": "vault"}),
        (COGNITO, COGNITO, {}),
    ],
)
def test_a_provider_whose_tokens_no_condition_restricts_is_a_warning(
    other: str, named: str, tests: dict[str, Any]
) -> None:
    policy = both({"StringEqualsIfExists": POD | tests}, other)
    found = explain(policy, service_account="prod/reader", issuer=EKS)
    [warning] = [each for each in found.findings if each.id == "P11"]
    assert found.verdict == "allow"
    assert f"any token of 'https://{named}' can get this role" in warning.message
    assert warning.fix.startswith("Write one statement for each provider")


def test_no_correction_lets_in_the_tokens_of_another_provider() -> None:
    policy = both({"StringEqualsIfExists": POD}, arn(GITHUB), Action="sts:AssumeRole")
    found = explain(policy, service_account="prod/reader", issuer=EKS)
    assert (found.verdict, found.fixed) == ("deny", None)


@pytest.mark.parametrize(
    "tests",
    [
        {f"{GITHUB}:sub": "repo:acme/app:ref:refs/heads/main"},
        {f"{GITHUB}:repository": "acme/app"},
    ],
)
def test_a_provider_with_a_condition_of_its_own_is_no_warning(tests: dict[str, Any]) -> None:
    policy = both({"StringEqualsIfExists": POD | tests}, arn(GITHUB))
    found = explain(policy, service_account="prod/reader", issuer=EKS)
    assert found.verdict == "allow"
    assert not [each for each in found.findings if each.id == "P11"]
