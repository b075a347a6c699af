"""The trust policy and the manifest that are right."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from irsa_creds import ConfigError
from irsa_creds.diagnosis._explain.explain import explain
from irsa_creds.diagnosis._policy.templates import manifest, trust_policy

ISSUER = f"https://oidc.eks.eu-west-1.amazonaws.com/id/{'0123456789ABCDEF' * 2}"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/reader"


def objects(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    account, deployment = yaml.safe_load_all(text)
    return account, deployment


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_a_generated_policy_allows_only_its_service_account(partition: str) -> None:
    policy = trust_policy("prod/reader", ISSUER, ACCOUNT, partition=partition)
    role = f"arn:{partition}:iam::{ACCOUNT}:role/reader"
    right = explain(policy, service_account="prod/reader", issuer=ISSUER, role_arn=role)
    assert (right.verdict, right.findings) == ("allow", ())
    for other in ("prod/writer", "dev/reader"):
        found = explain(policy, service_account=other, issuer=ISSUER, role_arn=role)
        assert found.verdict == "deny"


def test_a_generated_policy_requires_the_given_audience() -> None:
    policy = trust_policy("prod/reader", ISSUER, ACCOUNT, audience="vault")
    tests = policy["Statement"][0]["Condition"]["StringEquals"]
    assert tests[f"{ISSUER.removeprefix('https://')}:aud"] == "vault"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"service_account": "reader"}, "NAMESPACE/NAME"),
        ({"service_account": "/reader"}, "NAMESPACE/NAME"),
        ({"service_account": "prod/Reader"}, "lower case"),
        ({"service_account": "prod/reader\n"}, "lower case"),
        ({"service_account": f"prod/{'a' * 254}"}, "lower case"),
        ({"service_account": f"{'a' * 64}/reader"}, "lower case"),
        ({"service_account": "*/*"}, "lower case"),
        ({"issuer": "oidc.eks.eu-west-1.amazonaws.com/id/X"}, "begins with https://"),
        ({"issuer": "http://oidc.example"}, "begins with https://"),
        ({"issuer": "https://oidc.example/?a=b"}, "begins with https://"),
        ({"issuer": "https://oidc.example/" + "a" * 300}, "begins with https://"),
        ({"account": "1234"}, "12 digits"),
        ({"account": "12345678901x"}, "12 digits"),
        ({"partition": "gcp"}, "aws-us-gov"),
        ({"audience": ""}, "printable"),
        ({"audience": "a\nb"}, "printable"),
    ],
)
def test_invalid_arguments_are_rejected_with_the_value(named: dict[str, str], says: str) -> None:
    given: dict[str, str] = {
        "service_account": "prod/reader",
        "issuer": ISSUER,
        "account": ACCOUNT,
    } | named
    with pytest.raises(ConfigError, match=says) as raised:
        trust_policy(**given)
    assert repr(next(iter(named.values())))[:50] in str(raised.value)


def test_a_manifest_is_a_service_account_with_the_role_and_a_deployment_with_it() -> None:
    account, deployment = objects(manifest("prod/reader", ROLE))
    assert account["kind"] == "ServiceAccount"
    assert account["metadata"] == {
        "name": "reader",
        "namespace": "prod",
        "annotations": {"eks.amazonaws.com/role-arn": ROLE},
    }
    pod = deployment["spec"]["template"]
    assert deployment["metadata"]["namespace"] == "prod"
    assert pod["spec"]["serviceAccountName"] == "reader"
    assert pod["spec"]["securityContext"]["fsGroup"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]


def test_a_manifest_names_an_audience_that_is_not_the_webhooks_own() -> None:
    account, _ = objects(manifest("prod/reader", ROLE, audience="va'ult: #1"))
    assert account["metadata"]["annotations"]["eks.amazonaws.com/audience"] == "va'ult: #1"


@pytest.mark.parametrize(
    "name", ["on", "null", "1e3", "0x10", "12", "a.b", "a" * 70, "a" * 62 + ".b"]
)
def test_no_name_becomes_something_else_in_yaml(name: str) -> None:
    account, deployment = objects(manifest(f"{name[:60].replace('.', '-')}/{name}", ROLE))
    container = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
    label = deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
    assert account["metadata"]["name"] == name
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == name
    assert isinstance(container, str)
    assert "." not in container
    assert len(label) <= 63
    assert label[-1] not in ".-"


def test_only_the_default_image_gets_a_waiting_command() -> None:
    def started(**options: str) -> object:
        _, deployment = objects(manifest("prod/reader", ROLE, **options))
        return deployment["spec"]["template"]["spec"]["containers"][0].get("command")

    # Python without a terminal would end, and be started again and again.
    assert started() == ["sleep", "infinity"]
    assert "put your own here" in manifest("prod/reader", ROLE)
    assert started(image="app:1") is None


def test_a_manifest_takes_an_image() -> None:
    _, deployment = objects(
        manifest("prod/reader", ROLE, image="registry.example:5000/app@sha256:00")
    )
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example:5000/app@sha256:00"


@pytest.mark.parametrize(
    ("role", "image", "says"),
    [
        (ROLE.replace("role/", "user/"), "app", "The role is"),
        (ROLE, "app\nkind: Secret", "The image is"),
        (ROLE, "", "The image is"),
    ],
)
def test_a_manifest_with_invalid_names_is_rejected(role: str, image: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        manifest("prod/reader", role, image=image)


def test_a_policy_is_json() -> None:
    policy = trust_policy("prod/reader", ISSUER, ACCOUNT)
    assert json.loads(json.dumps(policy)) == policy
