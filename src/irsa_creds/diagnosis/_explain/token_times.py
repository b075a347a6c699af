"""Notes about an expired or not yet valid token, which STS denies before it evaluates a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds.diagnosis._claims import duration, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["time_notes"]

# Clocks differ by some seconds; doctor's T02 starts at the same value.
_NOTABLE_SKEW = 60


def time_notes(claims: Mapping[str, Any], now: float) -> tuple[str, ...]:
    """Return the notes about a token's times.

    Args:
        claims: `exp`, `nbf` and `iat` are used (RFC 7519, section 4.1), if they are valid times.
        now: seconds since the epoch.
    """
    ends = seconds(claims, "exp")
    if ends is not None and ends <= now:
        return (f"the token expired {duration(now - ends)} ago, so STS denies it; use a new one",)
    starts = [s for s in (seconds(claims, name) for name in ("iat", "nbf")) if s is not None]
    ahead = max(starts, default=now) - now
    if ahead > _NOTABLE_SKEW:
        until = f"by this clock the token becomes valid in {duration(ahead)}"
        return (f"{until}, and STS denies it until then; compare the clocks",)
    return ()
