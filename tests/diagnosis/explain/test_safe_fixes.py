"""A correction allows the token and no other identity; otherwise there is no correction."""
# ruff: noqa: E501 - one row of a table is one line

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from irsa_creds.diagnosis._explain.explain import Explanation, explain
from irsa_creds.diagnosis._policy.templates import statement

ID = "0123456789ABCDEF0123456789ABCDEF"
EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{ID}"
OTHER = f"oidc.eks.us-east-1.amazonaws.com/id/{'FEDCBA98' * 4}"
GITHUB = "token.actions.githubusercontent.com"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
READER = "system:serviceaccount:prod:reader"
SUB, AUD = f"{EKS}:sub", f"{EKS}:aud"
STS = "sts.amazonaws.com"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"
MAIN = "repo:acme/app:ref:refs/heads/main"
BRANCH: dict[str, Any] = {
    "iss": f"https://{GITHUB}", "sub": MAIN, "ref": "refs/heads/main", "actor": "alice",
}  # fmt: skip
OWNED: dict[str, Any] = {"iss": f"https://{GITHUB}", "sub": "repository_owner:acme:x"}
PULL: dict[str, Any] = {"iss": f"https://{GITHUB}", "sub": "repo:acme/app:pull_request"}
API: dict[str, Any] = {"aud": ["https://kubernetes.default.svc"]}
EVIL = "system:serviceaccount:evil:reader"
TAGS: dict[str, Any] = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}}}
SOURCE: dict[str, Any] = {"https://aws.amazon.com/source_identity": "bob"}


def arn(provider: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"


def explained(
    *statements: dict[str, Any], sub: str = READER, iss: str = f"https://{EKS}", **claims: object
) -> Explanation:
    told = {"iss": iss, "sub": sub, "aud": [STS]} | claims
    encoded = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    return explain(policy, token=f"eyJhbGciOiJSUzI1NiJ9.{encoded}.c2ln", role_arn=ROLE)


def allow(condition: Any = None, provider: str = EKS, **elements: Any) -> dict[str, Any]:
    made = {"Effect": "Allow", "Principal": {"Federated": arn(provider)}, "Action": EXCHANGE}
    return made | ({"Condition": condition} if condition else {}) | elements


def held(**operators: dict[str, Any]) -> dict[str, Any]:
    return {"StringEquals": {AUD: STS} | operators.pop("StringEquals", {}), **operators}


OWN = statement(arn(EKS), EKS, READER, STS)


def ids(found: Explanation, severity: str) -> list[str]:
    return [each.id for each in found.findings if each.severity == severity]


@pytest.mark.parametrize(
    "others",
    [
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:*"},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ci"}, "Action": ["sts:AssumeRole", EXCHANGE]},
        {"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole*"},
        {"Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/okta"}, "Action": "sts:*"},
        {
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/okta"},
            "Action": "sts:AssumeRoleWithSAML",
            "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        },
        {
            "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Action": EXCHANGE,
            "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "pool"}},
        },
        {"Principal": {"Federated": arn(OTHER)}, "Action": "sts:AssumeRole"},
    ],
)  # fmt: skip
def test_a_statement_for_others_stays_as_it_is_and_one_of_its_own_is_added(
    others: dict[str, Any],
) -> None:
    found = explained({"Effect": "Allow"} | others)
    assert found.fixed is not None
    assert found.fixed["Statement"] == [{"Effect": "Allow"} | others, OWN]
    assert not any(each.fix.startswith('"Principal"') for each in found.findings)


def test_of_two_trusted_clusters_each_gets_its_own_statement() -> None:
    both = allow(
        {"StringEquals": {SUB: READER, f"{OTHER}:sub": "system:serviceaccount:dev:reader"}},
        Principal={"Federated": [arn(EKS), arn(OTHER)]},
    )
    found = explained(both)
    assert found.fixed is not None
    assert found.fixed["Statement"] == [both, OWN]
    [error] = [each for each in found.findings if each.severity == "error"]
    assert error.id == "P03"
    assert "one statement for each" in error.fix


@pytest.mark.parametrize("other", [OTHER, "a.example.com"])
def test_only_the_misspelled_provider_is_corrected(other: str) -> None:
    both = [arn(f"{EKS}/"), arn(other)]
    found = explained(allow(held(StringEquals={SUB: READER}), Principal={"Federated": both}))
    assert found.fixed is not None
    assert found.fixed["Statement"][0]["Principal"]["Federated"] == [arn(EKS), arn(other)]


@pytest.mark.parametrize(
    "open_",
    [
        allow(Action="sts:AssumeRole", provider=GITHUB),
        allow({"StringEquals": {f"{GITHUB}:aud": STS}}, GITHUB, Action="sts:AssumeRole"),
        allow({"StringEquals": {f"{GITHUB}:aud": STS}}, GITHUB[:-1]),
        allow({"StringEquals": {"token.actions.github.com:aud": STS}}, GITHUB),
        allow({"StringEquals": {f"{GITHUB}:environment": "dev", f"{GITHUB}:aud": STS}}, GITHUB),
    ],
)  # fmt: skip
def test_no_correction_allows_every_repository(open_: dict[str, Any]) -> None:
    found = explained(open_, iss=f"https://{GITHUB}", sub=MAIN, environment="prod")
    assert found.verdict == "deny"
    assert found.fixed is None


@pytest.mark.parametrize(
    "open_", [allow(Action="sts:AssumeRole"), allow(provider=f"{EKS}/"), allow(Action="sts:Get*")]
)
def test_a_policy_that_is_too_broad_once_fixed_has_a_warning(open_: dict[str, Any]) -> None:
    found = explained(open_)
    [warning] = [each for each in found.findings if each.id == "P11"]
    assert warning.message.endswith("can get this role, once the other findings are fixed.")


@pytest.mark.parametrize(
    "condition",
    [
        held(StringLike={f"{EKS}:subject": "system:serviceaccount:prod:*", SUB: "*:reader"}),
        held(StringLike={f"{OTHER}:sub": "system:serviceaccount:prod:*", SUB: "*:reader"}),
        held(StringEquals={SUB: STS}),
        {"StringEquals": {f"{EKS}:namespace": "prod", f"{OTHER}:sub": "x"}},
    ],
)  # fmt: skip
def test_two_tests_never_become_one(condition: dict[str, Any]) -> None:
    found = explained(allow(condition))
    assert found.verdict == "deny"
    assert found.fixed is None


@pytest.mark.parametrize(
    "condition",
    [
        held(StringLike={SUB: "*:reader"}, StringNotLike={SUB: "*:prod*:*"}),
        held(StringLike={SUB: "*:reader"}, StringNotEquals={SUB: READER}),
        held(StringEquals={SUB: READER}, StringNotEquals={SUB: [READER, "x"]}),
        held(StringEquals={SUB: READER}, Null={SUB: "true"}),
    ],
)
def test_no_correction_allows_an_excluded_identity(condition: dict[str, Any]) -> None:
    found = explained(allow(condition))
    assert found.verdict == "deny"
    assert found.fixed is None


@pytest.mark.parametrize("key", [f"{EKS}:kubernetes.io/namespace", "sts:ExternalId", "saml:aud"])
def test_a_condition_is_removed_only_if_the_subjects_are_listed(key: str) -> None:
    wide = explained(allow(held(StringEquals={key: "prod"}, StringLike={SUB: "*:reader"})))
    assert wide.fixed is None
    exact = explained(allow(held(StringEquals={key: "prod", SUB: [READER, "x"]})))
    assert exact.fixed is not None
    assert exact.fixed["Statement"][0]["Condition"] == held(StringEquals={SUB: [READER, "x"]})


@pytest.mark.parametrize("claim", ["*", "app-?", "x${aws:username}", "a\nb"])
def test_a_claim_that_would_be_a_pattern_is_not_written(claim: str) -> None:
    of_sub = explained(allow({"StringLike": {AUD: STS, SUB: "foo"}}), sub=claim)
    assert (of_sub.verdict, of_sub.fixed) == ("deny", None)
    of_aud = explained(
        allow({"StringLike": {f"{GITHUB}:aud": "foo", f"{GITHUB}:sub": MAIN}}, GITHUB),
        iss=f"https://{GITHUB}", sub=MAIN, aud=claim,
    )  # fmt: skip
    assert (of_aud.verdict, of_aud.fixed) == ("deny", None)
    missing = explained(allow(held(StringEquals={f"{EKS}:namespace": "x"})), sub=claim)
    assert (missing.verdict, missing.fixed) == ("deny", None)
    deny = allow({"StringNotLike": {SUB: READER}}, Effect="Deny")
    excepted = explained(allow({"StringEquals": {AUD: STS}}), deny, sub=claim)
    assert (excepted.verdict, excepted.fixed) == ("deny", None)


@pytest.mark.parametrize(
    ("listed", "sub", "expected"),
    [
        (
            ["system:serviceaccount:prod:reader", "system:serviceaccount:prod:writer"],
            "system:serviceaccount:prod:admin",
            [
                "system:serviceaccount:prod:reader",
                "system:serviceaccount:prod:writer",
                "system:serviceaccount:prod:admin",
            ],
        ),
        ("system:serviceaccount:prod:raeder", READER, READER),
        ("system:serviceaccount:prod:Reader", READER, READER),
        ("prod/reader", READER, READER),
        (
            "system:serviceaccount:prod:app-1",
            "system:serviceaccount:prod:app-2",
            ["system:serviceaccount:prod:app-1", "system:serviceaccount:prod:app-2"],
        ),
        ("system:serviceaccount:dev:reader", READER, ["system:serviceaccount:dev:reader", READER]),
        ("system:*x", READER, ["system:*x", READER]),
    ],
)
def test_listed_subjects_stay_allowed(listed: Any, sub: str, expected: Any) -> None:
    found = explained(allow(held(StringEquals={SUB: listed})), sub=sub)
    assert found.fixed is not None
    assert found.fixed["Statement"][0]["Condition"]["StringEquals"][SUB] == expected
    assert json.dumps(expected) in found.findings[0].fix


def test_subjects_listed_without_case_stay_allowed() -> None:
    named = "system:serviceaccount:prod:Reader"
    found = explained(
        allow(held(StringEqualsIgnoreCase={SUB: named})), sub="system:serviceaccount:dev:reader"
    )
    assert found.fixed is not None
    assert found.fixed["Statement"][0]["Condition"]["StringEqualsIgnoreCase"][SUB] == [
        named,
        "system:serviceaccount:dev:reader",
    ]


@pytest.mark.parametrize("audience", ["https://kubernetes.default.svc", "vault"])
@pytest.mark.parametrize("wanted", ["sts.amazon.com", STS])
def test_the_audience_of_a_pod_s_other_token_is_not_trusted(audience: str, wanted: str) -> None:
    found = explained(allow({"StringEquals": {SUB: READER, AUD: wanted}}), aud=[audience])
    assert found.fixed is None
    assert f'{AUD}": "{audience}' not in str(found)
    assert explained(allow(provider=OTHER), aud=[audience]).fixed is None


def test_no_fix_trusts_the_audience_of_the_api_server_for_other_subjects_either() -> None:
    keys = {"StringEquals": {SUB: "client", AUD: "vault"}}
    [error] = explained(allow(keys), sub="client", aud=["https://kubernetes.default.svc"]).findings
    assert error.fix.startswith("Use a token for the audience 'vault', or require the usual one: ")


def test_a_built_in_issuer_needs_its_host_as_principal() -> None:
    host = "cognito-identity.amazonaws.com"
    own = allow({"StringEquals": {"x.y:sub": "a", "x.y:aud": STS}}, "x.y")
    found = explained(own, iss=f"https://{host}", sub="us:u", aud="us:p")
    assert found.fixed is not None
    assert found.fixed["Statement"][1]["Principal"] == {"Federated": host}
    held_to = {"StringEquals": {f"{host}:sub": "us:u", f"{host}:aud": "us:p"}}
    named = explained(allow(held_to, host), iss=f"https://{host}", sub="us:u", aud="us:p")
    assert named.verdict == "unknown"
    assert "requires its host name alone" in named.findings[0].message


@pytest.mark.parametrize(
    "open_",
    [
        allow(provider=GITHUB),
        allow(Principal={"AWS": "*"}, Action="sts:AssumeRole"),
    ],
)
def test_a_policy_with_an_open_statement_has_no_correction(open_: dict[str, Any]) -> None:
    wrong = held(StringEquals={SUB: "system:serviceaccount:prod:readr", AUD: STS})
    found = explained(allow(wrong), open_)
    assert (found.verdict, found.fixed) == ("deny", None)
    assert "P11" in ids(found, "warning")


def test_an_issuer_without_https_fails() -> None:
    found = explained(OWN, iss=f"http://{EKS}")
    assert (found.verdict, found.fixed) == ("deny", None)
    assert [each.id for each in found.findings] == ["P02"]
    assert "begins with https://" in found.findings[0].message


def test_all_further_actions_are_one_correction() -> None:
    found = explained(OWN, **TAGS | SOURCE)
    [error] = found.findings
    assert error.id == "P10"
    assert "session tags" in error.message
    assert "a source identity" in error.message
    assert found.fixed is not None
    assert found.fixed["Statement"][0]["Action"] == [
        EXCHANGE,
        "sts:TagSession",
        "sts:SetSourceIdentity",
    ]


def test_a_notaction_that_excepts_a_further_action_is_left_to_its_author() -> None:
    excepting = {name: value for name, value in OWN.items() if name != "Action"}
    found = explained(excepting | {"NotAction": "sts:TagSession"}, **TAGS)
    [error] = found.findings
    assert "excepts 'sts:TagSession'" in error.message
    assert error.fix == 'Remove sts:TagSession from "NotAction".'
    assert found.fixed is None


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"StringNotEquals": {"sts:ExternalId": "abc"}}, '"Action": "sts:AssumeRole"'),
        ({"Null": {"sts:ExternalId": "true"}}, '"Action": "sts:AssumeRole"'),
        ({"StringNotEquals": {"saml:aud": "abc"}}, '"Action": "sts:AssumeRoleWithSAML"'),
        ({"StringNotEquals": {f"{EKS}:email": "a@b.c"}}, "Use another token, or ask the owner"),
        ({"Null": {f"{EKS}:email": "true"}}, "Use another token, or ask the owner"),
    ],
)
def test_a_deny_never_loses_a_condition(condition: dict[str, Any], says: str) -> None:
    found = explained(OWN, allow(condition, Effect="Deny"))
    [error] = found.findings
    assert (found.verdict, found.fixed, error.id) == ("deny", None, "P07")
    assert says in error.fix
    assert "Remove the condition" not in error.fix


@pytest.mark.parametrize("pattern", ["system:serviceaccount:*:reader", "system:serviceaccount:*"])
def test_a_star_for_any_namespace_is_replaced_by_the_exact_subject(pattern: str) -> None:
    found = explained(allow(held(StringEquals={SUB: pattern})))
    [error] = [each for each in found.findings if each.severity == "error"]
    assert error.id == "P05"
    assert ", but so would subjects of other namespaces" in error.message
    # A fix never contains a pattern that P11 would warn about.
    assert error.fix == f'"StringEquals": {{"{SUB}": "{READER}"}}'
    assert found.fixed is not None
    assert found.fixed["Statement"] == [allow(held(StringEquals={SUB: READER}))]


def test_the_default_service_account_of_any_namespace_is_not_proposed() -> None:
    sub = "system:serviceaccount:prod:default"
    found = explained(allow(held(StringEquals={SUB: "system:serviceaccount:*:default"})), sub=sub)
    assert [each.fix for each in found.findings] == [f'"StringEquals": {{"{SUB}": "{sub}"}}']


@pytest.mark.parametrize(
    ("tests", "claims", "others", "also"),
    [
        ({SUB: "system:serviceaccount:prod:*"}, {}, {"sub": f"{READER}2"}, "other service accounts of the namespace too"),
        ({SUB: ["system:serviceaccount:prod:*", "system:serviceaccount:*:reader"]}, {}, {"sub": EVIL}, ""),
        ({SUB: "system:serviceaccount:????:reader"}, {}, {"sub": EVIL}, ""),
        ({SUB: "system:serviceaccount:prod:reade?"}, {}, {"sub": f"{READER}2"}, "all values that match"),
        ({SUB: READER, AUD: "*"}, {}, API, ""),
        ({"sub": "repo:acme/app:*"}, BRANCH, PULL, "pull requests too"),
        ({"sub": "repo:acme/*"}, BRANCH, PULL, "pull requests and other repositories too"),
        ({"sub": "repo:*/app:*"}, BRANCH, PULL, ""),
        ({"sub": "repository_owner:*"}, OWNED, {"sub": "repository_owner:evil:x"}, ""),
        ({"sub": "*b*"}, BRANCH | {"sub": "bob"}, {"sub": "bab"}, ""),
        ({"sub": "0*b*"}, BRANCH | {"sub": "0bob"}, {"sub": "0bab"}, ""),
        ({"sub": MAIN, "ref": "refs/*"}, BRANCH, PULL, "all values that match"),
        ({"sub": MAIN, "actor": "*"}, BRANCH, PULL, ""),
    ],
)  # fmt: skip
def test_a_pattern_under_equals_becomes_the_exact_value(
    tests: dict[str, Any], claims: dict[str, Any], others: dict[str, Any], also: str
) -> None:
    provider = str(claims.get("iss", f"https://{EKS}")).removeprefix("https://")
    keys = {key if ":" in key else f"{provider}:{key}": value for key, value in tests.items()}
    found = explained(allow({"StringEquals": {f"{provider}:aud": STS} | keys}, provider), **claims)
    [error] = [each for each in found.findings if each.severity == "error"]
    assert error.id == "P05"
    first, *second = error.fix.splitlines()
    assert first.startswith('"StringEquals": {')
    assert [line.partition(', "')[0] for line in second] == (
        [f"or, to allow {also}"] if also else []
    )
    assert found.fixed is not None
    assert set(found.fixed["Statement"][0]["Condition"]) == {"StringEquals"}
    assert explained(*found.fixed["Statement"], **claims).verdict == "allow"
    assert explained(*found.fixed["Statement"], **claims | others).verdict == "deny"


@pytest.mark.parametrize("audience", ["vault", "https://kubernetes.default.svc"])
def test_the_audience_of_another_token_is_not_the_exact_value(audience: str) -> None:
    found = explained(allow({"StringEquals": {SUB: READER, AUD: "*"}}), aud=[audience])
    [error] = [each for each in found.findings if each.severity == "error"]
    assert (error.id, error.fix) == ("P05", f'"StringEquals": {{"{AUD}": "{STS}"}}')
    assert found.fixed is None


@pytest.mark.parametrize(
    ("pattern", "sub", "provider"),
    [
        ("system:serviceaccount:prod:*", READER, EKS),
        ("repo:acme/app:*", MAIN, GITHUB),
        ("repo:acme/*:ref:refs/heads/main", MAIN, GITHUB),
    ],
)
def test_a_change_to_a_pattern_is_not_a_correction(
    pattern: str, sub: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {"StringLike": {f"{provider}:sub": pattern}, "StringEquals": {f"{provider}:aud": STS}}
    claims: Any = {"iss": f"https://{provider}", "sub": sub}
    # A pattern that the policy has itself stays as its author wrote it.
    wrong = allow(right, provider, Action="sts:AssumeRole")
    assert explained(wrong, **claims).fixed is not None

    def widen(document: dict[str, Any]) -> None:
        document["Statement"][0]["Condition"] = right

    monkeypatch.setattr("irsa_creds.diagnosis._explain.explain.changes", lambda *_: [widen])
    bad = {"StringEquals": {f"{provider}:sub": "x", f"{provider}:aud": STS}}
    assert explained(allow(bad, provider), **claims).fixed is None


def test_a_change_that_allows_the_token_for_the_api_server_is_not_a_correction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def add_audience(document: dict[str, Any]) -> None:
        both = [STS, "https://kubernetes.default.svc"]
        document["Statement"][0]["Condition"] = {"StringEquals": {SUB: READER, AUD: both}}

    monkeypatch.setattr("irsa_creds.diagnosis._explain.explain.changes", lambda *_: [add_audience])
    bad = allow({"StringEquals": {SUB: f"{READER}s", AUD: STS}})
    assert explained(bad).fixed is None


def test_no_correction_allows_every_pull_request() -> None:
    keys = {f"{GITHUB}:sub": MAIN, f"{GITHUB}:aud": STS}
    pull: Any = {"sub": "repo:acme/app:pull_request", "iss": f"https://{GITHUB}"}
    found = explained(allow({"StringEquals": keys}, GITHUB), **pull)
    [error] = found.findings
    assert (error.id, found.fixed) == ("P04", None)
    assert error.message.endswith("with this subject every pull request gets the role.")
    assert error.fix.startswith("To give every pull request the role:\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MAIN, "repo:acme@123/app@456:ref:refs/heads/main"),
        ("repo:acme/app:*", "repo:acme@123/app@456:*"),
        ("repo:acme/app*", ["repo:acme/app*", "repo:acme@123/app*"]),
        ("repo:acme/*", ["repo:acme/*", "repo:acme@123/*"]),
        ("repo:acme/*pp:ref:*", ["repo:acme/*pp:ref:*", "repo:acme@123/*pp@*:ref:*"]),
        (["repo:acme/lib:*", MAIN], ["repo:acme/lib:*", "repo:acme@123/app@456:ref:refs/heads/main"]),
    ],
)  # fmt: skip
def test_github_s_ids_come_into_the_pattern_and_the_rest_stays(before: Any, after: Any) -> None:
    keys = {"StringLike": {f"{GITHUB}:sub": before}, "StringEquals": {f"{GITHUB}:aud": STS}}
    sub = "repo:acme@123/app@456:ref:refs/heads/main"
    found = explained(allow(keys, GITHUB), iss=f"https://{GITHUB}", sub=sub)
    [error] = found.findings
    assert error.id == "P04"
    assert "has switched to immutable subjects" in error.message
    assert found.fixed is not None
    assert found.fixed["Statement"][0]["Condition"]["StringLike"] == {f"{GITHUB}:sub": after}
    assert json.dumps(after) in error.fix


def test_another_repository_with_the_same_names_is_not_let_in() -> None:
    before = "repo:acme@123/app@456:*"
    keys = {"StringLike": {f"{GITHUB}:sub": before}, "StringEquals": {f"{GITHUB}:aud": STS}}
    for sub in ("repo:acme@123/app@789:ref:x", "repo:acme@789/app@456:ref:x"):
        found = explained(allow(keys, GITHUB), iss=f"https://{GITHUB}", sub=sub)
        assert found.cause.startswith("sub differs: the ids differ, so GitHub has another organi")
        assert found.findings[0].fix.startswith("If you recreated it and trust the new one:")
        assert found.fixed is None


def test_names_without_the_ids_that_a_policy_requires_are_not_let_in() -> None:
    before = "repo:acme@123/app@456:*"
    keys = {"StringLike": {f"{GITHUB}:sub": before}, "StringEquals": {f"{GITHUB}:aud": STS}}
    found = explained(allow(keys, GITHUB), iss=f"https://{GITHUB}", sub=MAIN)
    assert found.cause.startswith("sub differs: the GitHub organization or repository has not swi")
    assert found.findings[0].fix.startswith("Switch it to immutable subjects in its settings, or:")
    assert found.fixed is None


@pytest.mark.parametrize("claim", ["job_workflow_ref", "environment", "event_name"])
def test_no_fix_removes_a_condition_on_a_claim_that_tells_jobs_apart(claim: str) -> None:
    wide = {f"{GITHUB}:sub": "repo:acme/*", f"{GITHUB}:{claim}": "x"}
    keys = {"StringLike": wide, "StringEquals": {f"{GITHUB}:aud": STS}}
    found = explained(allow(keys, GITHUB), iss=f"https://{GITHUB}", sub=MAIN)
    assert (found.verdict, found.fixed) == ("deny", None)
    for finding in found.findings:
        assert "emove the condition" not in finding.fix or f'sub": "{MAIN}"' in finding.fix


def test_a_key_of_another_call_is_replaced_where_no_subject_is_required() -> None:
    found = explained(allow({"StringEquals": {AUD: STS, "sts:ExternalId": "x"}}))
    assert found.fixed is None
    assert found.findings[0].fix == f'Replace it with "StringEquals": {{"{SUB}": "{READER}"}}'


MERGE = PULL | {"sub": "repo:acme/app:ref:refs/pull/7/merge"}
BY_EVENT = PULL | {"sub": "repo:acme/app:environment:prod", "event_name": "pull_request"}
GITLAB_MERGE = {
    "iss": "https://gitlab.com", "sub": "project_path:acme/app:ref_type:branch:ref:x",
    "pipeline_source": "merge_request_event",
}  # fmt: skip
PREVIEW = {
    "iss": "https://oidc.vercel.com/acme",
    "sub": "owner:acme:project:app:environment:preview",
}
API_SERVER = API


def main_only(provider: str, sub: str = MAIN, **tests: Any) -> dict[str, Any]:
    named = {"sub": sub, "aud": STS} | tests
    return allow({"StringEquals": {f"{provider}:{c}": v for c, v in named.items()}}, provider)


@pytest.mark.parametrize("claims", [PULL, MERGE, BY_EVENT, GITLAB_MERGE, PREVIEW, API_SERVER])
def test_nothing_is_corrected_for_a_token_of_a_pull_request_or_of_the_api_server(
    claims: dict[str, Any],
) -> None:
    provider = str(claims.get("iss", f"https://{EKS}")).removeprefix("https://")
    own = str(claims.get("sub", READER))
    for bad in (
        main_only(provider),
        main_only(provider, own[:-1]),
        main_only(provider, own) | {"Action": "sts:AssumeRole"},
        main_only(provider, own, namespace="x"),
        allow({"StringEquals": {f"{provider}:namespace": "x"}}, provider),
        allow({"StringEquals": {f"{provider}:sub": own}}, f"{provider}/"),
        main_only(OTHER, READER),
    ):
        found = explained(bad, **claims)
        assert (found.verdict, found.fixed) == ("deny", None), bad
        assert f'{AUD}": "https://kubernetes' not in str(found)
        for finding in found.findings:
            if claims is not API_SERVER and own in finding.fix:
                assert finding.fix.startswith("To give every pull request the role:\n")


@pytest.mark.parametrize(
    ("claim", "excepted", "claims"),
    [("sub", MAIN, PULL), ("sub", MAIN, {"iss": PULL["iss"], "sub": f"{MAIN}s"}), ("aud", STS, API_SERVER)],
)  # fmt: skip
def test_no_correction_touches_a_deny(claim: str, excepted: str, claims: dict[str, Any]) -> None:
    provider = str(claims.get("iss", f"https://{EKS}")).removeprefix("https://")
    deny = allow({"StringNotEquals": {f"{provider}:{claim}": excepted}}, provider, Effect="Deny")
    sound = allow({"StringLike": {f"{provider}:sub": ["repo:acme/app:*", READER]}}, provider)
    found = explained(sound, deny, **claims)
    assert (found.verdict, found.fixed, found.findings[0].statement) == ("deny", None, 2)


def test_the_issuer_as_audience_is_the_api_server_s_only_for_a_pod() -> None:
    claims: Any = {"iss": "https://gitlab.com", "aud": "https://gitlab.com"}
    sub = "project_path:acme/app:ref_type:branch:ref:main"
    bad = main_only("gitlab.com", f"{sub}s", aud="https://gitlab.com")
    found = explained(bad, sub=sub, **claims)
    assert found.fixed is not None
    added = explained(main_only(OTHER, READER), sub=sub, **claims)
    assert '"gitlab.com:aud": "https://gitlab.com"' in added.findings[0].fix
    assert explained(main_only(EKS, f"{READER}s"), aud=[f"https://{EKS}"]).fixed is None


def test_a_change_of_a_deny_is_not_a_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop_deny(document: dict[str, Any]) -> None:
        document["Statement"].pop()

    monkeypatch.setattr("irsa_creds.diagnosis._explain.explain.changes", lambda *_: [drop_deny])
    found = explained(OWN, allow({"StringEquals": {SUB: READER}}, Effect="Deny"))
    assert (found.verdict, found.fixed) == ("deny", None)


@pytest.mark.parametrize(
    ("condition", "sub"),
    [
        ({"StringEquals": {"$oidc_provider:sub": READER, "$oidc_provider:aud": STS}}, READER),
        ({"StringEquals": {"saml:aud": STS, "saml:sub": READER}}, READER),
        ({"StringEquals": {AUD: STS}, "Null": {SUB: "true"}}, READER),
        ({"StringEquals": {SUB: READER}, "Null": {AUD: "true"}}, READER),
        ({"StringEquals": {AUD: STS, SUB: READER}}, None),
        ({"StringEquals": {AUD: STS}, "StringNotEquals": {SUB: READER}}, READER),
    ],
)
def test_no_fix_removes_a_condition_on_sub_or_aud(condition: dict[str, Any], sub: Any) -> None:
    for aud in ([STS], None):
        for statements in ([allow(condition)], [OWN, allow(condition, Effect="Deny")]):
            for finding in explained(*statements, sub=sub, aud=aud).findings:
                assert not re.search(r"(?i)remove.*condition.*[: ]'?(sub|aud)\b", finding.fix)


@pytest.mark.parametrize(
    "audience",
    ["kubernetes.svc.default", "https://kubernetes.default.svc:443", f"https://{EKS}/"],
)
def test_each_spelling_of_the_api_server_s_audience_is_its_own(audience: str) -> None:
    found = explained(allow({"StringEquals": {SUB: f"{READER}s"}}), aud=[audience])
    assert (found.verdict, found.fixed) == ("deny", None)


@pytest.mark.parametrize(
    ("condition", "claims", "says"),
    [
        ({"StringLike": {SUB: "*"}, "StringNotLike": {SUB: "*:prod:*"}}, {}, "use another token."),
        (
            {"StringEquals": {SUB: READER}, "StringNotEquals": {AUD: API_SERVER["aud"]}},
            API_SERVER,
            "use a token for another audience, as sts.amazonaws.com.",
        ),
    ],
)
def test_no_fix_takes_an_exclusion_away(
    condition: dict[str, Any], claims: dict[str, Any], says: str
) -> None:
    [error] = [e for e in explained(allow(condition), **claims).findings if e.severity == "error"]
    assert error.fix == f"The policy excludes this token on purpose; {says}"


@pytest.mark.parametrize(
    ("tests", "claims"),
    [
        ({"StringNotEquals": {"sub": MAIN}}, PULL),
        ({"StringNotLike": {"ref": "refs/heads/main"}}, PULL | {"ref": "refs/pull/7/merge"}),
        ({"StringNotEquals": {"environment": "prod"}}, PULL),
        ({"Null": {"environment": "true"}}, PULL),
        ({"StringLike": {"sub": "*:pull_request"}}, PULL),
        (None, PULL),
        ({"StringNotEquals": {"aud": STS}}, API_SERVER),
        (None, API_SERVER),
        ({"StringNotEquals": {"sub": MAIN}}, {"iss": f"https://{GITHUB}", "sub": f"{MAIN}s"}),
        (None, {}),
    ],
)
def test_no_fix_makes_an_exception_to_a_deny(tests: Any, claims: dict[str, Any]) -> None:
    provider = str(claims.get("iss", f"https://{EKS}")).removeprefix("https://")
    keys = tests and {o: {f"{provider}:{c}": v for c, v in t.items()} for o, t in tests.items()}
    sound = allow({"StringLike": {f"{provider}:sub": ["repo:acme/app:*", READER]}}, provider)
    found = explained(sound, allow(keys, provider, Effect="Deny"), **claims)
    [error] = [each for each in found.findings if each.severity == "error"]
    untrusted = claims is API_SERVER or "pull" in str(claims)
    fix = "Use another token, or ask the owner of the policy."
    if tests and "aud" in str(tests):
        fix = f"Use a token for the audience '{STS}'."
    assert error.fix == ("It is denied on purpose. " if untrusted else "") + fix


def test_a_fix_with_the_ref_of_a_pull_request_says_so() -> None:
    keys = {f"{GITHUB}:ref": "refs/heads/main", f"{GITHUB}:aud": STS}
    wide = {"StringLike": {f"{GITHUB}:sub": "repo:acme/app:*"}, "StringEquals": keys}
    [error] = explained(allow(wide, GITHUB), **PULL, ref="refs/pull/7/merge").findings
    assert error.fix.startswith("To give every pull request the role:\n")


@pytest.mark.parametrize(
    "key", ["${OIDC_KEY}", "<KEY>", "__KEY__", "$KEY", "{{ .Values.key }}", "KEY"]
)
def test_a_key_that_is_wholly_a_placeholder_gets_the_claim_of_its_values(key: str) -> None:
    for tests in ({SUB: READER, key: STS}, {key: READER, AUD: STS}):
        found = explained(allow({"StringEquals": tests}))
        assert ids(found, "error") == ["P03"]
        assert found.fixed is not None
        assert found.fixed["Statement"] == [allow({"StringEquals": {SUB: READER, AUD: STS}})]
    denied = allow({"StringNotEquals": {key: "x"}}, Effect="Deny")
    assert explained(OWN, denied).findings[0].fix.endswith(f" -> {SUB}")


@pytest.mark.parametrize("key", [f"{EKS}:email", "aws:RequestTag/team"])
@pytest.mark.parametrize("wide", [{}, {"StringLike": {SUB: "system:serviceaccount:prod:*"}}])
def test_a_condition_that_alone_restricts_a_role_is_replaced(key: str, wide: Any) -> None:
    found = explained(allow(held(StringEquals={key: "x"}, **wide)))
    [error] = [each for each in found.findings if each.severity == "error"]
    assert f'"StringEquals": {{"{SUB}": "{READER}"}}' in error.fix
