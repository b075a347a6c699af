"""`explain`: whether a trust policy allows a token, and if not, the cause and the fix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import time
from typing import TYPE_CHECKING, Any, Literal

from irsa_creds._errors import ConfigError
from irsa_creds._identity.claims import POD_IDENTITY
from irsa_creds._masking import clean_text, quoted
from irsa_creds.diagnosis._explain.all_findings import changes, findings
from irsa_creds.diagnosis._explain.changes import corrected, statement_of
from irsa_creds.diagnosis._explain.finding import Finding, split_key
from irsa_creds.diagnosis._explain.github_subjects import without_ids
from irsa_creds.diagnosis._explain.pod_identity import (
    CAUSES,
    pod_identity_findings,
    pod_identity_request,
)
from irsa_creds.diagnosis._explain.strangers import let_in, near_subjects, unrelated_subjects
from irsa_creds.diagnosis._explain.token_times import time_notes
from irsa_creds.diagnosis._explain.untrusted_tokens import is_of_api_server, is_of_pull_request
from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.json_document import role_of
from irsa_creds.diagnosis._policy.parse import parse_policy
from irsa_creds.diagnosis._policy.request import from_service_account, from_subject, from_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.diagnosis._explain.finding import Found
    from irsa_creds.diagnosis._policy.evaluate import Judged, Judgement
    from irsa_creds.diagnosis._policy.parse import Condition, Policy, Statement
    from irsa_creds.diagnosis._policy.pod_identity import PodIdentityRequest
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["CAVEAT", "Explanation", "Finding", "explain", "request_of"]

#: The last line of the text output.
CAVEAT = (
    "Not checked: the token's signature, the OIDC provider in IAM, SCPs, RCPs, endpoint policies."
)
_MOST_AUDIENCES = 5
# Findings about a policy that also allows identities that it does not name.
_BROAD = ("P08", "P11")
_API_SERVER = "https://kubernetes.default.svc"  # the audience of EKS's own API server
_CAUSES = {
    "P01": "no statement allows sts:AssumeRoleWithWebIdentity",
    "P02": "the issuer is not trusted",
    "P03": "a condition key names another issuer",
    "P04": "a condition does not match",
    "P05": "a wildcard stands under Equals",
    "P06": "the audience does not match",
    "P07": "a condition key is absent",
    "P09": "a condition key does not exist",
    "P10": "an action for session tags or source identity is not allowed",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a trust policy allows a token, and why.

    Attributes:
        verdict: "allow", "deny" or "unknown"; it covers the trust policy only.
        findings: the problems and remarks, the worst first.
        fixed: the corrected policy if one change fixes it, else None.
        asked: the request in words: subject, issuer, audience and role.
        nearest: the Allow statement that applies or comes nearest, as written; None without one.
        statement: the number of that statement, from 1.
        notes: reasons for STS to deny the token independently of the policy.
        cause: the main reason of a "deny" or "unknown" in a few words; empty for "allow".
    """

    verdict: Literal["allow", "deny", "unknown"]
    findings: tuple[Finding, ...]
    fixed: dict[str, Any] | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    nearest: Mapping[str, Any] | None = None
    statement: int | None = None
    notes: tuple[str, ...] = ()
    cause: str = ""

    @property
    def summary(self) -> str:
        """Return the verdict, its scope, and the cause, in one line."""
        if self.verdict == "deny":
            return f"DENY  {self.cause}"
        cause = f": {self.cause}" if self.cause else ""
        warnings = dict.fromkeys(each.id for each in self.findings if each.severity == "warning")
        if self.verdict == "allow" and warnings:
            cause = f", with a warning ({', '.join(warnings)})"
        notes = f", but {'; '.join(self.notes)}" if self.notes else ""
        return f"{self.verdict.upper()} (trust policy only){cause}{notes}"

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "schema": 1,
            "verdict": self.verdict,
            "findings": [finding.as_dict() for finding in self.findings],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.summary
        yield from (f"  {what}: {value}" for what, value in self.asked.items())
        yield from (f"  note: {note}" for note in self.notes)
        for finding in self.findings:
            yield f"  {finding.id} {finding.severity}: {finding.message}"
            yield from (f"      {line}" for line in finding.fix.splitlines())
        yield CAVEAT


def explain(
    policy: str | Mapping[str, Any],
    *,
    token: str | None = None,
    service_account: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
    role_arn: str | None = None,
    pod_identity: bool = False,
    subject: str | None = None,
) -> Explanation:
    """Evaluate a role's trust policy for a token, and explain a denial.

    The verdict covers the trust policy only: a service control policy or a VPC endpoint policy may
    still deny. It is "unknown" if it depends on values that only AWS knows. `explain` calls no AWS
    service and does not verify the token's signature.

    Args:
        policy: the trust policy, or the output of `aws iam get-role`, as JSON or as a mapping.
        token: the web identity token; give either it, or a service account with its issuer, or a
            subject.
        service_account: "NAMESPACE/NAME".
        issuer: the URL of the cluster's OIDC issuer.
        audience: the token's `aud`; None means the default of the Pod Identity webhook, or for a
            subject of GitLab the issuer.
        role_arn: gives account and partition. None takes the ARN in the output of `get-role`;
            without one, account and partition are not compared.
        pod_identity: whether EKS Pod Identity may assume the role for the service account; its
            requests have no issuer and no audience.
        subject: the token's `sub`, such as "repo:ORG/NAME:ref:refs/heads/main" for GitHub Actions.
            One that is not of github.com or gitlab.com needs its issuer. The token's other claims
            are not known.

    Raises:
        PolicyError: the policy is invalid.
        TokenError: the token is not a JWT, or has no issuer.
        ConfigError: none or several of token, service account and subject are given, or an
            argument is malformed.
    """
    role = role_of(policy) if role_arn is None else role_arn
    if pod_identity:
        if issuer is not None or audience is not None or subject is not None:
            raise ConfigError(
                "EKS Pod Identity's requests have no issuer, audience and subject; give a service "
                "account."
            )
        return _of_pod_identity(policy, pod_identity_request(token, service_account), role)
    request = request_of(token, service_account, issuer, audience, role, subject=subject)
    parsed = parse_policy(policy)
    judgement = judge(parsed, request)
    found = findings(parsed, request, judgement)
    fixed = _fixed(parsed, request, judgement, found) if judgement.verdict != "allow" else None
    return _explanation(parsed, request, judgement, found, fixed)


def _of_pod_identity(
    policy: str | Mapping[str, Any], request: PodIdentityRequest, role: str | None
) -> Explanation:
    parsed = parse_policy(policy)
    judgement = judge(parsed, request)
    found = pod_identity_findings(judgement, request)
    nearest = judgement.nearest.statement.index if judgement.nearest else None
    cause = ""
    if judgement.verdict == "deny":
        cause = f"{CAUSES[found[0].id]} ({found[0].id})"
    elif judgement.verdict == "unknown":
        cause = "only AWS can decide"
    return Explanation(
        verdict=judgement.verdict,
        findings=found,
        asked={
            "service": POD_IDENTITY,
            "account": quoted(f"{request.namespace}/{request.account}"),
            "role": quoted(role) if role else "not given",
        },
        nearest=None if nearest is None else statement_of(parsed.document, nearest),
        statement=None if nearest is None else nearest + 1,
        cause=cause,
    )


def _fixed(
    policy: Policy, request: AccessRequest, judgement: Judgement, found: tuple[Found, ...]
) -> dict[str, Any] | None:
    """Return the corrected policy if one change fixes it and allows no other identity."""
    conditions = _count_conditions(policy)
    denied = [each for each in _strangers(policy, request) if judge(policy, each).verdict == "deny"]
    untrusted = is_of_pull_request(request) or is_of_api_server(request)

    def is_safe(changed: Policy) -> bool:
        if untrusted or _denies(changed) != _denies(policy):
            return False
        after = judge(changed, request)
        if any(each.finding.id in _BROAD for each in findings(changed, request, after)):
            return False
        if any(judge(changed, each).verdict != "deny" for each in denied):
            return False
        # A removed condition may widen the policy, unless the subjects are listed.
        if _count_conditions(changed) >= conditions:
            return True
        return after.nearest is not None and lists_subjects(after.nearest)

    def lists_subjects(nearest: Judged) -> bool:
        subject = f"{request.provider}:sub".lower()
        return any(
            (test.operator.lower(), test.key.lower()) == ("stringequals", subject)
            for test, _ in nearest.conditions
        )

    return corrected(policy, request, changes(policy, request, judgement, found), is_safe)


def _strangers(policy: Policy, request: AccessRequest) -> Iterator[AccessRequest]:
    """Yield requests like this one of other identities that the policy does not name itself."""
    subject = request.subject
    kept = {name: request.claims[name] for name in ("iss", "aud", "azp") if name in request.claims}
    patterns = tuple(
        value
        for condition in _allow_conditions(policy)
        if condition.parsed_operator.name == "StringLike"
        for value in condition.values
    )
    for other in near_subjects(subject).values():
        # Immutable subjects have ids behind the names.
        if not let_in(patterns, other) and not let_in(patterns, without_ids(other)):
            yield replace(request, claims=kept | {"sub": other})
    for other in unrelated_subjects(subject):
        yield replace(request, claims=kept | {"sub": other})
    claims = [split_key(condition.key)[1].lower() for condition in _allow_conditions(policy)]
    if "aud" in claims:
        yield replace(request, claims={"sub": subject, "aud": _API_SERVER})


def _allow_conditions(policy: Policy) -> list[Condition]:
    return [each for one in policy.statements if one.effect == "Allow" for each in one.conditions]


def _denies(policy: Policy) -> list[Statement]:
    return [each for each in policy.statements if each.effect == "Deny"]


def _count_conditions(policy: Policy) -> int:
    return sum(len(statement.conditions) for statement in policy.statements)


def request_of(
    token: str | None,
    service_account: str | None,
    issuer: str | None,
    audience: str | None,
    role: str | None,
    *,
    subject: str | None = None,
) -> AccessRequest:
    """Return the request that the arguments of `explain` describe."""
    if token is not None:
        if (service_account, issuer, audience, subject) != (None, None, None, None):
            raise ConfigError(
                "Give either a token, or service account, issuer and audience, or a subject."
            )
        return from_token(token, role_arn=role)
    if subject is not None and service_account is None:
        return from_subject(subject, issuer=issuer, audience=audience, role_arn=role)
    if service_account is None or issuer is None or subject is not None:
        raise ConfigError(
            "Give a token, or a service account and the issuer of the cluster, or a subject."
        )
    return from_service_account(service_account, issuer=issuer, audience=audience, role_arn=role)


def _explanation(
    policy: Policy,
    request: AccessRequest,
    judgement: Judgement,
    found: tuple[Found, ...],
    fixed: dict[str, Any] | None,
) -> Explanation:
    nearest = judgement.nearest.statement.index if judgement.nearest else None
    return Explanation(
        verdict=judgement.verdict,
        findings=tuple(each.finding for each in found),
        fixed=fixed,
        asked=_in_words(request),
        nearest=None if nearest is None else statement_of(policy.document, nearest),
        statement=None if nearest is None else nearest + 1,
        notes=time_notes(request.claims, time()),
        cause=clean_text(_cause(policy, judgement, found)),
    )


def _cause(policy: Policy, judgement: Judgement, found: tuple[Found, ...]) -> str:
    if judgement.verdict == "allow":
        return ""
    if judgement.verdict == "unknown":
        return found[0].cause or "only AWS can decide"
    first, cause = found[0].finding, found[0].cause
    index = None if first.statement is None else first.statement - 1
    if index is not None and policy.statements[index].effect == "Deny":
        return f"{policy.statements[index].name} denies it ({first.id})"
    return f"{cause or _CAUSES[first.id]} ({first.id})"


def _in_words(request: AccessRequest) -> dict[str, str]:
    """Return the request in words; a claim may have any type that JSON has."""
    subject, audience = (request.claims.get(claim) for claim in ("sub", "aud"))
    audiences = audience if isinstance(audience, list) else [audience]
    asked = {
        "subject": quoted(subject) if isinstance(subject, str) else "none",
        "issuer": quoted(request.issuer),
        "audience": ", ".join(map(quoted, audiences[:_MOST_AUDIENCES])) if audience else "none",
    }
    role = (
        quoted(request.role_arn)
        if request.role_arn
        else "not given, so account and partition are not compared"
    )
    return asked | {"role": role}
