"""Sound trust policies, of all the places they come from: none may raise an alarm.

The forms are those of the documents and tools named beside them, as of 2026; the names are our own.
"""
# ruff: noqa: E501 - one row of a table is one line

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from irsa_creds.diagnosis._explain.explain import explain
from irsa_creds.diagnosis._policy.templates import trust_policy

ACCOUNT = "123456789012"
CLUSTER = "0123456789ABCDEF0123456789ABCDEF"
EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{CLUSTER}"
SECOND = f"oidc.eks.us-east-1.amazonaws.com/id/{'FEDCBA98' * 4}"
CHINA = f"oidc.eks.cn-north-1.amazonaws.com.cn/id/{CLUSTER}"
GOV = f"oidc.eks.us-gov-west-1.amazonaws.com/id/{CLUSTER}"
DUAL = f"oidc-eks.eu-west-1.api.aws/id/{CLUSTER}"
KOPS = "discovery.example.com/cluster.example.com"
BUCKET = "s3.eu-west-1.amazonaws.com/oidc-bucket"
ROSA = "rh-oidc.s3.us-east-1.amazonaws.com/2abc0def"
ROSA_HOSTED = "oidc.op1.openshiftapps.com/2abc0def"
GITHUB = "token.actions.githubusercontent.com"
GHES = "github.example.com/_services/token"
GITLAB = "gitlab.com"
COGNITO_GOV = "cognito-identity-us-gov.amazonaws.com"
OWN_GITLAB = "gitlab.example.com"
STS = "sts.amazonaws.com"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"
READER = "system:serviceaccount:prod:reader"
MAIN = "repo:acme/app:ref:refs/heads/main"
PROJECT = "project_path:acme/app:ref_type:branch:ref:main"


def jwt(claims: dict[str, object]) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{encoded}.c2lnbmF0dXJl"


def arn(provider: str, partition: str = "aws") -> str:
    return f"arn:{partition}:iam::{ACCOUNT}:oidc-provider/{provider}"


def statement(provider: str, *, partition: str = "aws", **elements: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": arn(provider, partition)},
        "Action": EXCHANGE,
        **elements,
    }


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def conditions(provider: str, tests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        operator: {f"{provider}:{claim}": value for claim, value in wanted.items()}
        for operator, wanted in tests.items()
    }


def when(provider: str, partition: str = "aws", **tests: dict[str, Any]) -> dict[str, Any]:
    """A policy of one statement; operators stand with _ for the colon, keys without the issuer."""
    named = {operator.replace("_", ":"): wanted for operator, wanted in tests.items()}
    condition = conditions(provider, named)
    return policy(statement(provider, partition=partition, Condition=condition))


def equals(
    provider: str, subject: Any, audience: Any = STS, partition: str = "aws"
) -> dict[str, Any]:
    return when(provider, partition, StringEquals={"sub": subject, "aud": audience})


def like(provider: str, subject: Any, audience: Any = STS) -> dict[str, Any]:
    return when(provider, StringLike={"sub": subject, "aud": audience})


def mixed(provider: str, subject: Any, audience: Any = STS) -> dict[str, Any]:
    return when(provider, StringLike={"sub": subject}, StringEquals={"aud": audience})


def sound(subject: str = READER, provider: str = EKS) -> dict[str, Any]:
    tests = {"StringEquals": {"sub": subject, "aud": STS}}
    return statement(provider, Condition=conditions(provider, tests))


SELF = {
    "Sid": "ExplicitSelfRoleAssumption",
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "sts:AssumeRole",
    "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/reader"}},
}


def others(condition: dict[str, Any]) -> dict[str, Any]:
    """A statement that lets every AWS account assume the role, under a condition."""
    return SELF | {"Condition": condition}


EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
PODS = {
    "Sid": "AllowEksAuthToAssumeRoleForPodIdentity",
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
TAGS = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["data"]}}}

# Origin, the policy, and the changes of the token from that of prod/reader on EKS.
SOUND: list[tuple[Any, ...]] = [
    # EKS User Guide, "Assign IAM roles to Kubernetes service accounts".
    ("EKS: the console's", equals(EKS, READER)),
    ("EKS: several service accounts", like(EKS, "system:serviceaccount:prod:*")),
    ("EKS: a list", equals(EKS, [READER, "system:serviceaccount:dev:reader"])),
    ("EKS: aud before sub", when(EKS, StringEquals={"aud": STS, "sub": READER})),
    ("EKS: troubleshooting's StringLike", mixed(EKS, "system:serviceaccount:prod:reader*")),
    ("EKS: namespaces that end so", mixed(EKS, "system:serviceaccount:*od:reader")),
    ("EKS: dual stack", equals(DUAL, READER), DUAL),
    ("EKS: no version of the language is the old one", {"Statement": [sound()]}),
    ("EKS: the old version", policy(sound(), version="2008-10-17")),
    ("EKS: one statement without a list", {"Version": "2012-10-17", "Statement": sound()}),
    ("EKS: with Sid and Id", policy({"Sid": "IRSA", **sound()}) | {"Id": "trust"}),
    ("EKS: the values in lists", when(EKS, StringEquals={"sub": [READER], "aud": [STS]})),
    ("EKS: everything in lists", policy(sound() | {"Action": [EXCHANGE], "Principal": {"Federated": [arn(EKS)]}})),
    ("EKS: key in other letters", when(EKS, StringEquals={"SUB": READER, "Aud": STS})),
    ("EKS: action in other letters", policy(sound() | {"Action": "sts:assumerolewithwebidentity"})),
    ("EKS: action with a star", policy(sound() | {"Action": "sts:AssumeRoleWithWeb*"})),
    ("EKS: all of STS", policy(sound() | {"Action": "sts:*"})),
    ("EKS: tags allowed though none come", policy(sound() | {"Action": [EXCHANGE, "sts:TagSession"]})),
    ("EKS: another audience", equals(EKS, READER, "vault"), EKS, {"aud": ["vault"]}),
    ("EKS: one audience of two, by ForAnyValue", when(EKS, StringEquals={"sub": READER}, ForAnyValue_StringEquals={"aud": STS}), EKS, {"aud": [STS, "vault"]}),
    ("EKS: one of several audiences", equals(EKS, READER, [STS, "vault"])),
    ("EKS: audience as a text", equals(EKS, READER), EKS, {"aud": STS}),
    # eksctl, "IAM Roles for Service Accounts".
    ("eksctl: create iamserviceaccount", equals(EKS, READER)),
    ("eksctl: well-known add-on", equals(EKS, "system:serviceaccount:kube-system:aws-load-balancer-controller"), EKS, {"sub": "system:serviceaccount:kube-system:aws-load-balancer-controller"}),
    ("eksctl: aws-node", equals(EKS, "system:serviceaccount:kube-system:aws-node"), EKS, {"sub": "system:serviceaccount:kube-system:aws-node"}),
    ("eksctl: CloudFormation's Version first", json.dumps({"Version": "2012-10-17", "Statement": [sound()]})),
    # terraform-aws-modules/iam, iam-role-for-service-accounts-eks and its successors.
    ("Terraform: StringEquals", when(EKS, StringEquals={"sub": ["system:serviceaccount:prod:reader"], "aud": STS})),
    ("Terraform: StringLike", like(EKS, ["system:serviceaccount:prod:*"])),
    ("Terraform: StringLike without a star", like(EKS, READER)),
    ("Terraform: two clusters", policy(sound(), sound(provider=SECOND))),
    ("Terraform: two clusters, the other one first", policy(sound(provider=SECOND), sound())),
    ("Terraform: the role may assume itself", policy(SELF, sound())),
    ("Terraform: the same, last", policy(sound(), SELF)),
    ("Terraform: ForAnyValue on aud", when(EKS, StringLike={"sub": READER}, ForAnyValue_StringEquals={"aud": STS})),
    ("Terraform: assumable role with OIDC", when(EKS, StringEquals={"sub": READER, "aud": STS}, StringLike={"sub": READER})),
    ("Terraform: several subjects of a namespace", like(EKS, ["system:serviceaccount:prod:reader", "system:serviceaccount:prod:writer"])),
    ("Terraform: Pod Identity beside", policy(PODS, sound())),
    # AWS CDK: eks.ServiceAccount makes keys by CfnJson.
    ("CDK: eks.ServiceAccount", policy({"Action": EXCHANGE, "Condition": sound()["Condition"], "Effect": "Allow", "Principal": {"Federated": arn(EKS)}})),
    # Multi-statement, as roles grow in life.
    ("EC2 beside", policy(EC2, sound())),
    ("three service accounts, three statements", policy(sound("system:serviceaccount:a:b"), sound("system:serviceaccount:c:d"), sound())),
    ("a Deny of another namespace", policy(sound(), sound() | {"Effect": "Deny", "Condition": conditions(EKS, {"StringLike": {"sub": "system:serviceaccount:dev:*"}})})),
    ("a Deny of AssumeRole to all", policy(sound(), {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})),
    ("a Deny of a subject with a variable", policy(sound(), sound() | {"Effect": "Deny", "Condition": conditions(EKS, {"StringLike": {"sub": "x:${aws:RequestTag/ns}"}})})),
    ("a Deny of a provider beside a placeholder", policy(sound(), sound("x") | {"Effect": "Deny", "Principal": {"Federated": [arn(EKS), "${OIDC}"]}})),
    ("all but", policy(statement(EKS, Condition=conditions(EKS, {"StringLike": {"sub": "system:serviceaccount:prod:*"}, "StringNotLike": {"sub": "*:admin"}, "StringEquals": {"aud": STS}})))),
    ("two providers in one statement, IfExists", policy(statement(EKS, Principal={"Federated": [arn(EKS), arn(SECOND)]}, Condition={"StringEqualsIfExists": {f"{EKS}:sub": READER, f"{EKS}:aud": STS, f"{SECOND}:sub": READER, f"{SECOND}:aud": STS}}))),
    ("an organization beside", policy(sound(), others({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))),
    ("the organization's paths", policy(sound(), others({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}))),
    ("an external id beside", policy(sound(), others({"StringEquals": {"sts:ExternalId": "8f"}}))),
    ("a service's resources beside", policy(sound(), others({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}))),
    ("an account beside", policy(sound(), others({"StringEquals": {"AWS:principalaccount": ACCOUNT}}))),
    ("all but an organization denied", policy(sound(), others({}), others({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}) | {"Effect": "Deny"})),
    ("tags by all, which alone allow nothing", policy(sound(), others({}) | {"Action": "sts:TagSession"})),
    ("everyone with this subject", policy(sound(), sound() | {"Principal": "*"})),
    ("GitHub's repository beside", policy(sound(), statement(GITHUB, Condition=conditions(GITHUB, {"StringLike": {"sub": "repo:acme/app:*"}, "StringEquals": {"aud": STS}})))),
    ("GitHub's repository, by its id, beside", policy(sound(), statement(GITHUB, Condition=conditions(GITHUB, {"StringLike": {"sub": "repo:*"}, "StringEquals": {"repository_id": "7"}})))),
    ("GitHub's any repository beside, all but one denied", policy(sound(), statement(GITHUB, Condition=conditions(GITHUB, {"StringLike": {"sub": "repo:*"}})), statement(GITHUB, Effect="Deny", Condition=conditions(GITHUB, {"StringNotLike": {"sub": "repo:acme/*"}})))),
    ("in any case of letters", when(EKS, StringEqualsIgnoreCase={"sub": READER.upper()}, StringEquals={"aud": STS})),
    ("ForAllValues made safe by Null", when(EKS, ForAllValues_StringEquals={"sub": READER}, Null={"sub": "false"}, StringEquals={"aud": STS})),
    ("a question mark", mixed(EKS, "system:serviceaccount:prod:reade?")),
    ("a variable with a default", mixed(EKS, "system:serviceaccount:prod:${aws:RequestTag/app, 'reader'}")),
    ("a star by a variable's name", mixed(EKS, ["system:serviceaccount:prod:reader", "x${*}"])),
    ("a session tag as variable", policy(statement(EKS, Action=[EXCHANGE, "sts:TagSession"], Condition=conditions(EKS, {"StringEquals": {"sub": "system:serviceaccount:${aws:RequestTag/ns}:reader", "aud": STS}}))), EKS, {"https://aws.amazon.com/tags": {"principal_tags": {"ns": ["prod"]}}}),
    # IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles".
    ("session tags", policy(sound() | {"Action": [EXCHANGE, "sts:TagSession"]}), EKS, TAGS),
    ("session tags in a statement of their own", policy(sound(), sound() | {"Action": "sts:TagSession"}), EKS, TAGS),
    ("a source identity", policy(sound() | {"Action": [EXCHANGE, "sts:SetSourceIdentity"]}), EKS, {"https://aws.amazon.com/source_identity": "bob"}),
    ("tags that must be there", policy(statement(EKS, Action=[EXCHANGE, "sts:TagSession"], Condition=conditions(EKS, {"StringEquals": {"sub": READER, "aud": STS}}) | {"StringLike": {"aws:RequestTag/team": "*"}})), EKS, TAGS),
    # Other partitions: Amazon EKS in China, in AWS GovCloud (US).
    ("aws-cn", equals(CHINA, READER, partition="aws-cn"), CHINA, {}, "aws-cn"),
    ("aws-cn with its own audience", equals(CHINA, READER, "sts.amazonaws.com.cn", "aws-cn"), CHINA, {"aud": ["sts.amazonaws.com.cn"]}, "aws-cn"),
    ("aws-us-gov", equals(GOV, READER, partition="aws-us-gov"), GOV, {}, "aws-us-gov"),
    ("aws-cn, a pattern", when(CHINA, "aws-cn", StringLike={"sub": "system:serviceaccount:prod:*", "aud": STS}), CHINA, {}, "aws-cn"),
    # kOps, "IAM roles for ServiceAccounts": the subject alone; the provider lists the audience.
    ("kOps: its own issuer", when(KOPS, StringEquals={"sub": READER}), KOPS, {"aud": ["amazonaws.com"]}),
    ("kOps: a bucket", when(BUCKET, StringEquals={"sub": READER}), BUCKET, {"aud": ["amazonaws.com"]}),
    ("kOps: the control plane's", when(KOPS, StringEquals={"sub": "system:serviceaccount:kube-system:dns-controller"}), KOPS, {"sub": "system:serviceaccount:kube-system:dns-controller", "aud": ["amazonaws.com"]}),
    # ROSA, "Configuring STS": operators' roles list their service accounts.
    ("ROSA: an operator", when(ROSA, StringEquals={"sub": ["system:serviceaccount:openshift-ingress-operator:ingress-operator"]}), ROSA, {"sub": "system:serviceaccount:openshift-ingress-operator:ingress-operator", "aud": ["openshift"]}),
    ("ROSA: two of one operator", when(ROSA_HOSTED, StringEquals={"sub": ["system:serviceaccount:openshift-image-registry:cluster-image-registry-operator", "system:serviceaccount:openshift-image-registry:registry"]}), ROSA_HOSTED, {"sub": "system:serviceaccount:openshift-image-registry:registry", "aud": ["openshift"]}),
    ("ROSA: an application", equals(ROSA_HOSTED, READER), ROSA_HOSTED),
    # GitHub, "Configuring OpenID Connect in Amazon Web Services", and IAM's own page on it.
    ("GitHub: a branch", equals(GITHUB, MAIN), GITHUB, {"sub": MAIN, "aud": STS}),
    ("GitHub: a repository", mixed(GITHUB, "repo:acme/app:*"), GITHUB, {"sub": MAIN, "aud": STS}),
    ("GitHub: an organisation", mixed(GITHUB, "repo:acme/*"), GITHUB, {"sub": MAIN, "aud": STS}),
    ("GitHub: immutable subjects, any id", mixed(GITHUB, "repo:acme@*/app@*:ref:refs/heads/main"), GITHUB, {"sub": "repo:acme@123/app@456:ref:refs/heads/main", "aud": STS}),
    ("GitHub: immutable subjects", equals(GITHUB, "repo:acme@123/app@456:ref:refs/heads/main"), GITHUB, {"sub": "repo:acme@123/app@456:ref:refs/heads/main", "aud": STS}),
    ("GitHub: immutable subjects, an owner", mixed(GITHUB, "repo:acme@123/*"), GITHUB, {"sub": "repo:acme@123/app@456:ref:refs/heads/main", "aud": STS}),
    ("a literal star in a session tag's place", mixed(EKS, [READER, "system:serviceaccount:${*}:${*}"])),
    ("GitHub: an environment", equals(GITHUB, "repo:acme/app:environment:prod"), GITHUB, {"sub": "repo:acme/app:environment:prod", "aud": STS}),
    ("GitHub: pull requests", equals(GITHUB, "repo:acme/app:pull_request"), GITHUB, {"sub": "repo:acme/app:pull_request", "aud": STS}),
    ("GitHub: tags", mixed(GITHUB, "repo:acme/app:ref:refs/tags/v*"), GITHUB, {"sub": "repo:acme/app:ref:refs/tags/v1", "aud": STS}),
    ("GitHub: several repositories", mixed(GITHUB, ["repo:acme/app:*", "repo:acme/lib:*"]), GITHUB, {"sub": MAIN, "aud": STS}),
    ("GitHub: a reusable workflow", when(GITHUB, StringEquals={"aud": STS}, StringLike={"sub": "repo:acme/*", "job_workflow_ref": "acme/ci/.github/workflows/deploy.yml@*"}), GITHUB, {"sub": MAIN, "aud": STS, "job_workflow_ref": "acme/ci/.github/workflows/deploy.yml@refs/heads/main"}),
    ("GitHub: the repository's id", when(GITHUB, StringEquals={"aud": STS, "repository_id": "42"}, StringLike={"sub": "repo:*"}), GITHUB, {"sub": MAIN, "aud": STS, "repository_id": "42"}),
    ("GitHub: another audience", equals(GITHUB, MAIN, "https://github.com/acme"), GITHUB, {"sub": MAIN, "aud": "https://github.com/acme"}),
    ("GitHub Enterprise Server", mixed(GHES, "repo:acme/app:*"), GHES, {"sub": MAIN, "aud": STS}),
    # GitLab, "Configure OpenID Connect in AWS to retrieve temporary credentials".
    ("GitLab: a branch", equals(GITLAB, PROJECT, "https://gitlab.com"), GITLAB, {"sub": PROJECT, "aud": "https://gitlab.com"}),
    ("GitLab: a project", mixed(GITLAB, "project_path:acme/app:*", "https://gitlab.com"), GITLAB, {"sub": PROJECT, "aud": "https://gitlab.com"}),
    ("GitLab: a group", mixed(GITLAB, "project_path:acme/*:ref_type:branch:ref:main", "https://gitlab.com"), GITLAB, {"sub": PROJECT, "aud": "https://gitlab.com"}),
    ("GitLab: the project's id", when(GITLAB, StringEquals={"aud": STS, "project_id": "7", "sub": PROJECT}), GITLAB, {"sub": PROJECT, "aud": STS, "project_id": "7"}),
    ("GitLab: one's own", equals(OWN_GITLAB, PROJECT, "https://gitlab.example.com"), OWN_GITLAB, {"sub": PROJECT, "aud": "https://gitlab.example.com"}),
    # Others that federate with web identity.
    ("Cognito", policy({"Effect": "Allow", "Principal": {"Federated": "cognito-identity.amazonaws.com"}, "Action": EXCHANGE, "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"}, "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"}}}), "cognito-identity.amazonaws.com", {"sub": "eu-west-1:somebody", "aud": "eu-west-1:pool", "amr": ["authenticated"]}),
    ("Cognito in GovCloud", policy({"Effect": "Allow", "Principal": {"Federated": COGNITO_GOV}, "Action": EXCHANGE, "Condition": {"StringEquals": {f"{COGNITO_GOV}:aud": "us-gov-west-1:pool"}, "ForAnyValue:StringLike": {f"{COGNITO_GOV}:amr": "authenticated"}}}), COGNITO_GOV, {"sub": "us-gov-west-1:somebody", "aud": "us-gov-west-1:pool", "amr": ["authenticated"]}, "aws-us-gov"),
    ("EKS: any namespace that begins so", mixed(EKS, "system:serviceaccount:n*:*"), EKS, {"sub": "system:serviceaccount:nobodys:x"}),
    ("GitHub: the repository, by its claim", when(GITHUB, StringLike={"repository": "acme/*"}, StringEquals={"aud": STS}), GITHUB, {"sub": MAIN, "aud": STS, "repository": "acme/app"}),
    ("Auth0: a slash at the issuer's end", equals("acme.eu.auth0.com/", "client@clients", "client"), "acme.eu.auth0.com/", {"sub": "client@clients", "aud": "client"}),
    ("Keycloak with azp", equals("sso.example.com/realms/acme", "f00", "backend"), "sso.example.com/realms/acme", {"sub": "f00", "aud": "account", "azp": "backend"}),
    ("Google: an e-mail", policy({"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}, "Action": EXCHANGE, "Condition": {"StringEquals": {"accounts.google.com:aud": "client", "accounts.google.com:sub": "1066"}}}), "accounts.google.com", {"sub": "1066", "aud": "client"}),
    # The output of the AWS CLI, and that of the API.
    ("aws iam get-role", {"Role": {"RoleName": "reader", "Arn": "x", "AssumeRolePolicyDocument": policy(sound())}}),
    ("aws iam get-role, as text", json.dumps({"Role": {"AssumeRolePolicyDocument": policy(sound())}})),
    ("IAM's API", quote(json.dumps(policy(sound())))),
    ("GetRole of the API", {"Role": {"AssumeRolePolicyDocument": quote(json.dumps(policy(sound())))}}),
    # Our own.
    ("irsa-creds trust-policy", trust_policy("prod/reader", f"https://{EKS}", ACCOUNT)),
    ("irsa-creds trust-policy, in China", trust_policy("prod/reader", f"https://{CHINA}", ACCOUNT, partition="aws-cn"), CHINA, {}, "aws-cn"),
    ("irsa-creds trust-policy, another audience", trust_policy("prod/reader", f"https://{KOPS}", ACCOUNT, audience="aws"), KOPS, {"aud": ["aws"]}),
]  # fmt: skip


def cases() -> list[Any]:
    defaults: tuple[Any, ...] = (None, EKS, {}, "aws")
    return [pytest.param(*row[1:], *defaults[len(row) - 1 :], id=row[0]) for row in SOUND]


@pytest.mark.parametrize(("good", "provider", "claims", "partition"), cases())
@pytest.mark.parametrize("role_known", [True, False])
def test_a_sound_policy_raises_no_alarm(
    good: Any, provider: str, claims: dict[str, object], partition: str, *, role_known: bool
) -> None:
    token = jwt({"iss": f"https://{provider}", "sub": READER, "aud": [STS]} | claims)
    role = f"arn:{partition}:iam::{ACCOUNT}:role/team/reader" if role_known else None
    found = explain(good, token=token, role_arn=role)
    assert [(f.id, f.message) for f in found.findings if f.severity != "info"] == []
    assert found.verdict == "allow"
    assert found.fixed is None


def test_the_table_has_no_form_twice_and_is_long_enough() -> None:
    assert len({name for name, *_ in SOUND}) == len(SOUND) >= 80
