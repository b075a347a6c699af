"""What Deny statements do: the ids are those of the condition that makes one apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds.diagnosis._explain.changes import add_values
from irsa_creds.diagnosis._explain.condition_keys import is_foreign, unknown_findings
from irsa_creds.diagnosis._explain.condition_values import undecided_findings
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    bare,
    listed,
    operator_of,
    pair,
    split_key,
    test,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = ["deny_findings"]

# Keys that only another action has.
_OF_OTHERS = {"sts:externalid": "sts:AssumeRole"}
_IDS = {"sub": "P04", "aud": "P06"}


def deny_findings(case: Case) -> Iterator[Found]:
    """Yield why a Deny applies, or why nobody here can tell whether it does."""
    if case.judged.truth is True:
        yield _applies(case)
    elif case.judged.truth is None:
        yield from unknown_findings(case)
        yield from undecided_findings(case)
        if case.judged.principal is None:
            said = (
                f"denies {listed(tuple(name for _, name in case.statement.principals))}: whether "
                "that means a web identity is not known here, and so the verdict may be open."
            )
            fix = "Name the provider's ARN under Federated, or restrict the actions to others."
            yield case.found("P02", "warning", said, fix)


def _applies(case: Case) -> Found:
    conditions = [condition for condition, _ in case.conditions()]
    if not conditions:
        said = f"denies {case.judgement.action} to this provider, whatever the token says."
        return case.found("P01", "error", said, f"Take {_number(case)} away.")
    condition = min(conditions, key=lambda each: split_key(each.key)[1].lower() not in _IDS)
    values = case.request.values(condition.key)
    said = f"denies it: {_because(case, condition)}."
    if is_foreign(case, condition.key):
        key = case.key(split_key(condition.key)[1])
        return case.found("P03", "error", said, f"{bare(condition.key)} -> {bare(key)}")
    if values is None:
        return case.found("P07", "error", said, _narrower(case, condition))
    id_ = _IDS.get(split_key(condition.key)[1].lower(), "P04")
    if not isinstance(values, tuple) or not operator_of(condition).negated:
        fix = f"Take {_number(case)} away, or make its condition on {bare(condition.key)} narrower."
        return case.found(id_, "error", said, fix)
    fix = f'Under "{condition.operator}": {pair(condition.key, *condition.values, *values)}'
    return case.found(id_, "error", said, fix, add_values(case.index, condition, *values))


def _narrower(case: Case, condition: Condition) -> str:
    """Return how a Deny on an absent key spares this token: without a condition it hits more."""
    key = condition.key.lower()
    action = "sts:AssumeRoleWithSAML" if key.startswith("saml:") else _OF_OTHERS.get(key)
    if action:
        return f"Limit {_number(case)} to the action that has such a key: {pair('Action', action)}"
    if operator_of(condition).name == "Null":
        return f"Use a token with that claim, or take {_number(case)} away."
    also = test("Null", condition.key, "false")
    return f"Limit {_number(case)} to requests that have the key, by a further {also}"


def _number(case: Case) -> str:
    return case.name[0].lower() + case.name[1:]


def _because(case: Case, condition: Condition) -> str:
    values = case.request.values(condition.key)
    has = f"the token has {listed(values)}" if isinstance(values, tuple) else "the key is absent"
    where = (
        f"{condition.operator} on {case.shown(condition.key)} against {listed(condition.values)}"
    )
    return f"{where} holds, since {has}"
