"""Changes of a policy's document, and the one that mends it."""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any

from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.parse import PolicyError, parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from irsa_creds.diagnosis._explain.finding import Change
    from irsa_creds.diagnosis._policy.parse import Condition, Policy
    from irsa_creds.diagnosis._policy.request import Request

# In a policy's value it is a wildcard, or begins a variable.
_SPECIAL = re.compile(r"[*?]|\$\{")
# Of more mistakes no single change mends all, and each try costs another evaluation.
_MOST_TRIED = 12

__all__ = [
    "add_action",
    "add_statement",
    "add_values",
    "demand",
    "drop_condition",
    "exact",
    "in_turn",
    "mended",
    "move_condition",
    "rename_keys",
    "replace_action",
    "replace_principal",
    "set_values",
    "statement_of",
]


def mended(
    policy: Policy, request: Request, changes: Iterable[Change], sound: Callable[[Policy], bool]
) -> dict[str, Any] | None:
    """Return the document with the first of `changes` that makes the policy allow; else None.

    Args:
        policy: it is left as it is.
        request: what shall be allowed.
        changes: in the order of preference.
        sound: whether a policy that allows lets in nobody else.
    """
    for change in islice(changes, _MOST_TRIED):
        document = deepcopy(policy.document)
        try:
            change(document)
            changed = parse_policy(document)
        except PolicyError:
            continue
        if judge(changed, request).verdict == "allow" and sound(changed):
            return document
    return None


def replace_action(index: int, old: str, new: str) -> Change:
    """Return the change that writes one action in the place of another."""

    def change(document: dict[str, Any]) -> None:
        statement = statement_of(document, index)
        statement["Action"] = _replaced(statement["Action"], old, new)

    return change


def add_action(index: int, action: str) -> Change:
    """Return the change that allows a further action; `NotAction` lists others, and has none."""

    def change(document: dict[str, Any]) -> None:
        statement = statement_of(document, index)
        if "NotAction" in statement:
            raise PolicyError("NotAction allows what nobody has named.")
        statement["Action"] = [*_listed(statement["Action"]), action]

    return change


def replace_principal(index: int, kind: str, old: str, arn: str) -> Change:
    """Return the change that trusts the provider `arn` in the place of one other principal."""

    def change(document: dict[str, Any]) -> None:
        named = statement_of(document, index)["Principal"]
        kept = [name for name in _listed(named[kind]) if name != old]
        if kind != "Federated":
            _put(named, kind, kept)
            named["Federated"] = _replaced(_listed(named.get("Federated", [])), None, arn)
        else:
            named[kind] = _replaced(named[kind], old, arn)

    return change


def rename_keys(index: int, names: Mapping[str, str]) -> Change:
    """Return the change that gives condition keys other names."""

    def change(document: dict[str, Any]) -> None:
        statement = statement_of(document, index)
        for operator, tests in statement["Condition"].items():
            renamed = [(names.get(key, key), values) for key, values in tests.items()]
            _expect_apart(key for key, _ in renamed)
            statement["Condition"][operator] = dict(renamed)

    return change


def move_condition(index: int, condition: Condition, operator: str) -> Change:
    """Return the change that puts a condition under another operator."""

    def change(document: dict[str, Any]) -> None:
        conditions = statement_of(document, index)["Condition"]
        values = conditions[condition.operator][condition.key]
        _drop(conditions, condition)
        _put_test(conditions, operator, condition.key, values)

    return change


def set_values(index: int, condition: Condition, *values: str) -> Change:
    """Return the change that gives a condition these values."""

    def change(document: dict[str, Any]) -> None:
        tests = statement_of(document, index)["Condition"][condition.operator]
        tests[condition.key] = values[0] if len(values) == 1 else list(values)

    return change


def add_values(index: int, condition: Condition, *values: str) -> Change | None:
    """Return the change that lets these values pass besides; None where one is no plain text."""
    return set_values(index, condition, *condition.values, *values) if exact(*values) else None


def exact(*values: str) -> bool:
    """Return whether a policy that has these values means them and what they seem to be."""
    return not any(_SPECIAL.search(value) or not value.isprintable() for value in values)


def drop_condition(index: int, condition: Condition) -> Change:
    """Return the change that takes a condition away."""

    def change(document: dict[str, Any]) -> None:
        statement = statement_of(document, index)
        _drop(statement["Condition"], condition)
        if not statement["Condition"]:
            del statement["Condition"]

    return change


def demand(index: int, condition: Condition, key: str, value: str) -> Change:
    """Return the change that asks for one value of a key in the place of another condition."""

    def change(document: dict[str, Any]) -> None:
        conditions = statement_of(document, index)["Condition"]
        _drop(conditions, condition)
        _put_test(conditions, "StringEquals", key, value)

    return change


def add_statement(statement: Mapping[str, Any]) -> Change:
    """Return the change that adds a statement at the end."""

    def change(document: dict[str, Any]) -> None:
        document["Statement"] = [*_listed(document["Statement"]), dict(statement)]

    return change


def in_turn(changes: Iterable[Change]) -> Change:
    """Return the change that makes all of `changes`."""
    made = tuple(changes)

    def change(document: dict[str, Any]) -> None:
        for each in made:
            each(document)

    return change


def statement_of(document: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return a statement of a document, which has one or a list of them."""
    found: dict[str, Any] = _listed(document["Statement"])[index]
    return found


def _drop(conditions: dict[str, Any], condition: Condition) -> None:
    del conditions[condition.operator][condition.key]
    if not conditions[condition.operator]:
        del conditions[condition.operator]


def _put_test(conditions: dict[str, Any], operator: str, key: str, values: Any) -> None:
    """Add a test; where the operator has one of that key, both would have to hold: no change."""
    written = next((name for name in conditions if name.lower() == operator.lower()), operator)
    tests = conditions.setdefault(written, {})
    _expect_apart([*tests, key])
    tests[key] = values


def _expect_apart(keys: Iterable[str]) -> None:
    lower = [key.lower() for key in keys]
    if len({*lower}) < len(lower):
        raise PolicyError("Two tests would become one, and one of them would be lost.")


def _replaced(values: Any, old: str | None, new: str) -> Any:
    """Return one value or a list of them with `new` in the place of `old`, or at the end."""
    if not isinstance(values, list):
        return new
    changed = [new if value == old else value for value in values]
    changed = changed if new in changed else [*changed, new]
    return changed[0] if len(changed) == 1 else changed


def _put(named: dict[str, Any], kind: str, names: list[Any]) -> None:
    if names:
        named[kind] = names
    else:
        del named[kind]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
