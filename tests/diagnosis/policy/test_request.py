from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds import ConfigError, TokenError
from irsa_creds.diagnosis._policy.request import (
    UNKNOWN,
    AccessRequest,
    from_service_account,
    from_token,
)

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Truth, Values

HOST = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
ISSUER = f"https://{HOST}"
ROLE = "arn:aws:iam::123456789012:role/app"
SUBJECT = "system:serviceaccount:data:reader"
TAGS = "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"


def jwt(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


def values(key: str, issuer: str = ISSUER, **claims: Any) -> Values:
    return AccessRequest(issuer, claims).values(key)


@pytest.mark.parametrize("key", [f"{HOST}:sub", f"{HOST.upper()}:SUB"])
def test_a_claim_is_a_condition_key_in_any_case(key: str) -> None:
    assert values(key, sub=SUBJECT) == (SUBJECT,)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("x", ("x",)),
        ("", ("",)),
        (["x"], ("x",)),
        (["x", "y"], ("x", "y")),
        ([], None),
        (None, None),
        (7, ("7",)),
        (True, ("true",)),
        ({"a": "b"}, UNKNOWN),
        (["x", None], UNKNOWN),
    ],
)
def test_a_claim_has_values_as_text(claim: object, expected: Values) -> None:
    assert values(f"{HOST}:amr", amr=claim) == expected


@pytest.mark.parametrize(
    ("claims", "aud", "oaud"),
    [
        ({"aud": ["a"]}, ("a",), ("a",)),
        ({"aud": "a", "azp": "z"}, ("z",), ("a",)),
        ({"aud": ["a", "b"], "azp": "z"}, ("z",), ("a", "b")),
        ({"aud": ["a"], "azp": ""}, ("a",), ("a",)),
        ({"azp": "z"}, ("z",), None),
        ({"aud": ["a"], "oaud": "other"}, ("a",), ("a",)),
        ({}, None, None),
    ],
)
def test_aud_is_azp_if_the_token_has_it_and_oaud_is_always_aud(
    claims: dict[str, Any], aud: Values, oaud: Values
) -> None:
    # "Available keys for AWS OIDC federation", IAM User Guide, default mapping.
    assert values(f"{HOST}:aud", **claims) == aud
    assert values(f"{HOST}:oaud", **claims) == oaud


@pytest.mark.parametrize("name", ["iss", "exp", "kubernetes.io", "groups", "azp", "actor", ""])
def test_any_other_claim_is_absent_to_iam(name: str) -> None:
    assert values(f"{HOST}:{name}", **{name: "x"}) is None


@pytest.mark.parametrize(
    ("issuer", "name", "offered"),
    [
        ("token.actions.githubusercontent.com", "job_workflow_ref", True),
        ("token.actions.githubusercontent.com", "repository_owner_id", True),
        ("token.actions.githubusercontent.com", "email", True),
        ("token.actions.githubusercontent.com", "run_id", False),
        ("token.actions.githubusercontent.com/octo", "environment", True),
        ("token.actions.octo.ghe.com", "actor", True),
        ("github.com/enterprises/octo", "actor", True),
        ("github.com", "actor", False),
        ("gitlab.com", "namespace_id", True),
        ("gitlab.com", "user_login", True),
        ("GitLab.com", "namespace_id", True),
        ("gitlab.com", "project_path", False),
        ("gitlab.example.com", "namespace_id", False),
        ("agent.buildkite.com", "pipeline_slug", True),
        ("agent.octo.buildkite.dev", "pipeline_slug", True),
        ("oidc.circleci.com/org/1-2", "oidc.circleci.com/project-id", True),
        ("idcs-1.identity.oraclecloud.com", "rpst_id", True),
        (HOST, "namespace_id", False),
    ],
)
def test_listed_issuers_have_more_keys(issuer: str, name: str, *, offered: bool) -> None:
    expected = ("x",) if offered else None
    assert values(f"{issuer}:{name}", f"https://{issuer}", **{name: "x"}) == expected


def test_a_part_of_googles_claim_is_not_read() -> None:
    key = "accounts.google.com:google/organization_number"
    assert values(key, "https://accounts.google.com") is UNKNOWN


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("sts:ExternalId", None),
        ("sts:RoleSessionName", UNKNOWN),
        ("sts:RoleAuthorizedByIdp", UNKNOWN),
        ("aws:SourceIp", UNKNOWN),
        ("aws:PrincipalOrgID", UNKNOWN),
        ("aws:requesttag", UNKNOWN),
        ("aws:RequestTag/team", None),
        ("aws:TagKeys", None),
        ("sts:TransitiveTagKeys", None),
        ("sts:SourceIdentity", None),
        ("iam:ResourceTag/team", UNKNOWN),
        ("ec2:SourceInstanceARN", UNKNOWN),
        ("saml:aud", None),
        ("oidc.eks.eu-central-1.amazonaws.com/id/OTHER:sub", None),
        ("eu-central-1.oidc.eks.amazonaws.com/id/ABC:sub", None),
        ("graph.facebook.com:app_id", None),
        (f"https://{HOST}:sub", None),
        ("sub", None),
    ],
)
def test_other_keys_are_absent_or_known_to_aws_alone(key: str, expected: Values) -> None:
    assert values(key, sub=SUBJECT) == expected


def test_a_fact_is_a_value_and_none_is_absent() -> None:
    request = AccessRequest(
        ISSUER, facts={"sts:rolesessionname": ("app-0",), "aws:sourcevpc": None}
    )
    assert request.values("sts:RoleSessionName") == ("app-0",)
    assert request.values("aws:SourceVpc") is None


@pytest.mark.parametrize(
    "claims",
    [
        {TAGS: {"principal_tags": {"Team": ["data"]}, "transitive_tag_keys": ["Team"]}},
        {f"{TAGS}/principal_tags/Team": ["data"], f"{TAGS}/transitive_tag_keys": ["Team"]},
    ],
    ids=["one claim", "one claim for each"],
)
def test_session_tags_are_condition_keys_and_need_an_action(claims: dict[str, Any]) -> None:
    request = AccessRequest(ISSUER, claims)
    assert request.actions == ("sts:AssumeRoleWithWebIdentity", "sts:TagSession")
    assert request.values("aws:RequestTag/team") == ("data",)
    assert request.values("aws:RequestTag/other") is None
    assert request.values("aws:TagKeys") == ("Team",)
    assert request.values("sts:TransitiveTagKeys") == ("Team",)


def test_a_source_identity_is_a_condition_key_and_needs_an_action() -> None:
    request = AccessRequest(ISSUER, {SOURCE_IDENTITY: "ana"})
    assert request.actions == ("sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity")
    assert request.values("sts:SourceIdentity") == ("ana",)


@pytest.mark.parametrize("claims", [{}, {TAGS: "x"}, {TAGS: {}}, {TAGS: {"principal_tags": []}}])
def test_an_ordinary_token_needs_the_exchange_alone(claims: dict[str, Any]) -> None:
    assert AccessRequest(ISSUER, claims).actions == ("sts:AssumeRoleWithWebIdentity",)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("Federated", f"arn:aws:iam::123456789012:oidc-provider/{HOST}", True),
        ("Federated", f"arn:aws:iam::210987654321:oidc-provider/{HOST}", False),
        ("Federated", f"arn:aws-cn:iam::123456789012:oidc-provider/{HOST}", False),
        ("Federated", f"arn:aws:iam::123456789012:oidc-provider/https://{HOST}", False),
        ("Federated", f"arn:aws:iam::123456789012:oidc-provider/{HOST}/", False),
        ("Federated", f"arn:aws:iam::123456789012:oidc-provider/{HOST.lower()}", False),
        ("Federated", "arn:aws:iam::123456789012:oidc-provider/*", False),
        ("Federated", f"arn:aws:iam:eu-central-1:123456789012:oidc-provider/{HOST}", False),
        ("Federated", HOST, False),
        ("Federated", "", False),
        ("Federated", "*", None),
        ("AWS", f"arn:aws:iam::123456789012:oidc-provider/{HOST}", False),
        ("Service", "ec2.amazonaws.com", False),
        ("AWS", "*", None),
        ("*", "*", None),
    ],
)
def test_the_principal_is_the_issuers_provider_in_the_roles_account(
    kind: str, name: str, *, expected: Truth
) -> None:
    assert AccessRequest(ISSUER, role_arn=ROLE).trusts(kind, name) is expected


@pytest.mark.parametrize("account", ["123456789012", "210987654321"])
def test_without_a_role_any_account_may_be_its(account: str) -> None:
    name = f"arn:aws-cn:iam::{account}:oidc-provider/{HOST}"
    assert AccessRequest(ISSUER).trusts("Federated", name) is True


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("accounts.google.com", True),
        ("cognito-identity.amazonaws.com", True),
        ("cognito-identity-us-gov.amazonaws.com", True),
        ("cognito-identity.us-gov-east-1.amazonaws.com", True),
        (HOST, False),
    ],
)
def test_an_issuer_built_into_iam_is_named_by_its_host(issuer: str, *, expected: bool) -> None:
    assert AccessRequest(f"https://{issuer}").trusts("Federated", issuer) is expected


def test_an_arn_for_a_built_in_issuer_is_unknown() -> None:
    request = AccessRequest("https://accounts.google.com")
    arn = "arn:aws:iam::123456789012:oidc-provider/accounts.google.com"
    assert request.trusts("Federated", arn) is None
    assert request.trusts("Federated", f"{arn}s") is False


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        (f"http://{HOST}", False),
        (f"ftp://{HOST}", False),
        (HOST, False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1:8080/a", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("accounts.google.com", True),
    ],
)
def test_iam_has_providers_of_https_urls_alone_and_loopback_is_for_tests(
    issuer: str, *, expected: bool
) -> None:
    host = issuer.partition("://")[2] or issuer
    name = host if "google" in host else f"arn:aws:iam::123456789012:oidc-provider/{host}"
    request = AccessRequest(issuer)
    assert request.secure is expected
    assert request.trusts("Federated", name) is expected
    assert request.trusts("*", "*") is (None if expected else False)


@pytest.mark.parametrize(
    "issuer", ["", f"{ISSUER} ", f"{ISSUER}?a", f"http://{HOST}", "ftp://a.b", "https://", "a b"]
)
def test_a_cluster_s_issuer_is_the_url_of_a_provider(issuer: str) -> None:
    with pytest.raises(ConfigError, match="The issuer is"):
        from_service_account("data/reader", issuer=issuer)


def test_a_token_given_as_issuer_is_not_shown() -> None:
    token = jwt({"iss": ISSUER}).replace("e30.", "eyJhbGciOiJSUzI1NiJ9.")
    with pytest.raises(ConfigError, match="The issuer is") as caught:
        from_service_account("data/reader", issuer=token)
    assert token.split(".")[1] not in str(caught.value)


def test_a_sandbox_s_issuer_is_one_too() -> None:
    url = "http://127.0.0.1:8080"
    assert from_service_account("data/reader", issuer=url).issuer == url


def test_an_empty_audience_counts_as_absent() -> None:
    with pytest.raises(ConfigError, match="The audience is"):
        from_service_account("data/reader", issuer=ISSUER, audience="")


def test_the_cluster_may_be_in_any_region() -> None:
    request = AccessRequest(f"https://{HOST.replace('central', 'west')}", role_arn=ROLE)
    name = f"arn:aws:iam::123456789012:oidc-provider/{HOST.replace('central', 'west')}"
    assert request.trusts("Federated", name) is True


def test_a_token_makes_the_request() -> None:
    request = from_token(jwt({"iss": ISSUER, "sub": SUBJECT}) + "\n", role_arn=ROLE)
    assert request == AccessRequest(ISSUER, {"iss": ISSUER, "sub": SUBJECT}, ROLE)
    assert request.provider == HOST


@pytest.mark.parametrize("token", ["", "opaque-secret", "a.b.c", jwt([]), jwt({"iss": ISSUER}) * 9])
def test_a_token_that_is_not_a_jwt_is_rejected_without_showing_it(token: str) -> None:
    with pytest.raises(TokenError, match="is not a JWT") as caught:
        from_token(token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("claims", [{}, {"iss": ""}, {"iss": 7}])
def test_a_token_without_issuer_is_rejected(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenError, match="has no issuer"):
        from_token(jwt(claims))


@pytest.mark.parametrize("issuer", [ISSUER, HOST])
def test_a_service_account_makes_the_same_request_as_its_token(issuer: str) -> None:
    request = from_service_account("data/reader", issuer=issuer, role_arn=ROLE)
    claims = {"iss": ISSUER, "aud": ["sts.amazonaws.com"], "sub": SUBJECT}
    assert request == AccessRequest(ISSUER, claims, ROLE)
    other = from_service_account("data/reader", issuer=issuer, audience="vault")
    assert other.values(f"{HOST}:aud") == ("vault",)


@pytest.mark.parametrize(
    "name",
    [
        "", "reader", "data/", "/reader", "a/b/c", "Data/reader", "data/reader ", "data/*",
        "a.b/c", "a/c..d",
    ],
)  # fmt: skip
def test_a_service_account_has_a_namespace_and_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="use NAMESPACE/NAME"):
        from_service_account(name, issuer=ISSUER)


def test_a_roles_arn_must_be_one() -> None:
    with pytest.raises(ConfigError, match="The role is 'app'"):
        from_service_account("data/reader", issuer=ISSUER, role_arn="app")
    with pytest.raises(ConfigError, match="The role is"):
        from_token(jwt({"iss": ISSUER}), role_arn="arn:aws:iam::1:role/app")
