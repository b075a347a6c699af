"""The part of IAM's policy language that the sandbox evaluates; the rest is refused loudly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Question", "UnsupportedPolicyError", "allows"]

_ELEMENTS = {"Sid", "Effect", "Action", "Principal", "Resource", "Condition"}


class UnsupportedPolicyError(NotImplementedError):
    """A policy uses what the sandbox cannot evaluate: to guess would be to lie."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a policy.

    Attributes:
        action: such as "s3:GetObject".
        resource: an ARN; None asks a trust policy, which names no resource.
        principal: the kind ("Federated", "AWS") and the names that mean the caller; None asks a
            permission policy, which names no principal.
        facts: the condition keys that are known, in lower case, with their values.
    """

    action: str
    resource: str | None = None
    principal: tuple[str, frozenset[str]] | None = None
    facts: Mapping[str, Sequence[str]] = field(default_factory=dict)


def allows(documents: Iterable[str], question: Question) -> bool:
    """Return whether the policies allow it: an explicit Deny wins, silence is no.

    Source: the policy evaluation logic of the IAM User Guide.

    Args:
        documents: policies as JSON.
        question: what is asked.

    Raises:
        UnsupportedPolicyError: a statement that matters uses an operator, key or element that
            the sandbox does not know.
    """
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _statements(document)
        if _applies(statement, question)
    }
    return "Allow" in effects and "Deny" not in effects


@lru_cache(maxsize=256)
def _statements(document: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = _listed(json.loads(document)["Statement"])
    for statement in statements:
        if unknown := statement.keys() - _ELEMENTS:
            raise UnsupportedPolicyError(
                f"The sandbox does not evaluate the policy element {', '.join(sorted(unknown))}."
            )
    return statements


def _applies(statement: dict[str, Any], question: Question) -> bool:
    return (
        any(_like(p.lower(), question.action.lower()) for p in _listed(statement["Action"]))
        and _resource_matches(statement, question.resource)
        and _principal_matches(statement, question.principal)
        and _condition_holds(statement.get("Condition", {}), question.facts)
    )


def _resource_matches(statement: dict[str, Any], resource: str | None) -> bool:
    if resource is None:
        return True
    patterns = _listed(statement["Resource"])
    if any("${" in pattern for pattern in patterns):
        raise UnsupportedPolicyError("The sandbox does not evaluate policy variables (${...}).")
    return any(_like(pattern, resource) for pattern in patterns)


def _principal_matches(
    statement: dict[str, Any], principal: tuple[str, frozenset[str]] | None
) -> bool:
    if principal is None:
        return True
    named = statement["Principal"]
    if named == "*":
        raise UnsupportedPolicyError('The sandbox does not evaluate "Principal": "*".')
    kind, names = principal
    return not names.isdisjoint(_listed(named.get(kind, [])))


def _condition_holds(
    condition: dict[str, dict[str, Any]], facts: Mapping[str, Sequence[str]]
) -> bool:
    # All are looked at before any decides, so that an unknown one is never passed over.
    results = [
        _test_holds(operator, key, _listed(wanted), facts)
        for operator, tests in condition.items()
        for key, wanted in tests.items()
    ]
    return all(results)


def _test_holds(
    operator: str, key: str, wanted: list[str], facts: Mapping[str, Sequence[str]]
) -> bool:
    if operator not in {"StringEquals", "StringLike"}:
        raise UnsupportedPolicyError(
            f"The sandbox does not evaluate the condition operator {operator} (on {key}); "
            "it knows StringEquals and StringLike."
        )
    if key.lower() not in facts:
        raise UnsupportedPolicyError(
            f"The sandbox does not know the condition key {key} (under {operator}); "
            f"here it knows {', '.join(facts) or 'none'}."
        )
    actual = facts[key.lower()]
    if operator == "StringEquals":
        return not set(wanted).isdisjoint(actual)
    return any(_like(pattern, value) for pattern in wanted for value in actual)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(regex, re.DOTALL)
