"""`explain`: does a trust policy let a token in, and if not, why and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import time
from typing import TYPE_CHECKING, Any, Literal

from irsa_creds._errors import ConfigError
from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.all_findings import changes, findings
from irsa_creds.diagnosis._explain.changes import mended, statement_of
from irsa_creds.diagnosis._explain.finding import Finding
from irsa_creds.diagnosis._explain.token_times import time_notes
from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.json_document import role_of
from irsa_creds.diagnosis._policy.parse import parse_policy
from irsa_creds.diagnosis._policy.request import from_service_account, from_token
from irsa_creds.diagnosis._policy.templates import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.diagnosis._explain.finding import Found
    from irsa_creds.diagnosis._policy.evaluate import Judged, Judgement
    from irsa_creds.diagnosis._policy.parse import Policy
    from irsa_creds.diagnosis._policy.request import Request

__all__ = ["CAVEAT", "Explanation", "Finding", "asking", "explain"]

#: What a trust policy cannot say.
CAVEAT = (
    "That is the trust policy alone: expiry, client ids, an SCP, RCP or endpoint policy may still "
    "refuse."
)
_MOST_AUDIENCES = 5
# Findings of a policy that lets in more than those whom it names.
_OPEN = ("P08", "P11")
# Parts of subjects that are the same in all of a kind.
_FIXED_PARTS = frozenset({"system", "serviceaccount", "repo", "project_path", "organization"})
_SAID = {
    "allow": "the trust policy allows",
    "deny": "the trust policy does not allow",
    "unknown": "it cannot be told from here whether the trust policy allows",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a trust policy lets a token in, and why.

    Attributes:
        verdict: "allow", "deny" or "unknown", of the trust policy alone.
        findings: what is wrong or worth knowing, the worst first.
        fixed: the corrected policy, where one change mends it; else None.
        asked: who asks for what, in words: subject, issuer, audience and role.
        nearest: the Allow statement that holds or comes nearest, as the policy has it; else None.
        statement: its number, from 1.
        notes: what makes STS refuse the token whatever the policy says.
    """

    verdict: Literal["allow", "deny", "unknown"]
    findings: tuple[Finding, ...]
    fixed: dict[str, Any] | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    nearest: Mapping[str, Any] | None = None
    statement: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Return the verdict as a sentence."""
        return f"{_SAID[self.verdict]} {self.asked.get('subject', 'the token')}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "schema": 1,
            "verdict": self.verdict,
            "findings": [finding.as_dict() for finding in self.findings],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.verdict}: {self.summary}"
        yield from (f"  {what}: {value}" for what, value in self.asked.items() if what != "subject")
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
) -> Explanation:
    """Say whether a role's trust policy lets a token in, and if not, why and what mends it.

    The verdict is about the trust policy alone: a service control policy or the policy of a VPC
    endpoint may still refuse. What only AWS can know makes it "unknown". Nothing is asked of AWS,
    and the token's signature is not looked at.

    Args:
        policy: the trust policy, as JSON or as a mapping; what `aws iam get-role` prints will do.
        token: the web identity token itself; or instead of it the next three.
        service_account: "NAMESPACE/NAME".
        issuer: the cluster's, "https://...".
        audience: the token's `aud`; None: that of the pod identity webhook.
        role_arn: of the role, for its account and partition; None: that of GetRole's response, or
            else they are not compared.

    Raises:
        PolicyError: the policy is none.
        TokenError: the token is no JWT, or names no issuer.
        ConfigError: neither or both of token and service account are given, or one of the others is
            not what it is meant to be.
    """
    role = role_of(policy) if role_arn is None else role_arn
    request = asking(token, service_account, issuer, audience, role)
    parsed = parse_policy(policy)
    judgement = judge(parsed, request)
    found = findings(parsed, request, judgement)
    fixed = _fixed(parsed, request, judgement, found) if judgement.verdict != "allow" else None
    return _explanation(parsed, request, judgement, tuple(each.finding for each in found), fixed)


def _fixed(
    policy: Policy, request: Request, judgement: Judgement, found: tuple[Found, ...]
) -> dict[str, Any] | None:
    """Return the corrected policy, if there is one that lets in nobody but whom it names."""
    tests = _tests(policy)
    nobody = _nobody(request)
    closed = judge(policy, nobody).verdict == "deny"

    def sound(changed: Policy) -> bool:
        after = judge(changed, request)
        if any(each.finding.id in _OPEN for each in findings(changed, request, after)):
            return False
        if closed and judge(changed, nobody).verdict != "deny":
            return False
        # A test that is gone restricts nobody any longer, unless the subjects are listed.
        return _tests(changed) >= tests or (after.nearest is not None and _names(after.nearest))

    def _names(nearest: Judged) -> bool:
        subject = f"{request.provider}:sub".lower()
        return any(
            (test.operator.lower(), test.key.lower()) == ("stringequals", subject)
            for test, _ in nearest.conditions
        )

    return mended(policy, request, changes(policy, request, judgement, found), sound)


def _nobody(request: Request) -> Request:
    """Return the request of somebody else with a token of the same issuer and audience."""
    subject = str(request.claims.get("sub"))
    parts = [part if part in _FIXED_PARTS else "0nobody0" for part in subject.split(":")]
    kept = {name: request.claims[name] for name in ("iss", "aud", "azp") if name in request.claims}
    return replace(request, claims=kept | {"sub": ":".join(parts)})


def _tests(policy: Policy) -> int:
    return sum(len(statement.conditions) for statement in policy.statements)


def asking(
    token: str | None,
    service_account: str | None,
    issuer: str | None,
    audience: str | None,
    role: str | None,
) -> Request:
    """Return who asks, by the arguments of `explain`."""
    if token is not None:
        if service_account is not None or issuer is not None or audience is not None:
            raise ConfigError("A token says who asks: give no service account, issuer or audience.")
        return from_token(token, role_arn=role)
    if service_account is None or issuer is None:
        raise ConfigError("Give a token, or a service account and the cluster's issuer.")
    wanted = AUDIENCE if audience is None else audience
    return from_service_account(service_account, issuer=issuer, audience=wanted, role_arn=role)


def _explanation(
    policy: Policy,
    request: Request,
    judgement: Judgement,
    found: tuple[Finding, ...],
    fixed: dict[str, Any] | None,
) -> Explanation:
    nearest = judgement.nearest.statement.index if judgement.nearest else None
    return Explanation(
        verdict=judgement.verdict,
        findings=found,
        fixed=fixed,
        asked=_asked(request),
        nearest=None if nearest is None else statement_of(policy.document, nearest),
        statement=None if nearest is None else nearest + 1,
        notes=time_notes(request.claims, time()),
    )


def _asked(request: Request) -> dict[str, str]:
    """Return who asks for what, in words; claims may be anything that JSON has."""
    subject, audience = (request.claims.get(claim) for claim in ("sub", "aud"))
    audiences = audience if isinstance(audience, list) else [audience]
    asked = {
        "subject": quoted(subject) if isinstance(subject, str) else "a token without subject",
        "issuer": quoted(request.issuer),
        "audience": ", ".join(map(quoted, audiences[:_MOST_AUDIENCES])) if audience else "none",
    }
    role = (
        quoted(request.role_arn)
        if request.role_arn
        else "not known, so its account is not compared"
    )
    return asked | {"role": role}
