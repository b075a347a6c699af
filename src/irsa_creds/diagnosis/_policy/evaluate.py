"""Evaluate policies for a request as IAM does, in three-valued logic.

Source: "Policy evaluation logic", IAM User Guide: an explicit Deny takes precedence, and what no
statement allows is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from irsa_creds.diagnosis._policy.logic import Truth, Unknown, Values, all_of, any_of, negation
from irsa_creds.diagnosis._policy.operators import holds
from irsa_creds.diagnosis._policy.parse import LATEST, Condition, Policy, Statement
from irsa_creds.diagnosis._policy.patterns import expanded, matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from irsa_creds.diagnosis._policy.logic import Lookup

__all__ = ["Judged", "Judgement", "Verdict", "covers_action", "judge", "judge_action"]

Verdict = Literal["allow", "deny", "unknown"]


class Request(Protocol):
    """The request for which policies are evaluated."""

    def trusts(self, kind: str, name: str) -> Truth:
        """Return whether the principal of this kind and name is the caller."""

    def resembles(self, kind: str, name: str, /) -> bool:
        """Return whether a principal is of the caller's kind."""

    def values(self, key: str) -> Values:
        """Return the values of a condition key."""


class TrustRequest(Request, Protocol):
    """The request for which a trust policy is evaluated."""

    @property
    def actions(self) -> tuple[str, ...]:
        """Return all required actions, the one that assumes the role first."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement with the truth of its parts; None means unknown.

    Attributes:
        statement: the parsed statement.
        action: whether it covers the action.
        principal: whether it covers the caller.
        conditions: each condition, and whether it matches.
        resource: whether it covers the resource; True in a trust policy.
    """

    statement: Statement
    action: Truth
    principal: Truth
    conditions: tuple[tuple[Condition, Truth], ...]
    resource: Truth

    @property
    def truth(self) -> Truth:
        """Return whether the statement applies, which requires all parts."""
        conditions = (truth for _, truth in self.conditions)
        return all_of((self.action, self.principal, self.resource, *conditions))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, the truth of each statement, and the nearest Allow.

    Attributes:
        verdict: "allow", "deny" or "unknown".
        statements: all statements, in the policy's order.
        nearest: the Allow that applies or fails in the fewest parts, if possible one that is not
            for another kind of caller; None without an Allow.
        action: the evaluated action.
    """

    verdict: Verdict
    statements: tuple[Judged, ...]
    nearest: Judged | None
    action: str


def judge(policy: Policy, request: TrustRequest) -> Judgement:
    """Return whether a trust policy allows a request.

    A token with session tags or a source identity requires several actions. The judgement is about
    the first one that is denied, else the first unknown one, else the one that assumes the role.

    Args:
        policy: of the role.
        request: made with a token, or by EKS Pod Identity.
    """
    judgements = [judge_action([policy], request, action) for action in request.actions]
    worst = {"deny": 0, "unknown": 1, "allow": 2}
    return min(judgements, key=lambda judgement: worst[judgement.verdict])


def judge_action(
    policies: Iterable[Policy], request: Request, action: str, resource: str | None = None
) -> Judgement:
    """Return whether policies together allow one action.

    Args:
        policies: of one kind, so that one of them may allow alone.
        request: the caller and the condition keys.
        action: such as "s3:GetObject".
        resource: its ARN; None for a trust policy, which has no resources.
    """
    judged = tuple(
        _judged(policy, statement, request, action, resource)
        for policy in policies
        for statement in policy.statements
    )
    allows = [one for one in judged if one.statement.effect == "Allow"]
    denied = any_of(one.truth for one in judged if one.statement.effect == "Deny")
    allowed = all_of([any_of(one.truth for one in allows), negation(denied)])
    verdict: Verdict = "unknown" if allowed is None else "allow" if allowed else "deny"
    nearest = min(allows, key=lambda one: _distance(one, request), default=None)
    return Judgement(verdict, judged, nearest, action)


def _judged(
    policy: Policy, statement: Statement, request: Request, action: str, resource: str | None
) -> Judged:
    lookup = request.values if policy.version == LATEST else None
    # Only a trust policy has principals; only a permission policy has resources.
    return Judged(
        statement=statement,
        action=covers_action(statement, action),
        principal=_covers_principal(statement, request) if resource is None else True,
        conditions=tuple(
            (test, holds(test.parsed_operator, test.values, request.values(test.key), lookup))
            for test in statement.conditions
        ),
        resource=True if resource is None else _covers_resource(statement, resource, lookup),
    )


def _covers_principal(statement: Statement, request: Request) -> Truth:
    return any_of(request.trusts(*named) for named in statement.principals)


def covers_action(statement: Statement, action: str) -> bool:
    """Return whether `Action` or `NotAction` of a statement covers an action."""
    named = statement.actions if statement.not_actions is None else statement.not_actions
    found = any(matches(name.lower(), action.lower()) for name in named)
    return found if statement.not_actions is None else not found


def _covers_resource(statement: Statement, resource: str, lookup: Lookup | None) -> Truth:
    named = statement.resources if statement.not_resources is None else statement.not_resources
    found = any_of(_is_resource(name, resource, lookup) for name in named)
    return found if statement.not_resources is None else negation(found)


def _is_resource(name: str, resource: str, lookup: Lookup | None) -> Truth:
    pattern = expanded(name, lookup)
    if isinstance(pattern, Unknown):
        return None
    return pattern is not None and matches(pattern, resource)


def _distance(judged: Judged, request: Request) -> tuple[bool, int, int, int]:
    """Return how far a statement is from applying; action and principal weigh most."""
    alike = any(request.resembles(*named) for named in judged.statement.principals)
    foreign = judged.action is False and not alike
    about = (judged.action, judged.principal, judged.resource)
    conditions = [truth for _, truth in judged.conditions]
    unknown = [truth for truth in (*about, *conditions) if truth is None]
    return foreign, about.count(False), conditions.count(False), len(unknown)
