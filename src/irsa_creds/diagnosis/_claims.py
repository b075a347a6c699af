"""Read claims of a token that is not verified: each may have any type and any value."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._identity.claims import (
    OTHER_CLIENTS,
    POD_IDENTITY,
    SERVICE_ACCOUNT,
    STS,
)
from irsa_creds._identity.validation import AWS_SUFFIXES
from irsa_creds._masking import claims_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "POD_IDENTITY",
    "STS",
    "STS_AUDIENCES",
    "Subject",
    "audiences",
    "duration",
    "is_known_audience",
    "is_misspelled_sts",
    "redacted",
    "seconds",
    "subject_of",
]

#: The audiences of STS in the partitions of AWS.
STS_AUDIENCES = frozenset(f"sts.{suffix}" for suffix in AWS_SUFFIXES)
# difflib's ratio to sts.amazonaws.com: "sts.amazon.com" has 0.90, kops' "amazonaws.com" 0.87.
_MISSPELLED = 0.88
_LONGEST = 100  # characters to compare
_YEAR_10000 = 253_402_300_800  # the end of Python's dates


def audiences(claims: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the audiences; the claim is a text or a list (RFC 7519, section 4.1.3)."""
    found = (claims or {}).get("aud")
    listed = found if isinstance(found, list) else [found]
    return tuple(each for each in listed if isinstance(each, str) and each)


def seconds(claims: Mapping[str, Any] | None, name: str) -> float | None:
    """Return a NumericDate in seconds since the epoch; None if it is absent or invalid."""
    found = (claims or {}).get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    # JSON integers are unbounded, and Python's parser accepts NaN, which no range contains.
    return float(found) if 0 <= found < _YEAR_10000 else None


def duration(length: float) -> str:
    """Return a number of seconds in words, in a unit of which there are at least two."""
    if length < 120:  # noqa: PLR2004 - two minutes
        return f"{length:,.0f} seconds"
    if length < 7_200:  # noqa: PLR2004 - two hours
        return f"{length / 60:,.0f} minutes"
    return f"{length / 3_600:,.0f} hours"


class Subject(NamedTuple):
    """Namespace and name of a service account."""

    namespace: str
    name: str


def subject_of(claims: Mapping[str, Any] | None) -> Subject | None:
    """Return the service account in `sub`; None for another subject."""
    found = re.fullmatch(SERVICE_ACCOUNT, str((claims or {}).get("sub")))
    return Subject(*found.groups()) if found else None


def redacted(value: object) -> str | None:
    """Return a claim or variable for `data`: bounded, without tokens and passwords."""
    shown: str | None = claims_fields({"sub": value})["sub"]
    return shown


def is_known_audience(audience: str) -> bool:
    """Return whether OIDC providers of IAM commonly have this audience as a client ID."""
    return audience in STS_AUDIENCES or audience in OTHER_CLIENTS


def is_misspelled_sts(audience: str) -> bool:
    """Return whether an audience looks like a misspelling of sts.amazonaws.com."""
    if is_known_audience(audience) or audience == POD_IDENTITY:
        return False
    bare = re.sub(r"^\w+://|/$", "", audience[:_LONGEST].strip().lower())
    return difflib.SequenceMatcher(None, bare, STS).ratio() >= _MISSPELLED
