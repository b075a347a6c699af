"""What Deny statements do: the ids are those of the condition that makes one apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds.diagnosis._findings_base import (
    Case,
    Found,
    listed,
    operator_of,
    pair,
    split_key,
)
from irsa_creds.diagnosis._findings_keys import is_foreign, unknown_findings
from irsa_creds.diagnosis._fix import set_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy import Condition

__all__ = ["deny_findings"]

_IDS = {"sub": "P04", "aud": "P06"}


def deny_findings(case: Case) -> Iterator[Found]:
    """Yield why a Deny applies, or why nobody here can tell whether it does."""
    if case.judged.truth is True:
        yield _applies(case)
    elif case.judged.truth is None:
        yield from unknown_findings(case)
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
        return case.found("P01", "error", said, f"Take {case.statement.name} away.")
    condition = min(conditions, key=lambda each: split_key(each.key)[1].lower() not in _IDS)
    values = case.request.values(condition.key)
    said = f"denies it: {_because(case, condition)}."
    if is_foreign(case, condition.key):
        key = case.key(split_key(condition.key)[1])
        return case.found("P03", "error", said, f"{condition.key} -> {key}")
    if values is None:
        return case.found("P07", "error", said, f"Take the condition on {condition.key} away.")
    id_ = _IDS.get(split_key(condition.key)[1].lower(), "P04")
    if not isinstance(values, tuple) or not operator_of(condition).negated:
        fix = f"Take {case.statement.name} away, or make its condition on {condition.key} narrower."
        return case.found(id_, "error", said, fix)
    wanted = (*condition.values, *values)
    fix = f'Under "{condition.operator}": {pair(condition.key, list(wanted))}'
    return case.found(id_, "error", said, fix, set_values(case.index, condition, *wanted))


def _because(case: Case, condition: Condition) -> str:
    values = case.request.values(condition.key)
    has = f"the token has {listed(values)}" if isinstance(values, tuple) else "the key is absent"
    where = (
        f"{condition.operator} on {case.shown(condition.key)} against {listed(condition.values)}"
    )
    return f"{where} holds, since {has}"
