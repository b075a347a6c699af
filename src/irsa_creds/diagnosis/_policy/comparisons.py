"""Compare one value of a policy with one value of a request, by operator."""

from __future__ import annotations

import base64
import ipaddress
import operator
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from irsa_creds.diagnosis._policy.logic import Lookup, Truth, Unknown, all_of
from irsa_creds.diagnosis._policy.patterns import expanded, literal, matches

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "Comparison"]

# Takes the policy's value, the request's value and a lookup for variables; None: not comparable.
Comparison: TypeAlias = "Callable[[str, str, Lookup | None], Truth]"

_ARN_PARTS = 6
_NUMBER = re.compile(r"(?a)[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?")
# W3C's profile of ISO 8601 (NOTE-datetime), which IAM names for dates.
_DATE = re.compile(
    r"(?a)(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(Z|[+-]\d\d:\d\d))?)?)?"
)


def _text(test: Callable[[str, str], Truth]) -> Comparison:
    """Return a comparison in which policy variables are replaced."""

    def compare(wanted: str, actual: str, lookup: Lookup | None) -> Truth:
        pattern = expanded(wanted, lookup)
        if isinstance(pattern, Unknown):
            return None
        return False if pattern is None else test(pattern, actual)

    return compare


def _parsed(parse: Callable[[str], Any], test: Callable[[Any, Any], bool]) -> Comparison:
    """Return a comparison of parsed values; None from `parse` means not comparable."""

    def compare(wanted: str, actual: str, _: Lookup | None) -> Truth:
        left, right = parse(actual), parse(wanted)
        return None if left is None or right is None else test(left, right)

    return compare


def _arn_like(pattern: str, actual: str) -> Truth:
    """Return whether each of the six parts of an ARN matches."""
    wanted, parts = pattern.split(":", _ARN_PARTS - 1), actual.split(":", _ARN_PARTS - 1)
    if len(wanted) < _ARN_PARTS or len(parts) < _ARN_PARTS:
        return None
    return all_of(matches(*pair) for pair in zip(wanted, parts, strict=True))


def _bool(pattern: str, actual: str) -> Truth:
    pair = literal(pattern).lower(), actual.lower()
    return pair[0] == pair[1] if {*pair} <= {"true", "false"} else None


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _moment(text: str) -> Decimal | None:
    """Return seconds since the epoch, from a date or a number."""
    found = _DATE.fullmatch(text)
    if found is None:
        return _number(text)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(
            f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
            f"{'+00:00' if zone in (None, 'Z') else zone}"
        )
    except ValueError:
        return None
    return Decimal(moment.timestamp()) + Decimal(f"0.{fraction or 0}")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _within(actual: Any, wanted: Any) -> bool:
    return bool(actual.version == wanted.version and actual.subnet_of(wanted))


def _binary(wanted: str, actual: str, _: Lookup | None) -> Truth:
    """Return whether the policy's base64 encodes the request's bytes."""
    try:
        return base64.b64decode(wanted, validate=True) == actual.encode()
    except ValueError:
        return None


# Source: "IAM JSON policy elements: Condition operators", IAM User Guide. Variables are replaced
# only in the families of strings, ARNs and Booleans.
COMPARISONS: dict[str, Comparison] = {
    "StringEquals": _text(lambda pattern, actual: literal(pattern) == actual),
    "StringEqualsIgnoreCase": _text(lambda p, actual: literal(p).lower() == actual.lower()),
    "StringLike": _text(matches),
    "NumericEquals": _parsed(_number, operator.eq),
    "NumericLessThan": _parsed(_number, operator.lt),
    "NumericLessThanEquals": _parsed(_number, operator.le),
    "NumericGreaterThan": _parsed(_number, operator.gt),
    "NumericGreaterThanEquals": _parsed(_number, operator.ge),
    "DateEquals": _parsed(_moment, operator.eq),
    "DateLessThan": _parsed(_moment, operator.lt),
    "DateLessThanEquals": _parsed(_moment, operator.le),
    "DateGreaterThan": _parsed(_moment, operator.gt),
    "DateGreaterThanEquals": _parsed(_moment, operator.ge),
    "Bool": _text(_bool),
    "BinaryEquals": _binary,
    "IpAddress": _parsed(_network, _within),
    "ArnEquals": _text(_arn_like),
    "ArnLike": _text(_arn_like),
}
