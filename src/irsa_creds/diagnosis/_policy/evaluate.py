"""Whether policies allow a request, as IAM decides it, in three-valued logic.

Source: "Policy evaluation logic", IAM User Guide: an explicit Deny wins, silence is no.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from irsa_creds.diagnosis._policy.logic import Truth, Unknown, Values, all_of, any_of, negation
from irsa_creds.diagnosis._policy.operators import holds, operator_named
from irsa_creds.diagnosis._policy.parse import LATEST, Condition, Policy, PolicyError, Statement
from irsa_creds.diagnosis._policy.patterns import expanded, matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from irsa_creds.diagnosis._policy.logic import Lookup
    from irsa_creds.diagnosis._policy.request import Request

__all__ = ["AccessRequest", "Judged", "Judgement", "Truth", "Verdict", "judge", "judge_action"]

Verdict = Literal["allow", "deny", "unknown"]


class AccessRequest(Protocol):
    """What the statements of a policy are held against."""

    @property
    def resource(self) -> str | None:
        """Return the ARN of what is to be used; None asks a trust policy, which names none."""

    def trusts(self, kind: str, name: str) -> Truth:
        """Return whether a principal of that kind and name is who asks."""

    def values(self, key: str) -> Values:
        """Return the values of a condition key."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement and what is true of its parts; None: unknown.

    Attributes:
        statement: as parsed.
        action: whether it is about the action.
        principal: whether it is about who asks.
        conditions: each, and whether it holds.
        truth: whether all of these are, and so the statement counts.
        resource: whether it is about the resource; True in a trust policy.
    """

    statement: Statement
    action: Truth
    principal: Truth
    conditions: tuple[tuple[Condition, Truth], ...]
    truth: Truth
    resource: Truth = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, what each statement says, and the Allow that comes nearest.

    Attributes:
        verdict: "allow", "deny" or "unknown".
        statements: all of them, in the policy's order.
        nearest: the Allow that counts, or of which the least is amiss; None without any.
        action: the action that this is about.
    """

    verdict: Verdict
    statements: tuple[Judged, ...]
    nearest: Judged | None
    action: str


def judge(policy: Policy, request: Request) -> Judgement:
    """Return whether a trust policy allows an exchange.

    A token with session tags or a source identity asks for more than one action: the judgement is
    then about the first that is denied, or else unknown, or else about the exchange itself.

    Args:
        policy: of the role.
        request: what is asked.
    """
    judgements = [judge_action([policy], request, action) for action in request.actions]
    worst = {"deny": 0, "unknown": 1, "allow": 2}
    return min(judgements, key=lambda judgement: worst[judgement.verdict])


def judge_action(policies: Iterable[Policy], asked: AccessRequest, action: str) -> Judgement:
    """Return whether policies together allow one action.

    Args:
        policies: of one kind: what one allows, no other need allow.
        asked: who asks, for what, and what is known about it.
        action: such as "s3:GetObject".
    """
    judged = tuple(
        _judged(statement, asked, action, asked.values if policy.version == LATEST else None)
        for policy in policies
        for statement in policy.statements
    )
    allows = [one for one in judged if one.statement.effect == "Allow"]
    denied = any_of(one.truth for one in judged if one.statement.effect == "Deny")
    allowed = all_of([any_of(one.truth for one in allows), negation(denied)])
    verdict: Verdict = "unknown" if allowed is None else "allow" if allowed else "deny"
    return Judgement(verdict, judged, min(allows, key=_amiss, default=None), action)


def _judged(
    statement: Statement, asked: AccessRequest, action: str, lookup: Lookup | None
) -> Judged:
    about_action = _about_action(statement, action)
    about_principal = _about_principal(statement, asked)
    about_resource = _about_resource(statement, asked.resource, lookup)
    conditions = tuple((test, _holds(test, asked, lookup)) for test in statement.conditions)
    truths = (about_action, about_principal, about_resource, *(truth for _, truth in conditions))
    return Judged(
        statement, about_action, about_principal, conditions, all_of(truths), about_resource
    )


def _about_principal(statement: Statement, asked: AccessRequest) -> Truth:
    # Only a trust policy says who; only a permission policy says what for.
    if asked.resource is not None:
        return True
    return any_of(asked.trusts(*named) for named in statement.principals)


def _about_action(statement: Statement, action: str) -> bool:
    named = statement.actions if statement.not_actions is None else statement.not_actions
    found = any(matches(name.lower(), action.lower()) for name in named)
    return found if statement.not_actions is None else not found


def _about_resource(statement: Statement, resource: str | None, lookup: Lookup | None) -> Truth:
    if resource is None:
        return True
    named = statement.resources if statement.not_resources is None else statement.not_resources
    found = any_of(_is_resource(name, resource, lookup) for name in named)
    return found if statement.not_resources is None else negation(found)


def _is_resource(name: str, resource: str, lookup: Lookup | None) -> Truth:
    pattern = expanded(name, lookup)
    if isinstance(pattern, Unknown):
        return None
    return pattern is not None and matches(pattern, resource)


def _holds(condition: Condition, asked: AccessRequest, lookup: Lookup | None) -> Truth:
    operator = operator_named(condition.operator)
    if operator is None:
        raise PolicyError(f"IAM knows no condition operator {condition.operator!r}.")
    return holds(operator, condition.values, asked.values(condition.key), lookup)


def _amiss(judged: Judged) -> tuple[int, int, int]:
    """Return how far a statement is from counting: what it is about weighs more than conditions."""
    about = (judged.action, judged.principal, judged.resource)
    conditions = [truth for _, truth in judged.conditions]
    unknown = [truth for truth in (*about, *conditions) if truth is None]
    return about.count(False), conditions.count(False), len(unknown)
