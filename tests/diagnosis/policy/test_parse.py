from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from irsa_creds import ConfigError, IrsaError
from irsa_creds.diagnosis._policy.operators import Operator
from irsa_creds.diagnosis._policy.parse import (
    Condition,
    PolicyError,
    Statement,
    parse_permissions,
    parse_policy,
)

PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.example/id/ABC"
STATEMENT = {
    "Sid": "Pods",
    "Effect": "Allow",
    "Principal": {"Federated": PROVIDER},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {"oidc.example/id/ABC:aud": "sts.amazonaws.com"}},
}
DOCUMENT = {"Version": "2012-10-17", "Id": "trust", "Statement": [STATEMENT]}
TEXT = json.dumps(DOCUMENT)


def changed(**changes: Any) -> dict[str, Any]:
    """Return the policy with other elements in its statement; None takes one out."""
    statement = {name: v for name, v in (STATEMENT | changes).items() if v is not None}
    return {"Version": "2012-10-17", "Statement": statement}


def trouble(source: Any) -> str:
    with pytest.raises(PolicyError) as caught:
        parse_policy(source)
    return str(caught.value)


def test_a_policy_is_taken_apart() -> None:
    policy = parse_policy(TEXT)
    assert policy.version == "2012-10-17"
    assert policy.document == DOCUMENT
    assert policy.statements == (
        Statement(
            index=0,
            sid="Pods",
            effect="Allow",
            actions=("sts:AssumeRoleWithWebIdentity",),
            principals=(("Federated", PROVIDER),),
            conditions=(
                Condition(
                    "StringEquals",
                    "oidc.example/id/ABC:aud",
                    ("sts.amazonaws.com",),
                    Operator("StringEquals"),
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    "source",
    [
        DOCUMENT,
        f"\ufeff \n{TEXT}\n",
        quote(TEXT, safe=""),
        json.dumps(TEXT),
        {"Role": {"RoleName": "app", "AssumeRolePolicyDocument": DOCUMENT}},
        {"Role": {"CreateDate": datetime.now(UTC), "AssumeRolePolicyDocument": DOCUMENT}},
        {"Role": {"AssumeRolePolicyDocument": quote(TEXT, safe="")}},
        {"AssumeRolePolicyDocument": TEXT},
        json.dumps({"Role": {"AssumeRolePolicyDocument": quote(TEXT)}}),
    ],
    ids=[
        "mapping", "blanks", "URL-encoded", "text in text", "get-role", "response", "encoded",
        "role", "all at once",
    ],
)  # fmt: skip
def test_a_policy_is_read_however_it_comes(source: Any) -> None:
    assert parse_policy(source) == parse_policy(TEXT)


def test_the_given_document_is_copied() -> None:
    given = json.loads(TEXT)
    policy = parse_policy(given)
    given["Statement"].clear()
    assert policy.document == DOCUMENT


def test_one_statement_and_one_value_need_no_list() -> None:
    listed = changed(Action=["a:b"], Principal={"AWS": ["x", "y"], "Service": "z"})
    listed["Statement"] = [listed["Statement"]]
    [statement] = parse_policy(listed).statements
    assert statement.actions == ("a:b",)
    assert statement.principals == (("AWS", "x"), ("AWS", "y"), ("Service", "z"))


def test_without_a_version_it_is_the_oldest() -> None:
    assert parse_policy({"Statement": STATEMENT}).version == "2008-10-17"


def test_a_star_is_a_principal_of_its_own() -> None:
    [statement] = parse_policy(changed(Principal="*")).statements
    assert statement.principals == (("*", "*"),)


def test_not_action_is_kept_apart() -> None:
    [statement] = parse_policy(changed(Action=None, NotAction=["sts:AssumeRole"])).statements
    assert statement.actions == ()
    assert statement.not_actions == ("sts:AssumeRole",)


def test_numbers_and_booleans_of_a_condition_become_text() -> None:
    condition = {"Bool": {"aws:a": True}, "NumericEquals": {"aws:b": [1, 1.5, "2"], "aws:c": []}}
    [statement] = parse_policy(changed(Condition=condition)).statements
    assert statement.conditions == (
        Condition("Bool", "aws:a", ("true",), Operator("Bool")),
        Condition("NumericEquals", "aws:b", ("1", "1.5", "2"), Operator("NumericEquals")),
        Condition("NumericEquals", "aws:c", (), Operator("NumericEquals")),
    )


@pytest.mark.parametrize(
    ("sid", "name"), [(None, "statement 1"), ("", "statement 1"), ("Pods", 'statement "Pods"')]
)
def test_a_statement_is_called_by_its_sid_or_its_number(sid: str | None, name: str) -> None:
    assert parse_policy(changed(Sid=sid)).statements[0].name == name


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "not JSON: it is empty"),
        ("{", "not JSON: Expecting property name"),
        ("[" * 30_000 + "]" * 30_000, "nested too deeply"),
        ("1" * 5_000, "not JSON"),
        ("[]", "is a list, but it must be a JSON object"),
        ("null", "is null"),
        ("true", "is a Boolean"),
        ("7", "is a number"),
        ("1.5", "is of type float"),
        (None, "is null"),
        (json.dumps(json.dumps(json.dumps(json.dumps(json.dumps("x"))))), "is a text"),
        ('{"Statement": [], "Statement": []}', "has the key 'Statement' twice"),
        ('{"Statement": NaN}', "contains NaN, which is not JSON"),
        (TEXT + " " * 70_000, "more than the limit of 65,536"),
        ({"Statement": "x" * 70_000}, "more than the limit of 65,536"),
        ({"Statement": {1, 2}}, "cannot be written as JSON: Object of type set"),
        ({"Role": {"RoleName": "app"}}, "The policy has the element 'RoleName'"),
        ({"Role": {"AssumeRolePolicyDocument": DOCUMENT}, "Statement": STATEMENT}, "'Role'"),
        ({"Role": {"AssumeRolePolicyDocument": None}}, "'AssumeRolePolicyDocument'"),
        ({}, "has no statements"),
        ({"Statement": []}, "has no statements"),
        ({"Statement": ["x"]}, "Statement 1 is 'x', but it must be a JSON object"),
        ({"Version": "2012-10-18", "Statement": STATEMENT}, "'2012-10-18', but IAM has"),
        ({"Version": ["2012-10-17"], "Statement": STATEMENT}, "Version is ['2012-10-17']"),
        ({"version": "2012-10-17", "Statement": STATEMENT}, "rejects; write Version."),
        ({"Anything": 1, "Statement": STATEMENT}, "'Anything', which IAM rejects; remove it"),
    ],
    ids=range(26),
)
def test_an_invalid_policy_is_rejected(source: Any, words: str) -> None:
    assert words in trouble(source)


def test_an_alias_that_contains_itself_is_rejected() -> None:
    loop: dict[str, Any] = {}
    loop["Statement"] = loop
    assert "Circular reference" in trouble(loop)


@pytest.mark.parametrize("depth", [32, 500, 900, *range(930, 1000, 5)])
def test_too_deep_nesting_is_rejected(depth: int) -> None:
    nested = f"{'[' * depth}{']' * depth}"
    assert "nested too deeply" in trouble(f'{{"Statement": {{"Sid": {nested}}}}}')


def test_nesting_beyond_python_is_rejected() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert "nested too deeply" in trouble({"Statement": nested})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Sid": 1}, "Statement 1 has the Sid 1, but it must be a text"),
        ({"Effect": None}, "Statement 1 has no Effect; write Allow or Deny"),
        ({"Effect": "allow"}, "has Effect 'allow'; write Allow or Deny"),
        ({"Effect": ["Allow"]}, "has Effect ['Allow']"),
        ({"Action": None}, "Statement 1 has neither Action nor NotAction; write one"),
        ({"NotAction": "x"}, "has both Action and NotAction; write one"),
        ({"Action": []}, "has Action []; write a text or a list of texts"),
        ({"Action": [1]}, "has Action [1]"),
        ({"Action": {}}, "has Action {}"),
        ({"Principal": None}, "has no Principal; name the OIDC provider of the issuer"),
        ({"Principal": "x"}, "has Principal 'x'"),
        ({"Principal": {}}, "has Principal {}"),
        ({"Principal": {"Federated": []}}, "The Principal of statement 1 has Federated []"),
        ({"Principal": {"Federation": "x"}}, "'Federation', which IAM rejects; write Federated"),
        ({"NotPrincipal": "*"}, "has NotPrincipal, which IAM rejects in the policy of a"),
        ({"Resource": "*"}, "has the element 'Resource', which IAM rejects"),
        ({"Conditions": {}}, "IAM rejects; write Condition."),
        ({"Condition": []}, "The Condition of statement 1 is [], but it must be a JSON object"),
        ({"Condition": {"StringEquals": "x"}}, "StringEquals in statement 1 is 'x'"),
        ({"Condition": {"StringIs": {}}}, "the condition operator 'StringIs', which IAM does not"),
        ({"Condition": {"NullIfExists": {}}}, "the condition operator 'NullIfExists'"),
        ({"Condition": {"Bool": {"aws:a": [None]}}}, "compares 'aws:a' with None"),
        ({"Condition": {"Bool": {"aws:a": {}}}}, "compares 'aws:a' with {}"),
    ],
)
def test_invalid_elements_are_named(changes: dict[str, Any], words: str) -> None:
    source = (
        changed(**changes)
        if "Principal" not in changes
        else changed()
        | {
            "Statement": {**{k: v for k, v in STATEMENT.items() if k != "Principal"}}
            | ({} if changes["Principal"] is None else changes)
        }
    )
    assert words in trouble(source)


def test_the_second_statement_is_named_by_its_number() -> None:
    two = {"Statement": [STATEMENT, STATEMENT | {"Effect": "x"}]}
    assert trouble(two).startswith("Statement 2 has Effect 'x'")


def test_permissions_have_resources_and_no_principal() -> None:
    allow = {"Effect": "Allow", "Action": "s3:*"}
    [one] = parse_permissions({"Statement": allow | {"Resource": ["a", "b"]}}).statements
    assert (one.resources, one.not_resources) == (("a", "b"), None)
    [other] = parse_permissions({"Statement": allow | {"NotResource": "a"}}).statements
    assert (other.resources, other.not_resources) == ((), ("a",))
    with pytest.raises(PolicyError, match="neither Resource nor NotResource"):
        parse_permissions({"Statement": allow})
    with pytest.raises(PolicyError, match="'Principal', which IAM rejects"):
        parse_permissions({"Statement": STATEMENT | {"Resource": "*"}})


def test_a_policy_error_is_a_mistake_of_configuration_and_a_value_error_and_pickles() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy("{}")
    assert isinstance(caught.value, (ConfigError, IrsaError))
    assert isinstance(caught.value, ValueError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (PolicyError, str(caught.value))


@pytest.mark.parametrize("element", ["Resource", "NotResource"])
def test_a_permission_policy_is_not_taken_for_a_trust_policy(element: str) -> None:
    allow = {"Effect": "Allow", "Action": "s3:GetObject", element: "*"}
    text = trouble({"Version": "2012-10-17", "Statement": [allow]})
    assert text.startswith("Statement 1 has a Resource and no Principal, so this is a permission")
    assert "'aws iam get-role --role-name ROLE'" in text
