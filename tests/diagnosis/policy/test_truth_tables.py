"""IAM's condition operators as tables: how many values the request has against the operator's form.

Sources, all of the IAM User Guide:
    [operators]  "IAM JSON policy elements: Condition operators"
        - a key that is absent makes a condition false, and a negated one (StringNotLike,
          ArnNotLike, ...) true, but for IfExists and Null;
        - IfExists: true where the key is absent, else as the operator alone; but behind
          ForAnyValue and ForAllValues it changes nothing, for these look at single values: observed
          on IAM, https://repost.aws/questions/QU9HFmDzP0QGuU-fd7rS6B7w;
        - Null: "true" asks that the key is absent, "false" that it is there.
    [sets]  "Single-valued vs. multivalued context keys"
        - ForAllValues: each value of the request matches one of the policy; true without the key,
          or where it comes to nothing, such as an empty text;
        - ForAnyValue: one value of the request matches one of the policy; false without the key,
          or where it comes to nothing.
    [values]  "Conditions with multiple context keys or values"
        - several values of a policy: one that matches is enough (OR), of a negated operator none
          may match (NOR).
What none of them says (an operator without ForAnyValue or ForAllValues on several values) is
unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from irsa_creds.diagnosis._policy.logic import UNKNOWN
from irsa_creds.diagnosis._policy.operators import holds, operator_named

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Truth, Values


@dataclass(frozen=True, slots=True)
class Family:
    """An operator, values of a policy, one that matches the first, and one that matches none."""

    name: str
    wanted: tuple[str, str]
    match: str
    other: str


POSITIVE = [
    Family("StringEquals", ("a", "b"), "a", "c"),
    Family("StringEqualsIgnoreCase", ("A", "B"), "a", "c"),
    Family("StringLike", ("a*", "b*"), "ab", "cb"),
    Family("NumericEquals", ("1", "2"), "1.0", "3"),
    Family("NumericLessThan", ("1", "2"), "0", "3"),
    Family("NumericLessThanEquals", ("1", "2"), "1", "3"),
    Family("NumericGreaterThan", ("2", "3"), "4", "1"),
    Family("NumericGreaterThanEquals", ("2", "3"), "2", "1"),
    Family("DateEquals", ("2026-01-01", "2026-01-02"), "2026-01-01T00:00:00Z", "2026-01-03"),
    Family("DateLessThan", ("2026-01-01", "2026-01-02"), "2025-12-31", "2026-01-03"),
    Family("DateLessThanEquals", ("2026-01-01", "2026-01-02"), "2026-01-01", "2026-01-03"),
    Family("DateGreaterThan", ("2026-01-02", "2026-01-03"), "2026-01-04", "2026-01-01"),
    Family("DateGreaterThanEquals", ("2026-01-02", "2026-01-03"), "2026-01-02", "2026-01-01"),
    Family("Bool", ("true", "true"), "true", "false"),
    Family("BinaryEquals", ("YQ==", "Yg=="), "a", "c"),
    Family("IpAddress", ("203.0.113.0/24", "2001:db8::/32"), "203.0.113.9", "198.51.100.1"),
    Family(
        "ArnEquals",
        ("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"),
        "arn:aws:iam::1:role/a",
        "arn:aws:iam::1:role/c",
    ),
    Family(
        "ArnLike",
        ("arn:aws:iam::*:role/a*", "arn:aws:iam::1:role/b"),
        "arn:aws:iam::2:role/ab",
        "arn:aws:iam::1:role/c",
    ),
]
OPPOSITE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
BY_NAME = {family.name: family for family in POSITIVE}
NEGATED = [
    Family(name, BY_NAME[other].wanted, BY_NAME[other].match, BY_NAME[other].other)
    for name, other in OPPOSITE.items()
]
FORMS = [
    "{}", "{}IfExists",
    "ForAnyValue:{}", "ForAnyValue:{}IfExists",
    "ForAllValues:{}", "ForAllValues:{}IfExists",
]  # fmt: skip
# What the request has: "m" a value that matches, "o" another. The columns are FORMS.
T, F, U = True, False, None
COLUMNS = "absent", "m", "o", "mm", "mo", "oo", "unknown"
ROWS: dict[str, dict[str, tuple[Truth, ...]]] = {
    "positive": {
        #          plain IfEx  Any AnyIf  All AllIf
        "absent":  (F,    T,    F,   F,    T,   T),
        "m":       (T,    T,    T,   T,    T,   T),
        "o":       (F,    F,    F,   F,    F,   F),
        "mm":      (U,    U,    T,   T,    T,   T),
        "mo":      (U,    U,    T,   T,    F,   F),
        "oo":      (U,    U,    F,   F,    F,   F),
        "unknown": (U,    U,    U,   U,    U,   U),
    },
    "negated": {
        "absent":  (T,    T,    F,   F,    T,   T),
        "m":       (F,    F,    F,   F,    F,   F),
        "o":       (T,    T,    T,   T,    T,   T),
        "mm":      (U,    U,    F,   F,    F,   F),
        "mo":      (U,    U,    T,   T,    F,   F),
        "oo":      (U,    U,    T,   T,    T,   T),
        "unknown": (U,    U,    U,   U,    U,   U),
    },
}  # fmt: skip


def values(family: Family, row: str) -> Values:
    if row == "absent":
        return None
    if row == "unknown":
        return UNKNOWN
    return tuple(family.match if letter == "m" else family.other for letter in row)


def truth(written: str, wanted: tuple[str, ...], actual: Values) -> Truth:
    operator = operator_named(written)
    assert operator is not None
    return holds(operator, wanted, actual, None)


@pytest.mark.parametrize("row", COLUMNS)
@pytest.mark.parametrize(
    ("family", "kind"),
    [
        *(pytest.param(family, "positive", id=family.name) for family in POSITIVE),
        *(pytest.param(family, "negated", id=family.name) for family in NEGATED),
    ],
)
def test_an_operator_compares_with_the_request(family: Family, kind: str, row: str) -> None:
    actual = values(family, row)
    for form, expected in zip(FORMS, ROWS[kind][row], strict=True):
        assert truth(form.format(family.name), family.wanted, actual) is expected, form


@pytest.mark.parametrize(
    ("family", "first", "expected"),
    [
        *(pytest.param(family, 1, True, id=family.name) for family in POSITIVE),
        *(pytest.param(family, 1, False, id=family.name) for family in NEGATED),
    ],
)
def test_one_of_the_policys_values_decides_wherever_it_stands(
    family: Family, first: int, *, expected: bool
) -> None:
    for wanted in (family.wanted, family.wanted[::-1], family.wanted[:first]):
        assert truth(family.name, wanted, (family.match,)) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("StringEquals", False), ("StringNotEquals", None), ("ForAllValues:StringEquals", False)],
)
def test_a_policy_without_values_matches_nothing_and_may_exclude_anything(
    operator: str, *, expected: Truth
) -> None:
    assert truth(operator, (), ("a",)) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringLike", False),
        ("ForAnyValue:StringNotLike", False),
        ("StringEquals", True),
    ],
)
def test_an_empty_text_is_nothing_to_a_set_and_a_value_to_any_other(
    operator: str, *, expected: bool
) -> None:
    assert truth(operator, ("",), ("",)) is expected


@pytest.mark.parametrize(
    ("wanted", "absent", "present"),
    [
        (("true",), True, False),
        (("TRUE",), True, False),
        (("false",), False, True),
        (("true", "false"), True, True),
        (("maybe",), None, None),
        (("maybe", "true"), True, None),
    ],
)
def test_null_tests_whether_the_key_is_present(
    wanted: tuple[str, ...], *, absent: Truth, present: Truth
) -> None:
    assert truth("Null", wanted, None) is absent
    assert truth("Null", wanted, ("a",)) is present
    assert truth("Null", wanted, ("a", "b")) is present
    assert truth("Null", wanted, UNKNOWN) is None
    assert truth("ForAnyValue:Null", wanted, None) is None
