"""Wrong trust policies, each with the finding that `explain` must return."""
# ruff: noqa: E501 - one row of a table is one line

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from irsa_creds.diagnosis._explain.explain import explain
from irsa_creds.diagnosis._policy.templates import trust_policy

ACCOUNT = "123456789012"
CLUSTER = "0123456789ABCDEF0123456789ABCDEF"
PROVIDER = f"oidc.eks.eu-west-1.amazonaws.com/id/{CLUSTER}"
ISSUER = f"https://{PROVIDER}"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SUBJECT = "system:serviceaccount:prod:reader"
SUB, AUD = f"{PROVIDER}:sub", f"{PROVIDER}:aud"
STS = "sts.amazonaws.com"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"
OTHER = f"oidc.eks.us-east-1.amazonaws.com/id/{'FEDCBA98' * 4}"
GITHUB = "token.actions.githubusercontent.com"
GITHUB_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
MAIN = "repo:acme/app:ref:refs/heads/main"
IMMUTABLE = "repo:acme@123/app@456:ref:refs/heads/main"

POD: dict[str, object] = {"iss": ISSUER, "sub": SUBJECT, "aud": [STS], "exp": 1_900_000_000}
JOB: dict[str, object] = {"iss": f"https://{GITHUB}", "sub": MAIN, "aud": STS}


def jwt(claims: dict[str, object]) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{encoded}.c2lnbmF0dXJl"


def statement(**elements: Any) -> dict[str, Any]:
    """A sound statement with some elements given otherwise; None takes one away."""
    made = trust_policy("prod/reader", ISSUER, ACCOUNT)["Statement"][0] | elements
    return {name: value for name, value in made.items() if value is not None}


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def one(**elements: Any) -> dict[str, Any]:
    return policy(statement(**elements))


def trusting(principal: Any) -> dict[str, Any]:
    return one(Principal=principal)


def federated(arn: str) -> dict[str, Any]:
    return trusting({"Federated": arn})


def held_to(**conditions: Any) -> dict[str, Any]:
    """A correct statement with other conditions; an operator has _ instead of the colon."""
    return one(Condition={name.replace("_", ":"): tests for name, tests in conditions.items()})


def keyed(prefix: str) -> dict[str, Any]:
    """The keys begin with something else than the issuer."""
    return held_to(StringEquals={f"{prefix}:sub": SUBJECT, f"{prefix}:aud": STS})


def subject(value: Any, operator: str = "StringEquals") -> dict[str, Any]:
    conditions: dict[str, dict[str, Any]] = {operator: {SUB: value}}
    conditions.setdefault("StringEquals", {})[AUD] = STS
    return one(Condition=conditions)


def audience(value: Any, operator: str = "StringEquals") -> dict[str, Any]:
    conditions: dict[str, dict[str, Any]] = {operator: {AUD: value}}
    conditions.setdefault("StringEquals", {})[SUB] = SUBJECT
    return one(Condition=conditions)


def extra(**conditions: Any) -> dict[str, Any]:
    """A sound statement with further conditions."""
    sound: dict[str, Any] = {"StringEquals": {SUB: SUBJECT, AUD: STS}}
    for name, tests in conditions.items():
        operator = name.replace("_", ":")
        sound[operator] = sound.get(operator, {}) | tests
    return one(Condition=sound)


def denying(**elements: Any) -> dict[str, Any]:
    """A sound statement and a Deny."""
    return policy(statement(), statement(Effect="Deny", Condition=None) | elements)


def github(**conditions: Any) -> dict[str, Any]:
    named = {
        operator.replace("_", ":"): {f"{GITHUB}:{claim}": value for claim, value in tests.items()}
        for operator, tests in conditions.items()
    }
    return one(Principal={"Federated": GITHUB_ARN}, Condition=named)


def of(provider: str, **conditions: Any) -> dict[str, Any]:
    named = {
        operator: {f"{provider}:{claim}": value for claim, value in tests.items()}
        for operator, tests in conditions.items()
    }
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"
    return one(Principal={"Federated": arn}, Condition=named)


def anyone(**conditions: Any) -> dict[str, Any]:
    """A statement that lets every AWS account assume the role, under conditions."""
    principal, action = {"AWS": "*"}, "sts:AssumeRole"
    return statement(Principal=principal, Action=action, Condition=conditions)


def gitlab(**conditions: Any) -> tuple[dict[str, Any], dict[str, object]]:
    return of("gitlab.com", **conditions), {
        "iss": "https://gitlab.com",
        "sub": "project_path:acme/app:ref_type:branch:ref:main",
        "aud": STS,
        "user_access_level": "owner",
        "runner_environment": "gitlab-hosted",
    }


ITSELF = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "sts:AssumeRole",
    "Condition": {"ArnLike": {"aws:PrincipalArn": ROLE}},
}

# Title, id, a part of the message, the policy, and the token if it is another.
DENIED: list[tuple[Any, ...]] = [
    # P01
    ("AssumeRole", "P01", "for AWS principals", one(Action="sts:AssumeRole")),
    ("AssumeRole in a list", "P01", "for AWS principals", one(Action=["sts:AssumeRole"])),
    ("AssumeRole in capitals", "P01", "for AWS", one(Action="STS:ASSUMEROLE")),
    ("AssumeRole beside tags", "P01", "AWS", one(Action=["sts:AssumeRole", "sts:TagSession"])),
    ("SAML", "P01", "SAML assertions", one(Action="sts:AssumeRoleWithSAML")),
    ("no prefix", "P01", "lacks the prefix", one(Action="AssumeRoleWithWebIdentity")),
    ("misspelt", "P01", "misspelled", one(Action="sts:AssumeRoleWithWebIdentiy")),
    ("misspelt otherwise", "P01", "misspelled", one(Action="sts:AssumeRolesWithWebIdentity")),
    ("blank", "P01", "blanks", one(Action="sts:AssumeRoleWithWebIdentity ")),
    ("tags alone", "P01", "allows 'sts:TagSession'", one(Action="sts:TagSession")),
    ("another service", "P01", "allows 's3:*'", one(Action="s3:*")),
    ("wildcard that misses", "P01", "misspelled", one(Action="sts:AssumeRoleWithWeb?dentitys")),
    ("NotAction", "P01", "all actions except", one(Action=None, NotAction="sts:*")),
    ("NotAction of it", "P01", "all actions except", one(Action=None, NotAction=[EXCHANGE, "sts:GetAccessKeyInfo"])),
    ("only a Deny", "P01", "No statement", policy(statement(Effect="Deny", Action="s3:*"))),
    ("two statements, both AssumeRole", "P01", "AWS", policy(*[statement(Action="sts:AssumeRole")] * 2)),
    ("EC2's own", "P01", "AWS", one(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole", Condition=None)),
    ("Pod Identity's", "P01", "AWS", one(Principal={"Service": "pods.eks.amazonaws.com"}, Action=["sts:AssumeRole", "sts:TagSession"], Condition=None)),
    # P02
    ("https:// left in", "P02", "'https://' is left in", federated(ARN.replace("/oidc.eks", "/https://oidc.eks"))),
    ("http://", "P02", "'http://' is left in", federated(ARN.replace("/oidc.eks", "/http://oidc.eks"))),
    ("slash at the end", "P02", "ends with a slash", federated(f"{ARN}/")),
    ("https:// and a slash", "P02", "and it ends with a slash", federated(ARN.replace("/oidc.eks", "/https://oidc.eks") + "/")),
    ("other account", "P02", "its account is 210987654321", federated(ARN.replace(ACCOUNT, "210987654321"))),
    ("account cut short", "P02", "not 12 digits", federated(ARN.replace(ACCOUNT, "12345678901"))),
    ("account left out", "P02", "not 12 digits", federated(ARN.replace(ACCOUNT, ""))),
    ("placeholder", "P02", "not 12 digits", federated(ARN.replace(ACCOUNT, "ACCOUNT_ID"))),
    ("placeholder of CloudFormation", "P02", "not 12 digits", federated(ARN.replace(ACCOUNT, "${AWS_ACCOUNT_ID}"))),
    ("a user's id", "P02", "not 12 digits", federated(ARN.replace(ACCOUNT, "AIDAEXAMPLEEXAMPLE"))),
    ("another cluster beside a role that may assume itself", "P02", "another cluster", policy(ITSELF, of(OTHER, StringEquals={"sub": SUBJECT, "aud": STS})["Statement"][0])),
    ("the same, the other way round", "P02", "another cluster", policy(of(OTHER, StringEquals={"sub": SUBJECT, "aud": STS})["Statement"][0], ITSELF)),
    ("under AWS beside GitHub", "P02", "belongs under Federated", policy(github(StringEquals={"sub": MAIN, "aud": STS})["Statement"][0], statement(Principal={"AWS": ARN}))),
    ("other region", "P02", "its region is us-east-1", federated(ARN.replace("eu-west-1", "us-east-1"))),
    ("region in the ARN", "P02", "has the region eu-west-1", federated(ARN.replace("iam::", "iam:eu-west-1:"))),
    ("other cluster", "P02", "another cluster", federated(ARN.replace(PROVIDER, OTHER))),
    ("id misspelt", "P02", "id is misspelled", federated(ARN.replace("0123456789ABCDEF0", "0123456789ABCDFE0"))),
    ("id cut short", "P02", "id is misspelled", federated(ARN[:-2])),
    ("id in lower case", "P02", "upper and lower case", federated(ARN.replace(CLUSTER, CLUSTER.lower()))),
    ("the cluster's name for its id", "P02", "32 hexadecimal digits", federated(ARN.replace(CLUSTER, "production"))),
    ("other partition", "P02", "its partition is aws-cn", federated(ARN.replace("arn:aws:", "arn:aws-cn:"))),
    ("China's suffix", "P02", "its host ends in", federated(ARN.replace("amazonaws.com", "amazonaws.com.cn"))),
    ("transposed", "P02", "are swapped", federated(ARN.replace("oidc.eks.eu-west-1", "oidc.eu-west-1.eks"))),
    ("no /id/", "P02", "'/id/' is missing", federated(ARN.replace("/id/", "/"))),
    ("the issuer itself", "P02", "not the provider's ARN", federated(ISSUER)),
    ("host and path alone", "P02", "not the provider's ARN", federated(PROVIDER)),
    ("blank before", "P02", "blanks or quotes", federated(f" {ARN}")),
    ("quotes", "P02", "blanks or quotes", federated(f"'{ARN}'")),
    ("wildcard", "P02", "does not expand wildcards", federated(ARN.replace(PROVIDER, "*"))),
    ("no path", "P02", "it is empty", federated(ARN.replace(PROVIDER, ""))),
    ("under AWS", "P02", "belongs under Federated", trusting({"AWS": ARN})),
    ("under Service", "P02", "belongs under Federated", trusting({"Service": ARN})),
    ("the account", "P02", "belongs under Federated", trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})),
    ("EKS", "P02", "belongs under Federated", trusting({"Service": "eks.amazonaws.com"})),
    ("the role itself", "P02", "belongs under Federated", trusting({"AWS": ROLE})),
    ("SAML's", "P02", "a SAML provider", federated(f"arn:aws:iam::{ACCOUNT}:saml-provider/okta")),
    ("GitHub's", "P02", "another issuer", federated(GITHUB_ARN)),
    ("Cognito", "P02", "not an OIDC provider", federated("cognito-identity.amazonaws.com")),
    ("oidc_provider", "P02", "not an OIDC provider", federated(ARN.replace("oidc-provider", "oidc_provider"))),
    ("a slash too many", "P02", "not a valid ARN", federated(ARN.replace(":oidc-provider", "/oidc-provider"))),
    ("sts for iam", "P02", "not a valid ARN", federated(ARN.replace(":iam:", ":sts:"))),
    ("list of others", "P02", "another", trusting({"Federated": [GITHUB_ARN, ARN.replace(PROVIDER, OTHER)]})),
    ("no such partition", "P02", "its partition is gov", federated(ARN.replace("arn:aws:", "arn:gov:"))),
    # P03
    ("keys: transposed", "P03", "are swapped", keyed(PROVIDER.replace("eks.eu-west-1", "eu-west-1.eks"))),
    ("keys: no /id/", "P03", "'/id/' is missing", keyed(PROVIDER.replace("/id/", "/"))),
    ("keys: other cluster", "P03", "another cluster", keyed(OTHER)),
    ("keys: other region", "P03", "its region is", keyed(PROVIDER.replace("eu-west-1", "eu-west-2"))),
    ("keys: id misspelt", "P03", "id is misspelled", keyed(PROVIDER.replace("CDEF0", "CDF0"))),
    ("keys: host alone", "P03", "truncated", keyed(PROVIDER.removesuffix(CLUSTER))),
    ("keys: slash at the end", "P03", "ends with a slash", keyed(f"{PROVIDER}/")),
    ("keys: GitHub's", "P03", "another issuer", keyed(GITHUB)),
    ("keys: blank", "P03", "blanks or quotes", keyed(f" {PROVIDER}")),
    ("keys: a template unfilled", "P03", "another issuer", keyed("${OIDC.PROVIDER}")),
    ("keys: a shell's variable", "P03", "a placeholder", keyed("$oidc_provider")),
    ("keys: Terraform's variable", "P03", "a placeholder", keyed("${OIDC_PROVIDER}")),
    ("keys: a documentation's word", "P03", "a placeholder", keyed("<OIDC_PROVIDER>")),
    ("keys: a word in capitals", "P03", "a placeholder", keyed("YOUR_OIDC")),
    ("keys: a word with a hyphen", "P03", "a placeholder", keyed("YOUR-OIDC")),
    ("keys: a lower-case word", "P03", "a placeholder", keyed("oidc")),
    ("keys: Helm's value", "P03", "a placeholder", keyed("{{ .Values.oidc }}")),
    ("keys: CloudFormation's variable", "P03", "a placeholder", keyed("oidc.eks.${AWS::Region}.amazonaws.com/id/ID")),
    ("ARN: Terraform's variable", "P02", "a placeholder", federated(ARN.replace(PROVIDER, "${OIDC_PROVIDER}"))),
    ("keys: no claim", "P03", "the claim are missing", held_to(StringEquals={PROVIDER: SUBJECT, AUD: STS})),
    ("keys: a dot for the colon", "P03", "the claim are missing", held_to(StringEquals={f"{PROVIDER}.sub": SUBJECT, AUD: STS})),
    ("keys: only sub is wrong", "P03", "tests sub with", held_to(StringEquals={f"{OTHER}:sub": SUBJECT, AUD: STS})),
    ("keys: only aud is wrong", "P03", "tests aud with", held_to(StringEquals={SUB: SUBJECT, f"{OTHER}:aud": STS})),
    ("keys: StringLike", "P03", "another cluster", held_to(StringLike={f"{OTHER}:sub": "system:serviceaccount:prod:*"}, StringEquals={AUD: STS})),
    ("keys: a Deny of all but one", "P03", "the key is absent", denying(Condition={"StringNotEquals": {f"{OTHER}:sub": SUBJECT}})),
    # P04
    ("namespace misspelt", "P04", "the namespace differs: 'porduction'", subject("system:serviceaccount:porduction:reader")),
    ("other namespace", "P04", "the namespace differs: 'default'", subject("system:serviceaccount:default:reader")),
    ("name misspelt", "P04", "'raeder' in the policy, 'reader' in the token (probably misspelled)", subject("system:serviceaccount:prod:raeder")),
    ("other name", "P04", "the name differs: 'default'", subject("system:serviceaccount:prod:default")),
    ("both differ", "P04", "namespace and name differ", subject("system:serviceaccount:kube-system:aws-node")),
    ("changed places", "P04", "swapped", subject("system:serviceaccount:reader:prod")),
    ("capital letter", "P04", "upper and lower case", subject("system:serviceaccount:prod:Reader")),
    ("capitals in the prefix", "P04", "upper and lower case", subject("system:ServiceAccount:prod:reader")),
    ("blank after", "P04", "blanks or quotes", subject(f"{SUBJECT} ")),
    ("newline after", "P04", "blanks or quotes", subject(f"{SUBJECT}\n")),
    ("blank inside", "P04", "contains a blank", subject("system:serviceaccount: prod:reader")),
    ("quotes in quotes", "P04", "blanks or quotes", subject(f'"{SUBJECT}"')),
    ("slash for the colon", "P04", "not a slash", subject("system:serviceaccount:prod/reader")),
    ("no prefix", "P04", "lacks 'system:serviceaccount:'", subject("prod:reader")),
    ("as kubectl writes it", "P04", "lacks 'system:serviceaccount:'", subject("prod/reader")),
    ("the name alone", "P04", "lacks 'system:serviceaccount:'", subject("reader")),
    ("plural", "P04", "does not begin with", subject("system:serviceaccounts:prod:reader")),
    ("hyphen", "P04", "does not begin with", subject("system:service-account:prod:reader")),
    ("no namespace", "P04", "no name after", subject("system:serviceaccount:reader")),
    ("list without it", "P04", "the name differs", subject(["system:serviceaccount:prod:readers", "system:serviceaccount:dev:x"])),
    ("empty", "P04", "does not begin with", subject("")),
    ("no values", "P04", "(none)", subject([])),
    ("pattern of another namespace", "P04", "the namespace differs", subject("system:serviceaccount:dev:*", "StringLike")),
    ("a regular expression", "P04", "the name differs", subject("system:serviceaccount:prod:.*", "StringLike")),
    ("the audience under sub", "P04", "the value of 'aud'", subject(STS)),
    ("excluded", "P04", "which excludes", extra(StringNotEquals={SUB: SUBJECT})),
    ("excluded by pattern", "P04", "which excludes", extra(StringNotLike={SUB: "system:serviceaccount:prod:*"})),
    ("a variable in the old version", "P04", "work only with", policy(statement(Condition={"StringEquals": {SUB: "system:serviceaccount:${aws:x}:reader", AUD: STS}}), version="2008-10-17")),
    ("denied", "P04", "denies it", denying(Condition={"StringLike": {SUB: "system:serviceaccount:prod:*"}})),
    ("denied but for others", "P04", "matches because the token has", denying(Condition={"StringNotEquals": {SUB: "system:serviceaccount:prod:writer"}})),
    ("other branch", "P04", "'refs/heads/master' in the policy", github(StringEquals={"sub": "repo:acme/app:ref:refs/heads/master", "aud": STS}), JOB),
    ("other repository", "P04", "'acme/ap' in the policy", github(StringLike={"sub": "repo:acme/ap:*"}, StringEquals={"aud": STS}), JOB),
    ("environment for a branch", "P04", "'environment' in the policy", github(StringEquals={"sub": "repo:acme/app:environment:prod", "aud": STS}), JOB),
    ("environment for a branch, in words", "P04", "the job names no environment", github(StringEquals={"sub": "repo:acme/app:environment:prod", "aud": STS}), JOB),
    ("branch for an environment", "P04", "the job runs in the environment 'prod', which replaces its branch", github(StringEquals={"sub": MAIN, "aud": STS}), JOB | {"sub": "repo:acme/app:environment:prod"}),
    ("branch for a pull request", "P04", "a pull request started the job", github(StringEquals={"sub": MAIN, "aud": STS}), JOB | {"sub": "repo:acme/app:pull_request"}),
    ("workflow for a branch", "P04", "'ref' in the policy, 'workflow' in the token.", github(StringEquals={"sub": MAIN, "aud": STS}), JOB | {"sub": "repo:acme/app:workflow:x"}),
    ("immutable subject", "P04", "has switched to immutable subjects", github(StringEquals={"sub": MAIN, "aud": STS}), JOB | {"sub": IMMUTABLE}),
    ("immutable subject, another branch", "P04", "immutable subjects, with an id after each name; and 'refs/heads/dev' in the policy", github(StringEquals={"sub": "repo:acme/app:ref:refs/heads/dev", "aud": STS}), JOB | {"sub": IMMUTABLE}),
    ("immutable subject, cut short", "P04", "immutable subjects, with an id after each name; and one is longer", github(StringEquals={"sub": "repo:acme/app", "aud": STS}), JOB | {"sub": IMMUTABLE}),
    ("other ids", "P04", "the ids differ", github(StringEquals={"sub": "repo:acme@123/app@457:ref:refs/heads/main", "aud": STS}), JOB | {"sub": IMMUTABLE}),
    ("subject cut short", "P04", "one is longer", github(StringEquals={"sub": "repo:acme/app", "aud": STS}), JOB),
    ("other actor", "P04", "requires actor", github(StringEquals={"sub": MAIN, "aud": STS, "actor": "eve"}), JOB | {"actor": "bob"}),
    # P05
    ("star in Equals", "P05", "literally", subject("system:serviceaccount:prod:*")),
    ("question mark in Equals", "P05", "literally", subject("system:serviceaccount:prod:reade?")),
    ("star in a list", "P05", "literally", subject(["system:serviceaccount:dev:x", "system:serviceaccount:*:reader"])),
    ("star in EqualsIgnoreCase", "P05", "With StringLike", subject("system:serviceaccount:prod:*", "StringEqualsIgnoreCase")),
    ("star in ForAnyValue", "P05", "With ForAnyValue:StringLike", held_to(ForAnyValue_StringEquals={SUB: "system:serviceaccount:prod:*"}, StringEquals={AUD: STS})),
    ("star in the audience", "P05", "literally", audience("sts.*")),
    ("GitHub's star", "P05", "literally", github(StringEquals={"sub": "repo:acme/app:*", "aud": STS}), JOB),
    # P06
    ("sts.amazon.com", "P06", "requires aud to be 'sts.amazon.com'", audience("sts.amazon.com")),
    ("China's audience", "P06", "sts.amazonaws.com.cn", audience("sts.amazonaws.com.cn")),
    ("the audience with https://", "P06", "https://sts", audience("https://sts.amazonaws.com")),
    ("Pod Identity's audience", "P06", "pods.eks", audience("pods.eks.amazonaws.com")),
    ("the subject under aud", "P06", "the value of 'sub'", audience(SUBJECT)),
    ("the API server's token", "P06", "kubernetes.default.svc", audience(STS), POD | {"aud": ["https://kubernetes.default.svc"]}),
    ("GitHub's default audience", "P06", "github.com/acme", github(StringEquals={"sub": MAIN, "aud": STS}), JOB | {"aud": "https://github.com/acme"}),
    ("azp instead of aud", "P06", "but the token has 'client'", audience(STS), POD | {"azp": "client"}),
    ("audience excluded", "P06", "which excludes", extra(StringNotEquals={AUD: STS})),
    ("audience denied", "P06", "denies it", denying(Condition={"StringEquals": {AUD: STS}})),
    # P07
    ("an external id", "P07", "has no external id", extra(StringEquals={"sts:ExternalId": "secret"})),
    ("IfExists behind ForAnyValue", "P07", "IfExists has no effect with ForAnyValue", extra(ForAnyValue_StringEqualsIfExists={f"{PROVIDER}:amr": "mfa"})),
    ("an issuer without TLS", "P02", "begins with https://", one(), POD | {"iss": f"http://{PROVIDER}"}),
    ("two clusters in one statement", "P03", "trusts several providers", one(Principal={"Federated": [ARN, ARN.replace(PROVIDER, OTHER)]}, Condition={"StringEquals": {SUB: SUBJECT, f"{OTHER}:sub": SUBJECT}})),
    ("no email", "P07", "no claim 'email'", extra(StringEquals={f"{PROVIDER}:email": "a@b.c"})),
    ("amr", "P07", "no claim 'amr'", extra(ForAnyValue_StringLike={f"{PROVIDER}:amr": "authenticated"})),
    ("Null of sub", "P07", "requires it to be absent", extra(Null={SUB: "true"})),
    ("Null of a claim that is there", "P07", "requires it to be absent", extra(Null={f"{PROVIDER}:email": "true"}), POD | {"email": "a@b.c"}),
    ("Null of what is absent", "P07", "no claim 'email'", extra(Null={f"{PROVIDER}:email": "false"})),
    ("SAML's audience", "P07", "never has", extra(StringEquals={"saml:aud": "x"})),
    ("denied without a key", "P07", "the key is absent", denying(Condition={"Null": {f"{PROVIDER}:email": "true"}})),
    ("GitHub without environment", "P07", "no claim 'environment'", github(StringEquals={"sub": MAIN, "aud": STS, "environment": "prod"}), JOB),
    # P09
    ("namespace", "P09", "does not provide", extra(StringEquals={f"{PROVIDER}:namespace": "prod"})),
    ("the claim kubernetes.io", "P09", "the token has", extra(StringEquals={f"{PROVIDER}:kubernetes.io": "prod"}), POD | {"kubernetes.io": {"namespace": "prod"}}),
    ("iss", "P09", "the token has", extra(StringEquals={f"{PROVIDER}:iss": ISSUER})),
    ("subject", "P09", "the claim is 'sub'", held_to(StringEquals={f"{PROVIDER}:subject": SUBJECT, AUD: STS})),
    ("sbu", "P09", "the claim is 'sub'", held_to(StringEquals={f"{PROVIDER}:sbu": SUBJECT, AUD: STS})),
    ("audience", "P09", "the claim is 'aud'", held_to(StringEquals={SUB: SUBJECT, f"{PROVIDER}:audience": STS})),
    ("groups", "P09", "does not provide", extra(ForAnyValue_StringEquals={f"{PROVIDER}:groups": "admins"}), POD | {"groups": ["admins"]}),
    ("GitHub's event", "P09", "does not provide", github(StringEquals={"sub": MAIN, "aud": STS, "event_name": "push"}), JOB | {"event_name": "push"}),
    # P10
    ("session tags", "P10", "session tags", one(), POD | {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}}}),
    ("session tags, written flat", "P10", "sts:TagSession", one(), POD | {"https://aws.amazon.com/tags/principal_tags/team": "a"}),
    ("a source identity", "P10", "sts:SetSourceIdentity", one(), POD | {"https://aws.amazon.com/source_identity": "bob"}),
    ("tags allowed, source identity not", "P10", "a source identity", one(Action=[EXCHANGE, "sts:TagSession"]), POD | {"https://aws.amazon.com/source_identity": "bob", "https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}}}),
]  # fmt: skip

# These let the token in, and more than they should.
OPEN: list[tuple[Any, ...]] = [
    ("no aud", "P06", "no condition on aud", held_to(StringEquals={SUB: SUBJECT})),
    ("no aud, a pattern", "P06", "no condition on aud", held_to(StringLike={SUB: "system:serviceaccount:prod:*"})),
    ("GitHub without aud", "P06", "no condition on aud", github(StringLike={"sub": "repo:acme/app:*"}), JOB),
    ("ForAllValues on sub", "P08", "whenever the key is absent", subject(SUBJECT, "ForAllValues:StringEquals")),
    ("ForAllValues on aud", "P08", "whenever the key is absent", audience(STS, "ForAllValues:StringEquals")),
    ("ForAllValues on what is absent", "P08", "matches here", extra(ForAllValues_StringEquals={f"{PROVIDER}:amr": "x"})),
    ("ForAllValues on a misspelt sub", "P11", "no token has it", held_to(ForAllValues_StringEquals={f"{OTHER}:sub": SUBJECT}, StringEquals={AUD: STS})),
    ("ForAllValues, GitHub's old documentation", "P08", "whenever", github(ForAllValues_StringEquals={"sub": MAIN, "aud": STS}), JOB),
    ("no condition", "P11", "no condition on sub", one(Condition=None)),
    ("aud alone", "P11", "no condition on sub", held_to(StringEquals={AUD: STS})),
    ("sub is anything", "P11", "which any subject can match", subject("*", "StringLike")),
    ("sub begins with system", "P11", "which any subject can match", subject("system:*", "StringLike")),
    ("any service account", "P11", "any subject", subject("system:serviceaccount:*", "StringLike")),
    ("any service account, in full", "P11", "any subject", subject("system:serviceaccount:*:*", "StringLike")),
    ("any service account with two letters", "P11", "any subject", subject("system:serviceaccount:??*:?*", "StringLike")),
    ("any service account with five and four letters", "P11", "any subject", subject("system:serviceaccount:????:??????", "StringLike")),
    ("any namespace's default", "P11", "which any namespace has", subject("system:serviceaccount:*:default", "StringLike"), POD | {"sub": "system:serviceaccount:prod:default"}),
    ("the subject itself as variable", "P11", "any subject", subject(f"${{{SUB}}}")),
    ("the subject itself in any case", "P11", "any subject", subject(f"${{{SUB}}}", "StringEqualsIgnoreCase")),
    ("the repository itself as variable", "P11", "any subject", github(StringLike={"sub": f"repo:${{{GITHUB}:repository}}:*"}, StringEquals={"aud": STS}), JOB | {"repository": "acme/app"}),
    ("one right, one wide", "P11", "any subject", subject([SUBJECT, "system:serviceaccount:*:*"], "StringLike")),
    ("IfExists on a misspelt sub", "P11", "no token has it", held_to(StringEqualsIfExists={f"{OTHER}:sub": SUBJECT}, StringEquals={AUD: STS})),
    ("IfExists on a misspelt sub is P03 too", "P03", "matches every token", held_to(StringEqualsIfExists={f"{OTHER}:sub": SUBJECT}, StringEquals={AUD: STS})),
    ("IfExists on a claim that is none", "P09", "tests nothing", extra(StringEqualsIfExists={f"{PROVIDER}:namespace": "prod"})),
    ("IfExists on subject", "P11", "no condition on sub", held_to(StringLikeIfExists={f"{PROVIDER}:subject": SUBJECT}, StringEquals={AUD: STS})),
    ("only who may not come", "P11", "requires no particular value", subject("system:serviceaccount:dev:x", "StringNotEquals")),
    ("Null of sub alone", "P11", "requires no particular value", held_to(Null={SUB: "false"}, StringEquals={AUD: STS})),
    ("GitHub without sub", "P11", "no condition on sub", github(StringEquals={"aud": STS}), JOB),
    ("any of GitHub's repositories", "P11", "any subject", github(StringLike={"sub": "repo:*"}, StringEquals={"aud": STS}), JOB),
    ("GitHub's ref alone", "P11", "no condition on sub", github(StringEquals={"aud": STS, "ref": "refs/heads/main"}), JOB | {"ref": "refs/heads/main"}),
    ("any owner's main branch", "P11", "any subject", github(StringLike={"sub": "repo:*:ref:refs/heads/main"}, StringEquals={"aud": STS}), JOB),
    ("any owner's main branch, in two parts", "P11", "any subject", github(StringLike={"sub": "repo:*/*:ref:refs/heads/main"}, StringEquals={"aud": STS}), JOB),
    ("any owner's repository of that name", "P11", "any subject", github(StringLike={"sub": "repo:*/app:*"}, StringEquals={"aud": STS}), JOB),
    ("an owner that begins so", "P11", "any subject", github(StringLike={"sub": "repo:acme*/app:*"}, StringEquals={"aud": STS}), JOB),
    ("any owner, without the prefix", "P11", "any subject", github(StringLike={"sub": "*:ref:refs/heads/main"}, StringEquals={"aud": STS}), JOB),
    ("under ArnLike", "P11", "any subject", subject("*:*:*:*:*:*", "ArnLike"), POD | {"sub": "arn:a:b:c:d:e"}),
    ("any owner's repository, by its claim", "P11", "no condition on sub", github(StringLike={"repository": "*/app"}, StringEquals={"aud": STS}), JOB | {"repository": "acme/app"}),
    ("GitHub's environment alone", "P11", "no condition on sub", github(StringEquals={"aud": STS, "environment": "prod"}), JOB | {"environment": "prod"}),
    ("GitLab: any group's main branch", "P11", "any subject", gitlab(StringLike={"sub": "project_path:*:ref_type:branch:ref:main"}, StringEquals={"aud": STS})[0], gitlab()[1]),
    ("GitLab: a level alone", "P11", "no condition on sub", gitlab(StringEquals={"aud": STS, "user_access_level": "owner"})[0], gitlab()[1]),
    ("GitLab: a runner alone", "P11", "no condition on sub", gitlab(StringEquals={"aud": STS, "runner_environment": "gitlab-hosted"})[0], gitlab()[1]),
    ("Terraform Cloud: any organization", "P11", "any subject", of("app.terraform.io", StringLike={"sub": "organization:*:project:*:workspace:*:run_phase:*"}, StringEquals={"aud": STS}), {"iss": "https://app.terraform.io", "sub": "organization:o:project:p:workspace:w:run_phase:plan", "aud": STS}),
    ("any namespace's service account", "P11", "of any namespace can match", subject("system:serviceaccount:*:reader", "StringLike")),
    ("any namespace of four letters", "P11", "of any namespace can match", subject("system:serviceaccount:????:reader", "StringLike")),
    ("any namespace, without the prefix", "P11", "of any namespace can match", subject("*:reader", "StringLike")),
    ("any namespace, an ending", "P11", "of any namespace can match", subject("*er", "StringLike")),
    ("any namespace, a beginning", "P11", "of any namespace can match", subject("system:serviceaccount:*:rea*", "StringLike")),
    ("GitLab: any e-mail", "P11", "no condition on sub", gitlab(StringLike={"user_email": "*@*"}, StringEquals={"aud": STS})[0], gitlab()[1] | {"user_email": "a@b.c"}),
    ("GitHub: the beginning of an id", "P11", "no condition on sub", github(StringLike={"repository_id": "1*"}, StringEquals={"aud": STS}), JOB | {"repository_id": "123"}),
    ("GitHub: a user alone", "P11", "no condition on sub", github(StringEquals={"actor": "alice", "actor_id": "7", "aud": STS}), JOB | {"actor": "alice", "actor_id": "7"}),
    ("GitHub: any owner, by a subject of one's own", "P11", "any subject", github(StringLike={"sub": "repository_owner:*"}, StringEquals={"aud": STS}), JOB | {"sub": "repository_owner:acme:environment:production"}),
    ("GitHub: any owner, by the end of such a subject", "P11", "any subject", github(StringLike={"sub": "*:environment:production"}, StringEquals={"aud": STS}), JOB | {"sub": "repository_owner:acme:environment:production"}),
    ("GitHub: any enterprise", "P11", "any subject", github(StringLike={"sub": "enterprise:*:repo:*"}, StringEquals={"aud": STS}), JOB | {"sub": "enterprise:acme:repo:acme/app"}),
    ("another issuer: a letter", "P11", "any subject", of("auth.example.com", StringLike={"sub": "*a*"}, StringEquals={"aud": STS}), {"iss": "https://auth.example.com", "sub": "auth0|abc", "aud": STS}),
    ("any aud", "P06", "that requires a value", audience("*", "StringLike")),
    ("any aud, in other words", "P06", "that requires a value", audience("?*", "StringLike")),
    ("an aud beside any", "P06", "that requires a value", audience([STS, "*"], "StringLike")),
    ("aud itself as variable", "P06", "that requires a value", audience(f"${{{AUD}}}")),
    ("one aud excluded", "P06", "that requires a value", held_to(StringEquals={SUB: SUBJECT}, StringNotEquals={AUD: "evil"}), POD | {"aud": STS}),
    ("aud is not absent", "P06", "that requires a value", held_to(StringEquals={SUB: SUBJECT}, Null={AUD: "false"})),
    ("IfExists on a misspelt aud", "P06", "that requires a value", held_to(StringEquals={SUB: SUBJECT}, StringEqualsIfExists={f"{OTHER}:aud": STS})),
    ("a second statement without sub", "P11", "Statement 2 has no condition on sub", policy(statement(), statement(Condition={"StringEquals": {AUD: STS}}))),
    ("a second statement for everyone", "P11", "Statement 2 trusts '*'", policy(statement(), statement(Principal="*", Condition=None))),
    ("the same, first", "P11", "Statement 1 trusts '*'", policy(statement(Principal="*", Condition=None), statement())),
    ("a second statement for every provider", "P11", "Statement 2 trusts '*'", policy(statement(), statement(Principal={"Federated": "*"}, Condition=None))),
    ("any account may assume the role", "P11", "Statement 2 trusts '*'", policy(statement(), anyone())),
    ("any account, by any ARN", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}))),
    ("any account, by any text", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(StringLike={"aws:PrincipalArn": "*"}))),
    ("any account, by a tag of its own", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(StringEquals={"aws:PrincipalTag/team": "data"}))),
    ("any account but one", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(StringNotEquals={"aws:PrincipalAccount": ACCOUNT}))),
    ("any account without an organization", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(StringEqualsIfExists={"aws:PrincipalOrgID": "o-1"}))),
    ("any account of no paths", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(**{"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}))),
    ("any account with an ARN", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(Null={"aws:PrincipalArn": "false"}))),
    ("any account, with a Deny of another", "P11", "Statement 2 trusts '*'", policy(statement(), anyone(), anyone(StringEquals={"aws:PrincipalOrgID": "o-2"}) | {"Effect": "Deny"})),
    ("another provider's any subject", "P11", f"any token of 'https://{GITHUB}'", policy(statement(), github(StringLike={"sub": "repo:*"})["Statement"][0])),
    ("another provider's any main branch", "P11", f"any token of 'https://{GITHUB}'", policy(statement(), github(StringLike={"sub": "repo:*"}, StringEquals={"ref": "refs/heads/main", "aud": STS})["Statement"][0])),
    ("another provider without a condition", "P11", f"any token of 'https://{GITHUB}'", policy(statement(), github()["Statement"][0])),
    ("another cluster's any pod", "P11", f"any token of 'https://{OTHER}'", policy(statement(), of(OTHER, StringLike={"sub": "system:serviceaccount:*", "aud": STS})["Statement"][0])),
    ("a Deny under a placeholder's key", "P03", "Statement 2 denies nothing", denying(Condition={"StringLike": {"${OIDC}:sub": "*:writer"}})),
    ("a Deny of a placeholder's provider", "P02", "Statement 2 denies nothing", denying(Principal={"Federated": ARN.replace(ACCOUNT, "<ACCOUNT>")})),
    ("a Deny of two placeholders", "P02", "Statement 2 denies nothing", denying(Principal={"Federated": [ARN.replace(ACCOUNT, "{{account}}"), "%ARN%"]})),
]  # fmt: skip

# Only AWS can decide.
UNDECIDED: list[tuple[Any, ...]] = [
    ("an address", "P12", "Only AWS knows", extra(IpAddress={"aws:SourceIp": "203.0.113.0/24"})),
    ("a VPC", "P12", "Only AWS knows", extra(StringEquals={"aws:SourceVpc": "vpc-1"})),
    ("a VPC endpoint", "P12", "aws:SourceVpce", extra(StringNotEqualsIfExists={"aws:SourceVpce": "vpce-1"})),
    ("the time", "P12", "aws:CurrentTime", extra(DateLessThan={"aws:CurrentTime": "2030-01-01T00:00:00Z"})),
    ("the session's name", "P12", "sts:RoleSessionName", extra(StringLike={"sts:RoleSessionName": "x-*"})),
    ("the organisation", "P12", "aws:PrincipalOrgID", extra(StringEquals={"aws:PrincipalOrgID": "o-1"})),
    ("a Deny on an address", "P12", "Only AWS knows", denying(Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
    ("two audiences", "P06", "takes one value", audience(STS), POD | {"aud": [STS, "vault"]}),
    ("two audiences, excluded", "P06", "takes one value", extra(StringNotEquals={AUD: "evil"}), POD | {"aud": ["a", "vault"]}),
    ("a variable that only AWS knows", "P12", "'${aws:PrincipalTag/ns}'", subject("system:serviceaccount:${aws:PrincipalTag/ns}:reader", "StringLike")),
    ("Null behind ForAnyValue", "P07", "the effect of ForAnyValue on Null", extra(ForAnyValue_Null={SUB: "false"})),
    ("Null behind ForAnyValue, absent", "P07", "the effect of ForAnyValue on Null", extra(ForAnyValue_Null={f"{PROVIDER}:email": "true"})),
    ("Null of a word", "P07", "the token has no such claim. AWS does not document", extra(Null={f"{PROVIDER}:email": "maybe"})),
    ("a number for a text", "P07", "AWS does not document the result", extra(NumericEquals={SUB: "7"})),
    ("excluding nothing", "P07", "against (none)", extra(StringNotEquals={SUB: []})),
    ("a Deny that cannot be decided", "P06", "takes one value", denying(Condition={"StringEquals": {AUD: "evil"}}), POD | {"aud": ["a", "vault"]}),
    ("anybody", "P02", "AWS does not document", trusting("*")),
    ("anybody under AWS", "P02", "AWS does not document", trusting({"AWS": "*"})),
    ("a Deny of anybody", "P02", "Whether this includes", denying(Principal="*")),
]  # fmt: skip

# A key with a prefix that could be of an AWS service. Whether IAM rejects it or treats it as
# absent, the token does not get in.
STRANGE: list[tuple[Any, ...]] = [
    ("keys: the ARN", "P03", "it is an ARN", keyed(ARN)),
    ("keys: another ARN", "P03", "and that is another cluster", keyed(ARN.replace(PROVIDER, OTHER))),
    ("keys: https:// left in", "P03", "'https://' is left in", keyed(ISSUER)),
    ("keys: a placeholder, and a blank", "P03", "it is a placeholder", held_to(StringEquals={"YOUR-OIDC:sub ": SUBJECT, AUD: STS})),
    ("keys: a placeholder, and subject", "P03", "it is a placeholder", held_to(StringEquals={"OIDC:subject": SUBJECT, AUD: STS})),
    ("keys: a placeholder, and audience", "P03", "it is a placeholder", held_to(StringEquals={SUB: SUBJECT, "OIDC:audience": STS})),
    ("keys: the claim alone", "P03", "the issuer is missing", held_to(StringEquals={"sub": SUBJECT, AUD: STS})),
    ("keys: both claims alone", "P03", "the issuer is missing", held_to(StringEquals={"sub": SUBJECT, "aud": STS})),
]  # fmt: skip


def cases(table: list[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*row[1:4], *(row[4:] or [POD]), id=f"{row[1]} {row[0]}") for row in table]


def findings_of(
    bad: dict[str, Any], claims: dict[str, object], verdict: str, severity: str
) -> list[tuple[str, str]]:
    """Ids and messages of one severity; the verdict must be as given."""
    found = explain(bad, token=jwt(claims), role_arn=ROLE)
    assert found.verdict == verdict
    return [(f.id, f.message) for f in found.findings if f.severity == severity]


@pytest.mark.parametrize(("id_", "says", "bad", "claims"), cases(DENIED))
def test_a_denying_policy_has_the_finding(
    id_: str, says: str, bad: dict[str, Any], claims: dict[str, object]
) -> None:
    found = findings_of(bad, claims, "deny", "error")
    assert any(id_ == one and says in message for one, message in found), found


@pytest.mark.parametrize(("id_", "says", "bad", "claims"), cases(STRANGE))
def test_a_key_without_the_issuer_is_always_an_error(
    id_: str, says: str, bad: dict[str, Any], claims: dict[str, object]
) -> None:
    found = explain(bad, token=jwt(claims), role_arn=ROLE)
    assert found.verdict != "allow"
    assert [f.id for f in found.findings if f.severity == "error" and says in f.message] == [id_]
    assert found.fixed


@pytest.mark.parametrize(("id_", "says", "bad", "claims"), cases(OPEN))
def test_a_policy_that_allows_too_much_has_a_warning(
    id_: str, says: str, bad: dict[str, Any], claims: dict[str, object]
) -> None:
    found = findings_of(bad, claims, "allow", "warning")
    assert any(id_ == one and says in message for one, message in found), found


@pytest.mark.parametrize(("id_", "says", "bad", "claims"), cases(UNDECIDED))
def test_a_policy_that_only_aws_can_evaluate_is_unknown(
    id_: str, says: str, bad: dict[str, Any], claims: dict[str, object]
) -> None:
    found = findings_of(bad, claims, "unknown", "warning")
    assert any(id_ == one and says in message for one, message in found), found


@pytest.mark.parametrize(("id_", "says", "bad", "claims"), cases(DENIED))
def test_a_correction_allows_and_changes_one_thing(
    id_: str, says: str, bad: dict[str, Any], claims: dict[str, object]
) -> None:
    before = json.dumps(bad)
    fixed = explain(bad, token=jwt(claims), role_arn=ROLE).fixed
    assert json.dumps(bad) == before
    if fixed is not None:
        assert explain(fixed, token=jwt(claims), role_arn=ROLE).verdict == "allow"


@pytest.mark.parametrize(
    "name",
    [
        ARN.replace(ACCOUNT, "<AWS_ACCOUNT_ID>"),
        ARN.replace(ACCOUNT, "${AWS_ACCOUNT_ID}"),
        ARN.replace(ACCOUNT, "AIDAEXAMPLEEXAMPLE"),
        ARN.replace(ACCOUNT, "123456"),
        ARN.replace("arn:aws:", "arn:${partition}:"),
    ],
)
def test_a_provider_without_an_account_is_not_trusted_without_a_role_either(name: str) -> None:
    found = explain(federated(name), token=jwt(POD))
    assert (found.verdict, found.fixed) == ("deny", None)
    assert [each.id for each in found.findings] == ["P02"]


def test_an_issuer_without_tls_is_the_only_finding() -> None:
    found = explain(one(), token=jwt(POD | {"iss": "kubernetes/serviceaccount"}), role_arn=ROLE)
    assert [each.id for each in found.findings] == ["P02"]
    assert "begins with https://" in found.findings[0].message


def test_the_table_is_long_enough_to_be_worth_its_name() -> None:
    assert sum(map(len, (DENIED, OPEN, UNDECIDED, STRANGE))) >= 150
