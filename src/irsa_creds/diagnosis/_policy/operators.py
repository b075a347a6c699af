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
# The negated operators, each with its opposite.
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
    """A parsed condition operator.

    Attributes:
        name: as in AWS's documentation, such as "StringNotLike".
        quantifier: "ForAnyValue", "ForAllValues" or empty.
        if_exists: whether it ends with `IfExists`.
    """

    name: str
    quantifier: str = ""
    if_exists: bool = False

    @property
    def negated(self) -> bool:
        """Return whether it requires values that do not match."""
        return self.name in _NEGATED


def operator_named(written: str) -> Operator | None:
    """Return the operator with this name; None if IAM has none.

    Case is ignored: AWS does not document it, and IAM has already accepted the policy of a role.
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
    """Return whether a condition matches.

    Args:
        operator: of the condition.
        wanted: the policy's values, of which one must match.
        actual: the request's values.
        lookup: returns the values of variables; None if the policy's version has no variables.
    """
    if isinstance(actual, Unknown):
        return None
    if operator.name == _NULL:
        # AWS does not document Null with a quantifier.
        return None if operator.quantifier else any_of(_is_null(text, actual) for text in wanted)
    if actual is None:
        return _matches_absent_key(operator)
    # For set operators, "a null data set, such as an empty string" equals an absent key.
    if operator.quantifier and actual == ("",):
        return operator.quantifier == _ALL
    each = [_compared(operator, wanted, value, lookup) for value in actual]
    if operator.quantifier:
        return any_of(each) if operator.quantifier == _ANY else all_of(each)
    # AWS does not document several values for an operator without a quantifier.
    return each[0] if len(each) == 1 else None


def _matches_absent_key(operator: Operator) -> bool:
    """Return whether an operator matches an absent key; a quantifier decides before `IfExists`."""
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
        return None  # AWS does not document an empty list
    return negation(found) if operator.negated else found
