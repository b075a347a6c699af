"""Claims of a token that nobody has verified, read with care."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._exchange.advice import (
    OTHER_CLIENTS,
    POD_IDENTITY,
    SERVICE_ACCOUNT,
    STS,
    claims_told,
)
from irsa_creds._identity.validation import AWS_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "POD_IDENTITY",
    "STS",
    "STS_AUDIENCES",
    "Subject",
    "audiences",
    "is_known_audience",
    "is_slip_of_sts",
    "seconds",
    "span",
    "subject_of",
    "told",
]

#: What AWS's STS takes in one partition or another.
STS_AUDIENCES = frozenset(f"sts.{suffix}" for suffix in AWS_SUFFIXES)
# How near two spellings are (difflib): "sts.amazon.com" is 0.90, kops' "amazonaws.com" 0.87.
_NEAR = 0.88
_LONGEST = 100  # characters that are compared
_YEAR_10000 = 253_402_300_800  # what Python's dates do not reach


def audiences(claims: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the audiences, be they one or a list (RFC 7519, section 4.1.3)."""
    found = (claims or {}).get("aud")
    listed = found if isinstance(found, list) else [found]
    return tuple(each for each in listed if isinstance(each, str) and each)


def seconds(claims: Mapping[str, Any] | None, name: str) -> float | None:
    """Return a NumericDate, in seconds since the epoch; None where there is no sensible one."""
    found = (claims or {}).get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    # JSON's integers have no end, and Python's reads NaN, which is in no range.
    return float(found) if 0 <= found < _YEAR_10000 else None


def span(length: float) -> str:
    """Return a length of time in seconds as people say it: two of a unit at least."""
    if length < 120:  # noqa: PLR2004 - two minutes
        return f"{length:,.0f} seconds"
    if length < 7_200:  # noqa: PLR2004 - two hours
        return f"{length / 60:,.0f} minutes"
    return f"{length / 3_600:,.0f} hours"


class Subject(NamedTuple):
    """Whom a service account's token is for."""

    namespace: str
    name: str


def subject_of(claims: Mapping[str, Any] | None) -> Subject | None:
    """Return the service account that `sub` names; None where it names none."""
    found = re.fullmatch(SERVICE_ACCOUNT, str((claims or {}).get("sub")))
    return Subject(*found.groups()) if found else None


def told(value: object) -> str | None:
    """Return a claim or a variable as data may show it: bounded, without tokens and passwords."""
    shown: str | None = claims_told({"sub": value})["sub"]
    return shown


def is_known_audience(audience: str) -> bool:
    """Whether an audience is one that IAM's providers are known to have as a client id."""
    return audience in STS_AUDIENCES or audience in OTHER_CLIENTS


def is_slip_of_sts(audience: str) -> bool:
    """Whether an audience looks like a slip of STS's own."""
    if is_known_audience(audience) or audience == POD_IDENTITY:
        return False
    bare = re.sub(r"^\w+://|/$", "", audience[:_LONGEST].strip().lower())
    return difflib.SequenceMatcher(None, bare, STS).ratio() >= _NEAR
