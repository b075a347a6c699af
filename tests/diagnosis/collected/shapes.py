"""The shapes of collected trust policies, and the tokens that they are judged with.

Accounts, clusters, organizations and repositories have neutral names; the texts are not copied.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
CLUSTER = "0123456789ABCDEF0123456789ABCDEF"
RECREATED = "FEDCBA9876543210FEDCBA9876543210"
STS = "sts.amazonaws.com"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"

GITHUB = "token.actions.githubusercontent.com"
GITLAB = "gitlab.com"
TERRAFORM = "app.terraform.io"
BUILDKITE = "agent.buildkite.com"
VERCEL = "oidc.vercel.com/acme"
ORGANIZATION = "00000000-1111-2222-3333-444444444444"
CIRCLECI = f"oidc.circleci.com/org/{ORGANIZATION}"
AKS = f"eastus.oic.prod-aks.azure.com/{ORGANIZATION}/{ORGANIZATION}"

MAIN = "repo:acme/app:ref:refs/heads/main"
# The same branch after the repository has switched to GitHub's immutable subjects.
NUMBERED = "repo:acme@123/app@456:ref:refs/heads/main"
CONTROLLER = "kube-system:aws-load-balancer-controller"
DRIVER = "kube-system:ebs-csi-controller-sa"

Policy = dict[str, Any]
Claims = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One collected policy, and what is right about it.

    Attributes:
        source: the repository and the path, or the repository and the number of the thread.
        policy: the trust policy, or a text that is not JSON.
        token: the claims that it is judged with.
        verdict: what IAM does with that token.
        causes: the ids that the first finding may have; empty for a sound policy.
        role: the role's ARN, if the person knows it.
    """

    source: str
    policy: Policy | str
    token: Claims
    verdict: str = "allow"
    causes: tuple[str, ...] = ()
    role: str | None = ROLE


def eks(region: str = "eu-west-1", cluster: str = CLUSTER) -> str:
    """Return the name of a cluster's OIDC provider."""
    return f"oidc.eks.{region}.amazonaws.com/id/{cluster}"


EKS = eks()


def arn(provider: str, account: str = ACCOUNT, partition: str = "aws") -> str:
    return f"arn:{partition}:iam::{account}:oidc-provider/{provider}"


def account_of(name: str) -> str:
    """Return the subject of "NAMESPACE:NAME"."""
    return f"system:serviceaccount:{name}"


def statement(principal: Any, action: Any = EXCHANGE, **operators: Any) -> dict[str, Any]:
    """Return an Allow statement; an operator has _ in place of the colon."""
    made = {"Effect": "Allow", "Principal": principal, "Action": action}
    condition = {name.replace("_", ":"): tests for name, tests in operators.items()}
    return made | ({"Condition": condition} if condition else {})


def policy(*statements: dict[str, Any]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(
    provider: str,
    *,
    federated: Any = None,
    keys: str | None = None,
    action: Any = EXCHANGE,
    **operators: dict[str, Any],
) -> Policy:
    """Return a policy of one statement; claims stand without the prefix of their keys.

    Args:
        provider: whose ARN is trusted.
        federated: another principal than that.
        keys: another prefix of the condition keys than the provider.
        action: the action or actions.
        operators: claims and values for each operator; a claim with a colon is a whole key.
    """
    prefix = provider if keys is None else keys
    full = {
        operator: {
            claim if ":" in claim else f"{prefix}:{claim}": value for claim, value in tests.items()
        }
        for operator, tests in operators.items()
    }
    return policy(statement({"Federated": federated or arn(provider)}, action, **full))


def equals(provider: str, subject: Any, audience: Any = STS, **options: Any) -> Policy:
    return trust(provider, StringEquals={"aud": audience, "sub": subject}, **options)


def split(provider: str, subject: Any, audience: Any = STS, **options: Any) -> Policy:
    return trust(provider, StringEquals={"aud": audience}, StringLike={"sub": subject}, **options)


def only(provider: str, subject: Any, operator: str = "StringEquals", **options: Any) -> Policy:
    conditions: dict[str, Any] = {operator: {"sub": subject}}
    return trust(provider, **conditions, **options)


def pod(subject: str, provider: str = EKS, **claims: Any) -> Claims:
    """Return the claims of a pod's token; the subject is "NAMESPACE:NAME"."""
    namespace, name = subject.split(":")
    return {
        "iss": f"https://{provider}",
        "sub": account_of(subject),
        "aud": [STS],
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": "1"}},
    } | claims


def job(subject: str = MAIN, provider: str = GITHUB, **claims: Any) -> Claims:
    """Return the claims of a token of GitHub Actions or another CI system."""
    return {"iss": f"https://{provider}", "sub": subject, "aud": STS} | claims


def jwt(claims: Claims) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{encoded}.c2lnbmF0dXJl"
