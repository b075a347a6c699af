"""Laws of the evaluator, over generated policies, tokens and JSON of any kind."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings, strategies as st

from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.parse import PolicyError, parse_policy
from irsa_creds.diagnosis._policy.request import AccessRequest

HOST = "oidc.example/id/ABC"
ISSUER = f"https://{HOST}"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
RANK = {"deny": 0, "unknown": 1, "allow": 2}

quick = settings(max_examples=60, deadline=None)
quicker = settings(max_examples=30, deadline=None)

SUBJECTS = ["system:serviceaccount:a:b", "system:serviceaccount:a:c", "x*", ""]
OPERATORS = [
    "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
    "StringEqualsIfExists", "ForAnyValue:StringLike", "ForAllValues:StringEquals",
    "ForAllValues:StringNotLikeIfExists", "Null", "Bool", "NumericLessThan", "DateEquals",
    "IpAddress", "NotIpAddress", "ArnLike", "ArnNotEquals", "BinaryEquals", "ForAnyValue:Null",
]  # fmt: skip
# The first are in the token or absent from it; the last only AWS knows.
KEYS = [f"{HOST}:sub", f"{HOST}:aud", f"{HOST}:amr", f"{HOST}:other", "elsewhere.example:sub"]
OPEN_KEYS = ["aws:SourceIp", "aws:PrincipalOrgID", "sts:RoleSessionName"]
WANTED = [
    *SUBJECTS, "*", "system:*", "sts.amazonaws.com", "true", "false", "1", "2026", "10.0.0.0/8",
    PROVIDER, "arn:*:*:*:*:*", f"${{{HOST}:sub}}", "${aws:userid}", "${*}", "${",
]  # fmt: skip


@st.composite
def statements(draw: st.DrawFn, keys: tuple[str, ...] = (*KEYS, *OPEN_KEYS)) -> dict[str, Any]:
    wanted = st.lists(st.sampled_from(WANTED), max_size=3)
    tests = st.dictionaries(st.sampled_from(keys), wanted, min_size=1, max_size=2)
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:*", "sts:AssumeRole"]
    principals: list[Any] = [{"Federated": PROVIDER}, {"Federated": f"{PROVIDER}D"}, "*"]
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "Principal": draw(st.sampled_from([principals[0], *principals])),
        draw(st.sampled_from(["Action", "NotAction"])): draw(st.sampled_from(actions)),
        "Condition": draw(st.dictionaries(st.sampled_from(OPERATORS), tests, max_size=3)),
    }


policies = st.lists(statements(), min_size=1, max_size=4)
requests = st.builds(
    lambda claims: AccessRequest(ISSUER, claims),
    st.fixed_dictionaries(
        {"sub": st.sampled_from(SUBJECTS)},
        optional={
            "aud": st.lists(st.sampled_from(["sts.amazonaws.com", "other"]), max_size=2),
            "azp": st.sampled_from(["client", ""]),
            "amr": st.sampled_from([True, 7, ["a"], {}]),
            "https://aws.amazon.com/tags": st.just({"principal_tags": {"a": ["b"]}}),
        },
    ),
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def verdict(
    found: list[dict[str, Any]], request: AccessRequest, version: str = "2012-10-17"
) -> str:
    return judge(parse_policy({"Version": version, "Statement": found}), request).verdict


def conditions(statement: dict[str, Any]) -> list[tuple[str, str]]:
    return [(operator, key) for operator, keys in statement["Condition"].items() for key in keys]


def without(statement: dict[str, Any], operator: str, key: str) -> dict[str, Any]:
    left = {
        name: {k: v for k, v in tests.items() if (name, k) != (operator, key)}
        for name, tests in statement["Condition"].items()
    }
    return statement | {"Condition": left}


@given(anything, anything)
@quick
def test_any_json_is_evaluated_or_rejected(document: Any, claim: Any) -> None:
    request = AccessRequest(
        ISSUER, {"sub": claim, "aud": claim, "https://aws.amazon.com/tags": claim}
    )
    for source in (document, json.dumps(document)):
        try:
            judge(parse_policy(source), request)
        except PolicyError as error:
            assert str(error)  # noqa: PT017 - nearly every example ends here, and must with words


@given(st.text())
@quicker
def test_any_text_is_rejected(text: str) -> None:
    try:
        parse_policy(text)
    except PolicyError:
        return
    raise AssertionError(text)


@given(statements(), st.data())
@quick
def test_a_policy_with_any_json_is_evaluated_or_rejected(
    statement: dict[str, Any], data: st.DataObject
) -> None:
    element = data.draw(st.sampled_from(["Effect", "Principal", "Action", "Condition", "Sid"]))
    changed = statement | {element: data.draw(anything)}
    try:
        judge(parse_policy({"Statement": changed}), AccessRequest(ISSUER, {"sub": "a"}))
    except PolicyError as error:
        assert "1" in str(error)  # noqa: PT017 - an error names the statement; without one, nothing is to check


@given(policies, requests, st.sampled_from(["2012-10-17", "2008-10-17"]))
@quick
def test_the_order_of_statements_does_not_matter(
    found: list[dict[str, Any]], request: AccessRequest, version: str
) -> None:
    assert verdict(found, request, version) == verdict(found[::-1], request, version)


@given(policies, statements(), requests)
@quick
def test_one_more_deny_never_allows(
    found: list[dict[str, Any]], statement: dict[str, Any], request: AccessRequest
) -> None:
    more = [*found, statement | {"Effect": "Deny"}]
    assert RANK[verdict(more, request)] <= RANK[verdict(found, request)]


@given(policies, statements(), requests)
@quick
def test_one_more_allow_never_denies(
    found: list[dict[str, Any]], statement: dict[str, Any], request: AccessRequest
) -> None:
    more = [*found, statement | {"Effect": "Allow"}]
    assert RANK[verdict(more, request)] >= RANK[verdict(found, request)]


@given(policies, requests)
@quick
def test_one_condition_less_of_an_allow_never_denies(
    found: list[dict[str, Any]], request: AccessRequest
) -> None:
    before = RANK[verdict(found, request)]
    for directory, statement in enumerate(found):
        if statement["Effect"] == "Allow":
            for one in conditions(statement):
                fewer = [*found[:directory], without(statement, *one), *found[directory + 1 :]]
                assert RANK[verdict(fewer, request)] >= before


@given(policies, requests, st.sampled_from(OPERATORS), st.sampled_from(OPEN_KEYS))
@quick
def test_no_allow_comes_of_a_key_that_only_aws_knows(
    found: list[dict[str, Any]], request: AccessRequest, operator: str, key: str
) -> None:
    needed = {operator: {key: WANTED}}
    all_need_it = [
        statement
        | ({"Condition": statement["Condition"] | needed} if statement["Effect"] == "Allow" else {})
        for statement in found
    ]
    assert verdict(all_need_it, request) != "allow"


@given(policies, requests, st.sampled_from([("1.2.3.4",), ("a", "b"), None]))
@quick
def test_more_knowledge_never_reverses_a_verdict(
    found: list[dict[str, Any]], request: AccessRequest, values: tuple[str, ...] | None
) -> None:
    informed = replace(request, facts={key.lower(): values for key in OPEN_KEYS})
    before = verdict(found, request)
    assert before in ("unknown", verdict(found, informed))
