"""Condition operators in three-valued logic.

Sources: "IAM JSON policy elements: Condition operators" and "Single-valued vs. multivalued context
keys", IAM User Guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._policy.comparisons import COMPARISONS
from irsa_creds.diagnosis._policy.logic import Truth, Unknown, all_of, any_of, negation

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Lookup, Values

__all__ = ["Operator", "holds", "operator_named"]

_ANY, _ALL = "ForAnyValue", "ForAllValues"
_IF_EXISTS = "IfExists"
_NULL = "Null"
# The negated operators, each with the one whose opposite it is.
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
_NAMES = {name.lower(): name for name in (*COMPARISONS, *_NEGATED, _NULL)}


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator, taken apart.

    Attributes:
        name: as AWS writes it, such as "StringNotLike".
        quantifier: "ForAnyValue", "ForAllValues" or empty.
        if_exists: whether `IfExists` ends it.
    """

    name: str
    quantifier: str = ""
    if_exists: bool = False

    @property
    def negated(self) -> bool:
        """Return whether it asks for values that do not match."""
        return self.name in _NEGATED


def operator_named(written: str) -> Operator | None:
    """Return the operator of that name; None where IAM has none.

    Case is no matter: AWS does not say whether it is, and what a role has has passed IAM.
    """
    prefix, colon, rest = written.rpartition(":")
    quantifiers = {_ANY.lower(): _ANY, _ALL.lower(): _ALL} if colon else {"": ""}
    quantifier = quantifiers.get(prefix.lower())
    base = rest.lower().removesuffix(_IF_EXISTS.lower())
    name = _NAMES.get(base)
    if quantifier is None or name is None:
        return None
    found = Operator(name, quantifier, if_exists=base != rest.lower())
    # IAM Access Analyzer's policy checks, NULL_WITH_IF_EXISTS.
    return None if name == _NULL and found.if_exists else found


def holds(
    operator: Operator, wanted: tuple[str, ...], actual: Values, lookup: Lookup | None
) -> Truth:
    """Return whether a condition is met.

    Args:
        operator: how to compare.
        wanted: the policy's values: one that matches is enough.
        actual: the request's.
        lookup: what policy variables stand for; None where the policy's version has none.
    """
    if isinstance(actual, Unknown):
        return None
    if operator.name == _NULL:
        # What a quantifier makes of it, AWS does not say.
        return None if operator.quantifier else any_of(_is_null(text, actual) for text in wanted)
    if actual is None:
        return _of_nothing(operator)
    # "A null data set, such as an empty string" is to the set operators as if the key were absent.
    if operator.quantifier and actual == ("",):
        return operator.quantifier == _ALL
    each = [_compared(operator, wanted, value, lookup) for value in actual]
    if operator.quantifier:
        return any_of(each) if operator.quantifier == _ANY else all_of(each)
    # AWS does not define what an operator without quantifier makes of several values.
    return each[0] if len(each) == 1 else None


def _of_nothing(operator: Operator) -> bool:
    """Return what an absent key makes of it: a negated operator holds, any other does not.

    A quantifier decides before `IfExists` does: no value of an absent key is any value.
    """
    if operator.quantifier:
        return operator.quantifier == _ALL
    return operator.if_exists or operator.negated


def _is_null(wanted: str, actual: tuple[str, ...] | None) -> Truth:
    expected = {"true": True, "false": False}.get(wanted.lower())
    return None if expected is None else expected is (actual is None)


def _compared(
    operator: Operator, wanted: tuple[str, ...], value: str, lookup: Lookup | None
) -> Truth:
    compare = COMPARISONS[_NEGATED.get(operator.name, operator.name)]
    found = any_of(compare(text, value, lookup) for text in wanted)
    if operator.negated and not wanted:
        return None  # what an empty list excludes, AWS does not say
    return negation(found) if operator.negated else found
