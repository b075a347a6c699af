"""`explain`: its result, and the laws that hold for any policy and any token."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from irsa_creds import ConfigError, TokenError
from irsa_creds.diagnosis._explain.explain import CAVEAT, explain
from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.parse import PolicyError, parse_policy
from irsa_creds.diagnosis._policy.request import from_token
from irsa_creds.diagnosis._policy.templates import trust_policy

ID = "0123456789ABCDEF0123456789ABCDEF"
EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{ID}"
ISSUER = f"https://{EKS}"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{EKS}"
SUBJECT = "system:serviceaccount:prod:reader"
SIGNATURE = "c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0"


def jwt(claims: Any) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{encoded}.{SIGNATURE}"


TOKEN = jwt({"iss": ISSUER, "sub": SUBJECT, "aud": ["sts.amazonaws.com"]})


def policy(**elements: Any) -> dict[str, Any]:
    made = trust_policy("prod/reader", ISSUER, ACCOUNT)
    made["Statement"][0] |= elements
    return made


def test_a_token_and_its_service_account_get_the_same_explanation() -> None:
    of_token = explain(policy(), token=TOKEN, role_arn=ROLE)
    named = explain(policy(), service_account="prod/reader", issuer=ISSUER, role_arn=ROLE)
    assert of_token == named
    assert of_token.verdict == "allow"


def test_an_audience_can_be_given_with_a_service_account() -> None:
    found = explain(policy(), service_account="prod/reader", issuer=ISSUER, audience="vault")
    assert found.verdict == "deny"
    assert [f.id for f in found.findings] == ["P06"]


def test_as_dict_is_what_json_prints() -> None:
    found = explain(policy(Action="sts:AssumeRole"), token=TOKEN)
    assert json.loads(json.dumps(found.as_dict())) == {
        "schema": 1,
        "verdict": "deny",
        "findings": [
            {
                "id": "P01",
                "severity": "error",
                "statement": 1,
                "message": "Statement 1 allows 'sts:AssumeRole', which is for AWS principals with "
                "signed requests; a token needs sts:AssumeRoleWithWebIdentity.",
                "fix": '"Action": "sts:AssumeRoleWithWebIdentity"',
            }
        ],
        "notes": [],
    }


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({}, "ALLOW (trust policy only)"),
        (
            {"Action": "sts:AssumeRole"},
            "DENY  no statement allows sts:AssumeRoleWithWebIdentity (P01)",
        ),
        ({"Condition": {}}, "ALLOW (trust policy only), with a warning (P11, P06)"),
        ({"Effect": "Deny"}, "DENY  statement 1 denies it (P04)"),
        ({"Principal": "*"}, "UNKNOWN (trust policy only): only AWS can decide"),
    ],
)
def test_the_first_line_has_verdict_scope_and_cause(elements: dict[str, Any], says: str) -> None:
    text = str(explain(policy(**elements), token=TOKEN, role_arn=ROLE))
    assert text.startswith(f"{says}\n  subject: '{SUBJECT}'\n  issuer: '{ISSUER}'\n")
    assert f"  role: '{ROLE}'" in text
    assert text.endswith(CAVEAT)


def test_the_text_has_every_finding_and_its_fix() -> None:
    found = explain(policy(Action="sts:AssumeRole", Principal={"AWS": ARN}), token=TOKEN)
    for finding in found.findings:
        assert f"  {finding.id} {finding.severity}: {finding.message}\n" in str(found)
        assert all(f"      {line}\n" in str(found) for line in finding.fix.splitlines())


def test_the_nearest_statement_is_shown_as_the_policy_has_it() -> None:
    node = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    both = {"Version": "2012-10-17", "Statement": [node, *policy()["Statement"]]}
    found = explain(both, token=TOKEN)
    assert (found.statement, found.nearest) == (2, policy()["Statement"][0])
    denying = explain(policy(Effect="Deny"), token=TOKEN)
    assert (denying.statement, denying.nearest) == (None, None)


@pytest.mark.parametrize(
    "given_",
    [
        {},
        {"service_account": "prod/reader"},
        {"issuer": ISSUER},
        {"token": TOKEN, "service_account": "prod/reader"},
        {"token": TOKEN, "issuer": ISSUER},
        {"token": TOKEN, "audience": "x"},
        {"token": TOKEN, "role_arn": "reader"},
        {"service_account": "reader", "issuer": ISSUER},
        {"service_account": "prod/reader", "issuer": ISSUER, "audience": ""},
        {"service_account": "prod/reader", "issuer": ""},
        {"service_account": "prod/reader", "issuer": TOKEN},
    ],
)
def test_the_identity_must_be_unambiguous(given_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        explain(policy(), **given_)


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", jwt([1]), jwt({"sub": SUBJECT})])
def test_a_token_must_have_an_issuer(token: str) -> None:
    with pytest.raises(TokenError):
        explain(policy(), token=token)


@pytest.mark.parametrize("audience", [None, [], "a", ["a", "b"], 7, {"a": "b"}])
def test_a_token_s_audience_may_be_anything(audience: object) -> None:
    found = explain(policy(), token=jwt({"iss": ISSUER, "sub": SUBJECT, "aud": audience}))
    assert found.verdict != "allow"
    assert found.findings


def test_neither_the_explanation_nor_its_text_contains_the_token() -> None:
    for bad in (policy(), policy(Action="sts:AssumeRole"), policy(Principal="*")):
        found = explain(bad, token=TOKEN, role_arn=ROLE)
        for text in (str(found), repr(found), json.dumps(found.as_dict())):
            assert TOKEN not in text
            assert SIGNATURE not in text
            assert TOKEN.split(".")[1] not in text
        assert TOKEN.encode() not in pickle.dumps(found)


def test_a_policy_that_hides_a_token_does_not_show_it() -> None:
    condition = {"StringEquals": {f"{EKS}:sub": TOKEN, f"{EKS}:aud": "sts.amazonaws.com"}}
    found = explain(policy(Condition=condition), token=TOKEN)
    assert all(SIGNATURE not in f.message + f.fix for f in found.findings)


@pytest.mark.parametrize(
    "tests",
    [
        {f"{EKS}:sub": ["ab" * 150 for _ in range(180)]},
        {f"{EKS}:sub": "*a" * 30_000},
        {f"{'a/' * 20}{number}:sub": "x" for number in range(900)},
        {f"{EKS}:x{number}": "y" for number in range(700)},
    ],
)
def test_the_longest_policy_gets_a_verdict(tests: dict[str, Any]) -> None:
    """pytest's own timeout is the judge."""
    found = explain(policy(Condition={"StringEquals": tests}), token=TOKEN)
    assert found.verdict == "deny"
    assert found.findings


def test_a_fix_that_would_show_a_token_does_not() -> None:
    found = explain(policy(Condition={"StringEquals": {f"{EKS}:{TOKEN}": "x"}}), token=TOKEN)
    assert found.findings
    assert all(TOKEN.split(".")[1] not in f.message + f.fix for f in found.findings)


@pytest.mark.parametrize(
    "odd", ["\x1b]0;t\x07", "\nALLOW    all is well", "\u202e", "\u2028", "\u200f"]
)
def test_control_characters_of_policy_and_token_are_not_shown(odd: str) -> None:
    keys = [
        f"{EKS}:email{odd}",
        f"x.y{odd}:sub",
        f"{EKS}:sub{odd}",
        f"sts:x{odd}",
        f"{EKS}/id/{odd}:a",
    ]
    for key in keys:
        for operator in ("StringEquals", "StringNotEquals", "Null", "ForAllValues:StringLike"):
            for effect in ("Allow", "Deny"):
                changed = policy(Condition={operator: {key: f"true{odd}"}}, Effect=effect, Sid=odd)
                changed["Statement"] = [*changed["Statement"], *policy()["Statement"]]
                found = explain(changed, token=TOKEN)
                assert all(odd not in f.message + f.fix for f in found.findings)
    for name in (
        f"{ARN}{odd}",
        f"{ARN.replace(ID, odd)}",
        f"arn:a{odd}:iam:b{odd}:c{odd}:oidc-provider/{EKS}",
    ):
        found = explain(policy(Principal={"Federated": name}), token=TOKEN, role_arn=ROLE)
        assert odd not in str(found)
    claims = {"iss": f"{ISSUER}{odd}", "sub": f"{SUBJECT}{odd}", "aud": odd}
    for principal in ({"Federated": f"{ARN}{odd}"}, {"Federated": ARN}, "*"):
        found = explain(policy(Principal=principal, Condition={}), token=jwt(claims))
        assert found.findings
        assert odd not in str(found)


def test_the_role_is_the_one_of_the_policy_unless_another_is_named() -> None:
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": policy()}}
    other = ROLE.replace(ACCOUNT, "210987654321")
    assert explain(role, token=TOKEN).asked["role"] == repr(ROLE)
    assert explain(json.dumps(role), token=TOKEN).asked["role"] == repr(ROLE)
    assert explain(role["Role"], token=TOKEN).asked["role"] == repr(ROLE)
    role["Role"]["Arn"] = other
    assert explain(role, token=TOKEN).verdict == "deny"
    assert explain(role, token=TOKEN, role_arn=ROLE).verdict == "allow"


@pytest.mark.parametrize("arn", [None, 7, "reader", "arn:aws:iam::1:role/x"])
def test_an_invalid_role_arn_beside_a_policy_is_ignored(arn: object) -> None:
    role = {"Role": {"Arn": arn, "AssumeRolePolicyDocument": policy()}}
    found = explain(role, token=TOKEN)
    assert found.verdict == "allow"
    assert found.asked["role"] == "not given, so account and partition are not compared"


def test_none_of_several_audiences_may_be_an_excluded_one() -> None:
    condition = {"StringNotEquals": {f"{EKS}:aud": "evil"}}
    token = jwt({"iss": ISSUER, "sub": SUBJECT, "aud": ["evil", "sts.amazonaws.com"]})
    [finding] = [
        f for f in explain(policy(Condition=condition), token=token).findings if f.id == "P06"
    ]
    assert finding.fix.splitlines() == [
        f'"ForAllValues:StringNotEquals": {{"{EKS}:aud": "evil"}},',
        f'"Null": {{"{EKS}:aud": "false"}}',
    ]


def test_a_pattern_stays_one_without_its_quantifier() -> None:
    condition = {"ForAllValues:StringEquals": {f"{EKS}:sub": "system:serviceaccount:prod:*"}}
    [finding] = [
        f for f in explain(policy(Condition=condition), token=TOKEN).findings if f.id == "P08"
    ]
    assert finding.fix == f'"StringLike": {{"{EKS}:sub": "system:serviceaccount:prod:*"}}'


# The laws. What is drawn is near enough to a policy that all parts of the evaluation are met.
KEYS = st.sampled_from(
    [
        *(f"{EKS}:{claim}" for claim in ("sub", "aud", "SUB", "email", "namespace", "subject", "")),
        f"oidc.eu-west-1.eks.amazonaws.com/id/{ID}:sub",
        f"oidc.eks.eu-west-1.amazonaws.com/{ID}:aud",
        f"https://{EKS}:sub",
        f"{ARN}:sub",
        EKS,
        "sub",
        "",
        ":",
        "::",
        "aws:SourceIp",
        "sts:ExternalId",
        "saml:aud",
        "aws:RequestTag/team",
    ]
)
OPERATORS = st.sampled_from(
    [
        f"{quantifier}{name}{ending}"
        for quantifier in ("", "ForAnyValue:", "ForAllValues:")
        for name in (
            "StringEquals",
            "StringLike",
            "StringNotEquals",
            "StringNotLike",
            "Bool",
            "ArnLike",
        )
        for ending in ("", "IfExists")
    ]
    + ["Null", "IpAddress", "NumericLessThan", "DateGreaterThan", "StringEqualsIgnoreCase"]
)
VALUES = st.sampled_from(
    [
        SUBJECT,
        SUBJECT.upper(),
        f"{SUBJECT} ",
        "system:serviceaccount:*",
        "system:serviceaccount:dev:reader",
        "prod/reader",
        "sts.amazonaws.com",
        "*",
        "",
        "true",
        "${aws:RequestTag/team}",
        "${",
        True,
        7,
        1.5,
        "\x1b[31m\u202e",
    ]
) | st.text(max_size=6)
PRINCIPALS = st.sampled_from(
    ["*", {"AWS": "*"}, {"Federated": ARN}, {"AWS": ARN}, {"Service": ["ec2.amazonaws.com"]}]
) | st.sampled_from(
    [f"{ARN}/", ISSUER, EKS, "", "*", ARN.replace(ID, "F" * 32), " ", "arn:::::"]
).map(lambda name: {"Federated": name})
ACTIONS = st.sampled_from(
    ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRole", "sts:*", "*", "", "sts:TagSession", "s3:*"]
)
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
        "Principal": PRINCIPALS,
        "Action": ACTIONS | st.lists(ACTIONS, min_size=1, max_size=3),
        "Condition": st.dictionaries(
            OPERATORS,
            st.dictionaries(KEYS, VALUES | st.lists(VALUES, max_size=3), max_size=3),
            max_size=3,
        ),
    },
    optional={"Sid": st.text(max_size=5)},
)
POLICIES = st.fixed_dictionaries(
    {
        "Version": st.sampled_from(["2012-10-17", "2008-10-17"]),
        "Statement": STATEMENTS | st.lists(STATEMENTS, min_size=1, max_size=3),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Principal", "Action", "Role", "Condition"]
            )
            | st.text(max_size=6),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
CLAIMS = st.fixed_dictionaries(
    {"iss": st.sampled_from([ISSUER, "https://token.actions.githubusercontent.com", "x"])},
    optional={
        "sub": st.sampled_from([SUBJECT, "repo:a/b:ref:refs/heads/main", ""]) | JSON,
        "aud": st.sampled_from(["sts.amazonaws.com", ["sts.amazonaws.com"], ["a", "b"]]) | JSON,
        "azp": JSON,
        "email": JSON,
        "namespace": JSON,
        "https://aws.amazon.com/tags": st.just({"principal_tags": {"team": ["a"]}}) | JSON,
        "https://aws.amazon.com/source_identity": JSON,
    },
)
ROLES = st.sampled_from([None, ROLE, "arn:aws-cn:iam::210987654321:role/x"])
LAW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@LAW
@given(JSON | JSON.map(json.dumps) | st.text(max_size=40), CLAIMS)
def test_law_any_json_gets_an_explanation_or_a_policy_error(
    document: Any, claims: dict[str, Any]
) -> None:
    with suppress(PolicyError):
        found = explain(document, token=jwt(claims))
        assert found.verdict in {"allow", "deny", "unknown"}


@LAW
@given(POLICIES, CLAIMS, ROLES)
def test_law_the_verdict_is_the_evaluators_and_a_denial_has_a_reason(
    document: dict[str, Any], claims: dict[str, Any], role: str | None
) -> None:
    before = copy.deepcopy(document)
    found = explain(document, token=jwt(claims), role_arn=role)
    request = from_token(jwt(claims), role_arn=role)
    assert found.verdict == judge(parse_policy(document), request).verdict
    assert document == before
    errors = [f for f in found.findings if f.severity == "error"]
    if found.verdict == "deny":
        assert errors
    if found.verdict == "allow":
        assert not errors
    if found.verdict == "unknown":
        assert found.findings
    assert json.loads(json.dumps(found.as_dict()))["verdict"] == found.verdict
    for finding in found.findings:
        # Keys of SAML are named so, too.
        removed = r"(?i)remove the condition (?:null )?on \S*(?<!saml):(?:sub|aud)\b"
        assert not re.search(removed, finding.fix)


@LAW
@given(POLICIES, CLAIMS, ROLES)
def test_law_a_correction_always_allows(
    document: dict[str, Any], claims: dict[str, Any], role: str | None
) -> None:
    found = explain(document, token=jwt(claims), role_arn=role)
    if found.fixed is not None:
        assert found.verdict != "allow"
        again = explain(found.fixed, token=jwt(claims), role_arn=role)
        assert (again.verdict, again.fixed) == ("allow", None)
        assert not {"P08", "P11"} & {f.id for f in again.findings}
        stranger = jwt(claims | {"sub": "system:serviceaccount:0nobody0:0nobody0"})
        if explain(document, token=stranger, role_arn=role).verdict == "deny":
            assert explain(found.fixed, token=stranger, role_arn=role).verdict != "allow"
