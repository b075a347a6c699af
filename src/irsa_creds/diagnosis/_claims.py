"""Claims of a token that nobody has verified, read with care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["audiences", "seconds", "span"]

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
