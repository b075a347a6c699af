"""What `explain` says besides: STS looks at a token's times before any policy is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds.diagnosis._claims import seconds, span

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["time_notes"]

# What clocks differ by is not worth a word: doctor's T02 begins here as well.
_SKEW_TOLD = 60
_REFUSED = "STS refuses it whatever the policy says"


def time_notes(claims: Mapping[str, Any], now: float) -> tuple[str, ...]:
    """Return what a token's times mean, whatever the policy says.

    Args:
        claims: `exp`, `nbf` and `iat` in seconds since the epoch (RFC 7519, section 4.1); those
            that are absent or no sensible time say nothing.
        now: seconds since the epoch.
    """
    ends = seconds(claims, "exp")
    if ends is not None and ends <= now:
        return (f"the token expired {span(now - ends)} ago; {_REFUSED}",)
    starts = [s for s in (seconds(claims, name) for name in ("iat", "nbf")) if s is not None]
    ahead = max(starts, default=now) - now
    if ahead > _SKEW_TOLD:
        return (f"by this clock the token is valid in {span(ahead)} only; till then {_REFUSED}",)
    return ()
