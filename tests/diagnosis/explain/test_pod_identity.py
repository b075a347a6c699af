"""Whether a trust policy allows EKS Pod Identity."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds import ConfigError, explain
from irsa_creds.cli import main

if TYPE_CHECKING:
    from pathlib import Path

WHO: dict[str, Any] = {"service_account": "shop/reports", "pod_identity": True}
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]
SERVICE = {"Service": "pods.eks.amazonaws.com"}
TAG = "aws:RequestTag/kubernetes-namespace"
FEDERATED = {"Federated": "arn:aws:iam::123456789012:oidc-provider/issuer.example"}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    usual = {"Effect": "Allow", "Principal": SERVICE, "Action": ACTIONS}
    return {"Version": "2012-10-17", "Statement": [usual | each for each in statements]}


def when(operator: str, key: str, value: str) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


@pytest.mark.parametrize(
    "trust",
    [
        policy({}),
        policy({"Action": "sts:*"}),
        policy(when("StringEquals", "aws:RequestTag/kubernetes-namespace", "shop")),
        policy(when("StringLike", "aws:RequestTag/kubernetes-service-account", "rep*")),
        policy({"Principal": FEDERATED, "Action": "sts:AssumeRoleWithWebIdentity"}, {}),
    ],
)
def test_a_policy_that_allows_it_has_no_findings(trust: dict[str, Any]) -> None:
    found = explain(trust, **WHO)
    assert (found.verdict, found.findings, found.cause) == ("allow", (), "")
    assert found.asked["account"] == "'shop/reports'"


@pytest.mark.parametrize(
    ("trust", "id_", "message"),
    [
        (
            policy({"Principal": FEDERATED, "Action": "sts:AssumeRoleWithWebIdentity"}),
            "P13",
            "No statement allows the service pods.eks.amazonaws.com: it trusts 'arn:aws:iam::",
        ),
        (policy({"Effect": "Deny", "Principal": FEDERATED}), "P13", "it allows nothing"),
        (
            policy({"Action": "sts:AssumeRole"}),
            "P14",
            "Statement 1 does not allow sts:TagSession. EKS Pod Identity",
        ),
        (
            policy({"Action": "sts:AssumeRoleWithWebIdentity", "Sid": "Pods"}),
            "P14",
            'Statement "Pods" does not allow sts:AssumeRole and sts:TagSession.',
        ),
        (
            policy(when("StringEquals", "aws:RequestTag/kubernetes-namespace", "prod")),
            "P15",
            (
                "Statement 1 requires StringEquals 'prod' of aws:RequestTag/kubernetes-namespace, "
                "which is 'shop'."
            ),
        ),
        (
            policy(when("StringEquals", "issuer.example:sub", "x")),
            "P15",
            "issuer.example:sub, which does not exist for EKS Pod Identity.",
        ),
        (policy({}, {"Effect": "Deny"}), "P15", "Statement 2 denies it."),
        (
            policy({"Condition": {"StringEquals": {TAG: "shop", "sts:ExternalId": "1"}}}),
            "P15",
            "sts:ExternalId, which does not exist for EKS Pod Identity.",
        ),
    ],
)
def test_a_denial_names_its_cause_and_the_fix(
    trust: dict[str, Any], id_: str, message: str
) -> None:
    found = explain(trust, **WHO)
    assert found.verdict == "deny"
    assert found.summary.endswith(f"({id_})")
    assert found.findings[0].id == id_
    assert found.findings[0].severity == "error"
    assert message in found.findings[0].message


@pytest.mark.parametrize(
    "where",
    [
        {"Effect": "Deny"},
        {"Action": "sts:AssumeRole"},
        when("StringEquals", "aws:SourceOrgId", "o-1"),
        when("StringEquals", TAG, "prod"),
    ],
)
def test_no_finding_shows_a_token_in_the_name_of_a_statement(where: dict[str, Any]) -> None:
    secret = token("shop", "reports")
    assert_masked(policy({"Sid": secret} | where), secret)


@pytest.mark.parametrize(
    "key",
    [
        "issuer.example:{}",  # does not exist
        "aws:RequestTag/{}",
        "aws:{}",  # only AWS knows
    ],
)
def test_no_finding_shows_a_token_in_a_condition_key(key: str) -> None:
    secret = token("shop", "reports")
    assert_masked(policy(when("StringEquals", key.format(secret), "x")), secret)


def assert_masked(trust: dict[str, Any], secret: str) -> None:
    found = explain(trust, **WHO)
    texts = [text for each in found.findings for text in (each.message, each.fix)]
    assert any("***" in text for text in texts)
    assert not any(secret in text for text in (found.summary, *texts))


def test_what_only_aws_knows_is_unknown() -> None:
    found = explain(policy(when("StringEquals", "aws:SourceOrgId", "o-1")), **WHO)
    assert found.summary == "UNKNOWN (trust policy only): only AWS can decide"
    assert [each.id for each in found.findings] == ["P12"]
    both = {"StringEquals": {"aws:SourceOrgId": "o-1", "aws:RequestTag/kubernetes-namespace": "x"}}
    found = explain(policy({"Condition": both}), **WHO)
    assert [each.id for each in found.findings] == ["P15", "P12"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Sid": "a\x1b[31mb", "Action": "sts:AssumeRole"},
        {"Sid": "a\x9b31mb", "Effect": "Deny"},
        when("StringEquals", "aws:RequestTag/a\x1b[31mb", "shop"),
        when("StringEquals", TAG, "a\x1b[31mb"),
        when("StringEquals", "aws:RequestTag/a\n  P99 info: Fine.\nALLOW", "shop"),
        when("StringEquals", "aws:SourceOrgId\n  P99 info: Fine.\nALLOW", "shop"),
        {"Sid": "a\nALLOW", "Effect": "Deny"},
        {"Principal": {"Service": "a\x1b[31mb"}},
    ],
)
def test_no_text_of_a_policy_controls_a_terminal_or_adds_a_line(statement: dict[str, Any]) -> None:
    found = explain(policy({}, statement) if "Effect" in statement else policy(statement), **WHO)
    assert found.verdict in {"deny", "unknown"}
    lines = str(found).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.lstrip().startswith(("P99", "ALLOW")) for line in lines)


def test_the_service_account_may_come_from_a_token() -> None:
    assert explain(policy({}), token=token("shop", "reports"), pod_identity=True).verdict == "allow"
    with pytest.raises(ConfigError, match="not a service account's"):
        explain(policy({}), token=token("", ""), pod_identity=True)


def token(namespace: str, name: str) -> str:
    claims = {"iss": "https://issuer", "sub": f"system:serviceaccount:{namespace}:{name}"}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln"


@pytest.mark.parametrize(
    "arguments",
    [
        {"pod_identity": True},
        {**WHO, "token": "x"},
        {**WHO, "issuer": "https://issuer"},
        {**WHO, "audience": "sts.amazonaws.com"},
    ],
)
def test_arguments_that_do_not_fit_are_an_error(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        explain(policy({}), **arguments)


def test_the_command_judges_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(policy({"Action": "sts:AssumeRole"})))
    who = ["--pod-identity", "--service-account", "shop/reports", "--policy", str(path)]
    assert main(["explain", *who]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("DENY  an action of EKS Pod Identity is not allowed")
    assert '"Action": ["sts:AssumeRole", "sts:TagSession"]' in shown
    assert main(["explain", *who, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["id"] == "P14"
