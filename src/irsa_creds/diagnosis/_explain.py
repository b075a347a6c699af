"""`explain`: does a trust policy let a token in, and if not, why and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from irsa_creds._arn import role_arn as checked_role_arn
from irsa_creds._errors import ConfigError
from irsa_creds._validate import shown
from irsa_creds.diagnosis._evaluate import judge
from irsa_creds.diagnosis._findings import changes, findings
from irsa_creds.diagnosis._findings_base import Finding
from irsa_creds.diagnosis._fix import mended, statement_of
from irsa_creds.diagnosis._made import AUDIENCE
from irsa_creds.diagnosis._policy import parse_policy
from irsa_creds.diagnosis._request import from_service_account, from_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from irsa_creds.diagnosis._evaluate import Judgement
    from irsa_creds.diagnosis._findings_base import Found
    from irsa_creds.diagnosis._policy import Policy
    from irsa_creds.diagnosis._request import Request

__all__ = ["CAVEAT", "Explanation", "Finding", "explain"]

#: What a trust policy cannot say.
CAVEAT = (
    "That is the trust policy alone: an SCP, an RCP or a VPC endpoint's policy may still refuse."
)
_MOST_AUDIENCES = 5
_OPEN = ("P08", "P11")
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
        asked: who asks for what, in words: subject, issuer, audience, and the role if it is known.
        nearest: the Allow statement that holds or comes nearest, as the policy has it; else None.
        statement: its number, from 1.
    """

    verdict: Literal["allow", "deny", "unknown"]
    findings: tuple[Finding, ...]
    fixed: dict[str, Any] | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    nearest: Mapping[str, Any] | None = None
    statement: int | None = None

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
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.verdict}: {self.summary}"
        yield from (f"  {what}: {value}" for what, value in self.asked.items() if what != "subject")
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
        role_arn: of the role, for its account and partition; None: they are not compared.

    Raises:
        PolicyError: the policy is none.
        TokenError: the token is no JWT, or names no issuer.
        ConfigError: neither or both of token and service account are given, or one of the others is
            not what it is meant to be.
    """
    role = None if role_arn is None else checked_role_arn(role_arn, "role_arn", aws=False)
    request = _request(token, service_account, issuer, audience, role)
    parsed = parse_policy(policy)
    judgement = judge(parsed, request)
    found = findings(parsed, request, judgement)
    fixed = _fixed(parsed, request, judgement, found) if judgement.verdict != "allow" else None
    return _explanation(parsed, request, judgement, tuple(each.finding for each in found), fixed)


def _fixed(
    policy: Policy, request: Request, judgement: Judgement, found: tuple[Found, ...]
) -> dict[str, Any] | None:
    """Return the corrected policy; one that opens the role to anybody is no correction.

    A role that its author has opened may be mended, in all but its conditions.
    """
    open_already = sum(each.finding.id in _OPEN for each in found)
    tests = _tests(policy)

    def sound(changed: Policy) -> bool:
        after = findings(changed, request, judge(changed, request))
        open_now = sum(each.finding.id in _OPEN for each in after)
        kept = _tests(changed)
        return (
            not open_now or kept == tests or (open_now <= open_already and len(kept) == len(tests))
        )

    return mended(policy, request, changes(policy, request, judgement, found), sound)


def _tests(policy: Policy) -> list[tuple[str, tuple[str, ...]]]:
    """Return what all conditions demand, whatever the key is called."""
    return [
        (condition.operator, condition.values)
        for statement in policy.statements
        for condition in statement.conditions
    ]


def _request(
    token: str | None,
    service_account: str | None,
    issuer: str | None,
    audience: str | None,
    role: str | None,
) -> Request:
    if token is not None:
        if service_account is not None or issuer is not None or audience is not None:
            raise ConfigError("A token says who asks: give no service account, issuer or audience.")
        return from_token(token, role_arn=role)
    if service_account is None or issuer is None:
        raise ConfigError("Give a token, or a service account and the cluster's issuer.")
    return from_service_account(
        service_account, issuer=issuer, audience=audience or AUDIENCE, role_arn=role
    )


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
    )


def _asked(request: Request) -> dict[str, str]:
    """Return who asks for what, in words; claims may be anything that JSON has."""
    subject, audience = (request.claims.get(claim) for claim in ("sub", "aud"))
    audiences = audience if isinstance(audience, list) else [audience]
    asked = {
        "subject": shown(subject) if isinstance(subject, str) else "a token without subject",
        "issuer": shown(request.issuer),
        "audience": ", ".join(map(shown, audiences[:_MOST_AUDIENCES])) if audience else "none",
    }
    return asked | ({"role": shown(request.role_arn)} if request.role_arn else {})
