"""Edits of a policy document, and the search for the one edit that fixes the policy.

An edit changes the document, its last parameter, in place; `functools.partial` binds the others.
"""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any

from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.parse import PolicyError, as_list, parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from irsa_creds.diagnosis._explain.finding import Change
    from irsa_creds.diagnosis._policy.parse import Condition, Policy
    from irsa_creds.diagnosis._policy.request import AccessRequest

# Wildcards, or the start of a policy variable.
_SPECIAL = re.compile(r"[*?]|\$\{")
# With more mistakes no single change fixes all, and each attempt costs an evaluation.
_MOST_TRIED = 12

__all__ = [
    "add_action",
    "add_statement",
    "apply_all",
    "corrected",
    "drop_condition",
    "is_plain",
    "rename_keys",
    "replace_action",
    "replace_principal",
    "require_instead",
    "set_values",
    "statement_of",
]


def corrected(
    policy: Policy,
    request: AccessRequest,
    changes: Iterable[Change],
    is_safe: Callable[[Policy], bool],
) -> dict[str, Any] | None:
    """Return the document with the first of `changes` that makes the policy allow, or None.

    Args:
        policy: not modified.
        request: the request to allow.
        changes: in the order of preference.
        is_safe: whether a policy that allows the request allows no other identity.
    """
    for change in islice(changes, _MOST_TRIED):
        document = deepcopy(policy.document)
        try:
            change(document)
            changed = parse_policy(document)
        except PolicyError:
            continue
        if judge(changed, request).verdict == "allow" and is_safe(changed):
            return document
    return None


def replace_action(index: int, old: str, new: str, document: dict[str, Any]) -> None:
    """Replace one action by another."""
    statement = statement_of(document, index)
    statement["Action"] = _replaced(statement["Action"], old, new)


def add_action(index: int, action: str, document: dict[str, Any]) -> None:
    """Allow one more action; impossible in a statement with `NotAction`."""
    statement = statement_of(document, index)
    if "NotAction" in statement:
        raise PolicyError("A statement with NotAction does not list the actions that it allows.")
    statement["Action"] = [*as_list(statement["Action"]), action]


def replace_principal(index: int, kind: str, old: str, arn: str, document: dict[str, Any]) -> None:
    """Trust the provider `arn` instead of another principal."""
    named = statement_of(document, index)["Principal"]
    if kind == "Federated":
        named[kind] = _replaced(named[kind], old, arn)
        return
    named[kind] = [name for name in as_list(named[kind]) if name != old]
    if not named[kind]:
        del named[kind]
    named["Federated"] = _replaced(as_list(named.get("Federated", [])), None, arn)


def rename_keys(index: int, names: Mapping[str, str], document: dict[str, Any]) -> None:
    """Rename condition keys."""
    statement = statement_of(document, index)
    for operator, tests in statement["Condition"].items():
        renamed = [(names.get(key, key), values) for key, values in tests.items()]
        _expect_distinct(key for key, _ in renamed)
        statement["Condition"][operator] = dict(renamed)


def set_values(
    index: int, condition: Condition, values: tuple[str, ...], document: dict[str, Any]
) -> None:
    """Set the values of a condition."""
    tests = statement_of(document, index)["Condition"][condition.operator]
    tests[condition.key] = values[0] if len(values) == 1 else list(values)


def drop_condition(index: int, condition: Condition, document: dict[str, Any]) -> None:
    """Remove a condition."""
    statement = statement_of(document, index)
    _drop(statement["Condition"], condition)
    if not statement["Condition"]:
        del statement["Condition"]


def require_instead(
    index: int, condition: Condition, key: str, value: str, document: dict[str, Any]
) -> None:
    """Replace a condition by one that requires a value of another key."""
    conditions = statement_of(document, index)["Condition"]
    _drop(conditions, condition)
    _put_test(conditions, "StringEquals", key, value)


def add_statement(statement: Mapping[str, Any], document: dict[str, Any]) -> None:
    """Add a statement at the end."""
    document["Statement"] = [*as_list(document["Statement"]), dict(statement)]


def apply_all(changes: list[Change], document: dict[str, Any]) -> None:
    """Apply all of `changes`."""
    for change in changes:
        change(document)


def is_plain(*values: str) -> bool:
    """Return whether these values have no wildcards, variables or invisible characters."""
    return not any(_SPECIAL.search(value) or not value.isprintable() for value in values)


def statement_of(document: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return a statement of a document, which has one statement or a list."""
    found: dict[str, Any] = as_list(document["Statement"])[index]
    return found


def _drop(conditions: dict[str, Any], condition: Condition) -> None:
    del conditions[condition.operator][condition.key]
    if not conditions[condition.operator]:
        del conditions[condition.operator]


def _put_test(conditions: dict[str, Any], operator: str, key: str, values: Any) -> None:
    """Add a test; raise PolicyError if the operator already has one with this key."""
    written = next((name for name in conditions if name.lower() == operator.lower()), operator)
    tests = conditions.setdefault(written, {})
    _expect_distinct([*tests, key])
    tests[key] = values


def _expect_distinct(keys: Iterable[str]) -> None:
    lower = [key.lower() for key in keys]
    if len({*lower}) < len(lower):
        raise PolicyError("The change would merge two tests into one.")


def _replaced(values: Any, old: str | None, new: str) -> Any:
    """Return one value or a list with `new` instead of `old`, or at the end."""
    if not isinstance(values, list):
        return new
    changed = [new if value == old else value for value in values]
    changed = changed if new in changed else [*changed, new]
    return changed[0] if len(changed) == 1 else changed
