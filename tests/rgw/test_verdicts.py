"""The evaluator of `irsa-creds explain` against the gateway's, on the same policy and token.

irsa-creds follows AWS's documentation; the table lists where Ceph (18.2.7) differs, and why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.parse import parse_policy
from irsa_creds.diagnosis._policy.request import AccessRequest
from irsa_creds.testing import Issuer
from rgw.ceph import ACCOUNT
from rgw.pod import AUDIENCE, SESSION_NAME, SUBJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rgw.ceph import Cluster

pytestmark = pytest.mark.real

ACTION = "sts:AssumeRoleWithWebIdentity"
ROLE = "verdicts"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"


class Verdicts(NamedTuple):
    ours: str
    ceph: str


@dataclass(frozen=True, slots=True)
class EvaluatedRole:
    """A role of the gateway, whose trust policy each case replaces."""

    ceph: Cluster
    issuer: Issuer

    @property
    def host(self) -> str:
        return self.issuer.url.removeprefix("http://")

    @property
    def provider(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.host}"

    def statement(self, condition: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return an Allow statement with the issuer's host for HOST."""
        found = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ACTION,
            "Condition": condition,
        } | changes
        placed: dict[str, Any] = json.loads(json.dumps(found).replace("HOST", self.host))
        return placed

    def verdicts(self, claims: dict[str, Any], *statements: dict[str, Any]) -> Verdicts:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        all_claims = {"aud": [AUDIENCE], "sub": SUBJECT} | claims
        request = AccessRequest(self.issuer.url, all_claims, ROLE_ARN)
        return Verdicts(
            judge(parse_policy(document), request).verdict, self._ceph(document, all_claims)
        )

    def _ceph(self, document: str, claims: dict[str, Any]) -> str:
        self.ceph.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=document)
        try:
            self.ceph.sts.assume_role_with_web_identity(
                RoleArn=ROLE_ARN,
                RoleSessionName=SESSION_NAME,
                WebIdentityToken=self.issuer.token(**claims),
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return "deny" if status == HTTPStatus.FORBIDDEN else f"status {status}"
        return "allow"


@pytest.fixture(scope="module")
def role(ceph: Cluster) -> Iterator[EvaluatedRole]:
    with Issuer().serve() as issuer:
        role = EvaluatedRole(ceph, issuer)
        ceph.iam.create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=[AUDIENCE], ThumbprintList=["0" * 40]
        )
        policy = json.dumps({"Version": "2012-10-17", "Statement": [role.statement({})]})
        ceph.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=policy)
        yield role
        ceph.iam.delete_role(RoleName=ROLE)
        ceph.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=role.provider)


POSITIVE = ["StringEquals", "StringEqualsIgnoreCase", "StringLike"]
NEGATED = ["StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike"]
PLAIN = ("{}", "{}IfExists")
ANY = ("ForAnyValue:{}", "ForAnyValue:{}IfExists")
ALL = ("ForAllValues:{}", "ForAllValues:{}IfExists")
# The claim `amr` against a policy with the values "m" and "n".
CLAIMS: dict[str, dict[str, Any]] = {
    "absent": {},
    "one that matches": {"amr": "m"},
    "a list of one that matches": {"amr": ["m"]},
    "one that does not": {"amr": "o"},
    "one of two": {"amr": ["m", "o"]},
    "two that match": {"amr": ["m", "n"]},
    "two that do not": {"amr": ["o", "p"]},
    "an empty text": {"amr": ""},
}
UNDEFINED = "AWS does not document operators without a quantifier for several values."
EMPTY = "An empty text is nothing to AWS's sets, and a value to Ceph's."
ABSENT = "Without the key, AWS's negated operators are true, and Ceph's are false."
ANY_IF_EXISTS = "Behind ForAnyValue AWS's IfExists changes nothing; Ceph's lets an absent key pass."
ONE_DIFFERS = "AWS's negated operators require that no value matches; Ceph's, that one does not."
NEGATED_SETS = "Ceph's quantified negated operators are never true."
SEVERAL = ("one of two", "two that match", "two that do not")

# (negated, operator's form, claims): irsa-creds's verdict, Ceph's, and the reason.
DIFFERENCES: dict[tuple[bool, str, str], tuple[Verdicts, str]] = {
    **{(False, form, name): (Verdicts("unknown", "allow"), UNDEFINED)
       for form in PLAIN for name in SEVERAL[:2]},
    **{(False, form, SEVERAL[2]): (Verdicts("unknown", "deny"), UNDEFINED) for form in PLAIN},
    **{(False, form, "an empty text"): (Verdicts("allow", "deny"), EMPTY) for form in ALL},
    **{(True, form, "absent"): (Verdicts("allow", "deny"), ABSENT)
       for form in (PLAIN[0], *ALL)},
    (False, ANY[1], "absent"): (Verdicts("deny", "allow"), ANY_IF_EXISTS),
    **{(True, form, name): (Verdicts("deny", "allow"), ONE_DIFFERS)
       for form in PLAIN for name in ("one that matches", "a list of one that matches")},
    **{(True, form, name): (Verdicts("unknown", "allow"), UNDEFINED)
       for form in PLAIN for name in SEVERAL},
    **{(True, form, name): (Verdicts("allow", "deny"), NEGATED_SETS)
       for form in ANY for name in ("one that does not", "one of two", "two that do not")},
    **{(True, form, name): (Verdicts("allow", "deny"), NEGATED_SETS)
       for form in ALL for name in ("one that does not", "two that do not", "an empty text")},
}  # fmt: skip


@pytest.mark.parametrize("form", [*PLAIN, *ANY, *ALL])
@pytest.mark.parametrize("operator", [*POSITIVE, *NEGATED])
def test_string_operators_agree_except_for_the_listed_cases(
    role: EvaluatedRole, operator: str, form: str
) -> None:
    statement = role.statement({form.format(operator): {"HOST:amr": ["m", "n"]}})
    for name, claims in CLAIMS.items():
        found = role.verdicts(claims, statement)
        listed = DIFFERENCES.get((operator in NEGATED, form, name))
        if listed:
            assert found == listed[0], f"{name}: {listed[1]}"
        else:
            assert found.ours == found.ceph, name


@pytest.mark.parametrize(
    ("operator", "wanted", "claim", "verdict"),
    [
        ("StringEquals", "*", "m", "deny"),
        ("StringEquals", "M", "m", "deny"),
        ("StringEqualsIgnoreCase", "M", "m", "allow"),
        ("StringLike", "m*", "many", "allow"),
        ("StringLike", "M*", "many", "deny"),
        ("StringLike", "?", "m", "allow"),
        ("StringLike", "?", "many", "deny"),
        ("StringNotEquals", "m", "m", "deny"),
        ("StringNotEquals", "m", "o", "allow"),
        ("StringNotLike", "m*", "many", "deny"),
        ("StringEquals", "${HOST:sub}", SUBJECT, "allow"),
        ("StringLike", "m${*}", "many", "deny"),
        ("NumericEquals", "5", 5, "allow"),
        ("NumericEquals", "5", "4", "deny"),
        ("NumericLessThan", "5", "4", "allow"),
        ("NumericLessThan", "5", "5", "deny"),
        ("NumericGreaterThan", "4", "5", "allow"),
        ("DateLessThan", "2030-01-01", "2026-01-01", "allow"),
        ("Bool", "true", True, "allow"),
        ("IpAddress", "10.0.0.0/8", "10.1.1.1", "allow"),
        ("Null", "true", "m", "deny"),
        ("Null", "true", None, "allow"),
    ],
)
def test_other_operators_agree(
    role: EvaluatedRole, operator: str, wanted: str, claim: object, verdict: str
) -> None:
    statement = role.statement({operator: {"HOST:amr": wanted}})
    claims = {} if claim is None else {"amr": claim}
    assert role.verdicts(claims, statement) == Verdicts(verdict, verdict)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "allow"),
        ({"Action": "sts:*"}, "allow"),
        ({"Action": "STS:assumerolewithwebidentity"}, "allow"),
        ({"Action": "sts:AssumeRole"}, "deny"),
        ({"Action": ["sts:AssumeRole", ACTION]}, "allow"),
        ({"Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/other"}}, "deny"),
        ({"Condition": {"StringEquals": {"HOST:sub": ["x", SUBJECT]}}}, "allow"),
        ({"Condition": {"StringEquals": {"HOST:sub": SUBJECT, "HOST:aud": "x"}}}, "deny"),
        ({"Condition": {"StringEquals": {"HOST:sub": SUBJECT.upper()}}}, "deny"),
        ({"Condition": {"StringEquals": {"other.example/id/A:sub": SUBJECT}}}, "deny"),
        ({"Condition": {"Null": {"sts:ExternalId": "true"}}}, "allow"),
        ({"Effect": "Deny"}, "deny"),
    ],
)
def test_statements_agree(role: EvaluatedRole, changes: dict[str, Any], verdict: str) -> None:
    statement = role.statement({}, **changes)
    assert role.verdicts({}, statement) == Verdicts(verdict, verdict)


def test_a_deny_takes_precedence_with_both(role: EvaluatedRole) -> None:
    allow, deny = role.statement({}), role.statement({}, Effect="Deny")
    other = role.statement({"StringEquals": {"HOST:sub": "x"}}, Effect="Deny")
    for statements in ([allow, deny], [deny, allow]):
        assert role.verdicts({}, *statements) == Verdicts("deny", "deny")
    assert role.verdicts({}, allow, other) == Verdicts("allow", "allow")


@pytest.mark.parametrize(
    ("changes", "claims", "verdicts", "why"),
    [
        (
            {"Condition": {"StringEquals": {"HOST:SUB": SUBJECT}}},
            {},
            Verdicts("allow", "deny"),
            "Condition keys have a case with Ceph, and none with AWS.",
        ),
        (
            {"Condition": {"StringEquals": {"HOST:groups": "g"}}},
            {"groups": "g"},
            Verdicts("deny", "allow"),
            "Ceph offers every claim as a condition key, AWS only a few.",
        ),
        (
            {"Condition": {"StringEquals": {"HOST:aud": "client"}}},
            {"azp": "client"},
            Verdicts("allow", "deny"),
            "AWS's aud is the claim azp where the token has it.",
        ),
        (
            {"Condition": {"StringEquals": {"HOST:oaud": AUDIENCE}}},
            {},
            Verdicts("allow", "deny"),
            "Ceph has no key oaud.",
        ),
        (
            {"Condition": {"Null": {"HOST:sub": "false"}}},
            {},
            Verdicts("allow", "deny"),
            "Ceph's Null ignores its value: it is true if the key is absent.",
        ),
        (
            {"Condition": {"ArnLike": {"HOST:amr": "arn:aws:iam::*:role/*"}}},
            {"amr": "arn:aws:iam::1:role/x"},
            Verdicts("allow", "deny"),
            "Ceph finds no match, and gives no reason.",
        ),
        (
            {"Condition": {"BinaryEquals": {"HOST:amr": "bQ=="}}},
            {"amr": "m"},
            Verdicts("allow", "deny"),
            "The policy's base64 encodes the claim's text; Ceph finds no match.",
        ),
        (
            {"Principal": "*"},
            {},
            Verdicts("unknown", "deny"),
            "AWS does not document whether a wildcard principal includes web identities.",
        ),
        (
            {"Principal": {"Federated": "arn:aws:iam::210987654321:oidc-provider/HOST"}},
            {},
            Verdicts("deny", "allow"),
            "Ceph does not look at the provider's account.",
        ),
    ],
)
def test_other_differences(
    role: EvaluatedRole,
    changes: dict[str, Any],
    claims: dict[str, Any],
    verdicts: Verdicts,
    why: str,
) -> None:
    assert role.verdicts(claims, role.statement({}, **changes)) == verdicts, why
