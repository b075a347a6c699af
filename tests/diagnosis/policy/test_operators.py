from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from irsa_creds.diagnosis._policy.operators import Operator, holds, operator_named

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Truth, Values


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("StringEquals", Operator("StringEquals")),
        ("stringequals", Operator("StringEquals")),
        ("StringNotLikeIfExists", Operator("StringNotLike", if_exists=True)),
        ("ForAnyValue:StringLike", Operator("StringLike", "ForAnyValue")),
        (
            "forallvalues:arnlikeifexists",
            Operator("ArnLike", "ForAllValues", if_exists=True),
        ),
        ("Null", Operator("Null")),
        ("ForAllValues:Null", Operator("Null", "ForAllValues")),
        ("NullIfExists", None),
        ("StringIs", None),
        ("IfExists", None),
        ("", None),
        (":StringEquals", None),
        ("ForSomeValue:StringEquals", None),
        ("ForAnyValue:ForAllValues:StringEquals", None),
        ("BoolNot", None),
    ],
)
def test_an_operator_is_known_by_its_name_in_any_case(
    written: str, expected: Operator | None
) -> None:
    assert operator_named(written) == expected


KEYS: dict[str, Values] = {"aws:username": ("ana",), "aws:userid": None}


def truth(operator: str, wanted: str, actual: str) -> Truth:
    found = operator_named(operator)
    assert found is not None
    return holds(found, (wanted,), (actual,), lambda key: KEYS[key])


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "expected"),
    [
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "${aws:username}", "ana", True),
        ("StringEquals", "a${*}", "a*", True),
        ("StringEqualsIgnoreCase", "A*", "a*", True),
        ("StringEqualsIgnoreCase", "A*", "ab", False),
        ("StringLike", "a*", "ab", True),
        ("StringLike", "A*", "ab", False),
        ("StringLike", "a${*}", "ab", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", "1e1", "10", True),
        ("NumericEquals", "10", "11", False),
        ("NumericEquals", "ten", "10", None),
        ("NumericEquals", "10", "ten", None),
        ("NumericNotEquals", "ten", "10", None),
        ("NumericEquals", "1e9999999", "1", None),
        ("NumericLessThan", "10", "9.99", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "-1", "0", True),
        ("NumericGreaterThan", "0", "0", False),
        ("NumericGreaterThanEquals", "0", "0", True),
        ("DateEquals", "2026-01-01", "2026-01-01T00:00:00Z", True),
        ("DateEquals", "2026", "2026-01", True),
        ("DateEquals", "2026-01-01T01:00+01:00", "2026-01-01T00:00:00Z", True),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", True),
        ("DateEquals", "2026-01-01T00:00:00.5Z", "1767225600.5", True),
        ("DateLessThan", "2026-01-02", "2026-01-01T23:59:59.999Z", True),
        ("DateLessThanEquals", "2026-01-01", "2026-01-02", False),
        ("DateGreaterThan", "2026-01-01", "2026-01-02", True),
        ("DateGreaterThanEquals", "2026-01-01", "2025-12-31", False),
        ("DateEquals", "2026-13-01", "2026-01-01", None),
        ("DateEquals", "tomorrow", "2026-01-01", None),
        ("Bool", "TRUE", "true", True),
        ("Bool", "true", "false", False),
        ("Bool", "yes", "true", None),
        ("BinaryEquals", "aGVsbG8=", "hello", True),
        ("BinaryEquals", "aGVsbG8=", "other", False),
        ("BinaryEquals", "no base64", "hello", None),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "203.0.113.9", "203.0.113.8", False),
        ("IpAddress", "203.0.113.9/24", "203.0.113.8", True),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", True),
        ("IpAddress", "0.0.0.0/0", "::1", False),
        ("IpAddress", "somewhere", "203.0.113.9", None),
        ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
        ("ArnLike", "arn:aws:iam::*:role/a?c", "arn:aws:iam::123456789012:role/abc", True),
        ("ArnEquals", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a:b", True),
        ("ArnLike", "arn:aws:logs:*:1:a:b*", "arn:aws:logs:eu-west-1:1:a:bc", True),
        ("ArnLike", "arn:*:role/x", "arn:aws:iam::1:role/x", None),
        ("ArnLike", "arn:aws:iam::1:role/x", "system:serviceaccount:a:b", None),
        ("ArnNotLike", "arn:aws:iam::1:role/x", "arn:aws:iam::2:role/x", True),
    ],
)
def test_a_value_is_compared_as_its_family_does(
    operator: str, wanted: str, actual: str, *, expected: Truth
) -> None:
    assert truth(operator, wanted, actual) is expected


def test_an_arn_is_compared_part_by_part_unlike_a_text() -> None:
    # The example of the IAM User Guide, "Amazon Resource Name (ARN) condition operators".
    pattern = "arn:aws:someservice:*:111122223333:finance/*"
    value = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
    assert truth("StringLike", pattern, value) is True
    assert truth("ArnLike", pattern, value) is False


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "Bool", "ArnLike"])
def test_a_variable_without_value_equals_nothing(operator: str) -> None:
    # "Policy variables with no value", IAM User Guide: and inverted operators do match it.
    assert truth(operator, "${aws:userid}", "${aws:userid}") is False


@pytest.mark.parametrize("operator", ["StringNotEquals", "StringNotLike", "ArnNotEquals"])
def test_a_variable_without_value_is_unequal_to_all(operator: str) -> None:
    assert truth(operator, "${aws:userid}", "x") is True
