"""Whether credentials are being read: idle ones are refreshed earlier, and then no longer.

A program that reads rarely may use credentials for long, and must not find only minutes left. A pod
that is idle must not call STS for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._engine.snapshot import LONG_AGO
from irsa_creds._engine.timing import MINUTE, refresh_window

if TYPE_CHECKING:
    from irsa_creds._engine.snapshot import Snapshot

__all__ = ["Reads", "next_look"]

# Credentials that were not read for this long have no current reads. It takes two looks, a minute
# apart, to see that; one of them may be late.
_QUIET = MINUTE / 2


class Reads:
    """When the credentials of one engine were read, by a flag that is looked at now and then."""

    def __init__(self) -> None:
        # The instant of an update, later than that of the read: a read only sets a flag.
        self._last_at = LONG_AGO

    def note(self, snapshot: Snapshot, now: float) -> None:
        """Note whether the credentials were read since the last look."""
        if snapshot.was_read:
            snapshot.was_read = False
            self._last_at = now

    def update(self, snapshot: Snapshot, now: float) -> bool:
        """Make credentials without current reads due; return whether a refresh is worth a call.

        It is if they were read within one lifetime.
        """
        self.note(snapshot, now)
        unread = now - self._last_at
        lifetime = min(snapshot.lifetime, snapshot.longest_age)
        in_use = unread < lifetime and now < snapshot.end_of_use
        if in_use and unread >= _QUIET and now >= _quiet_refresh_at(snapshot):
            snapshot.refresh_at = min(snapshot.refresh_at, now)
        return in_use


def next_look(snapshot: Snapshot, now: float) -> float:
    """Return when to look next, before the refresh; infinity: no more."""
    quiet_at = _quiet_refresh_at(snapshot)
    return min((at for at in (quiet_at - MINUTE, quiet_at) if at > now), default=float("inf"))


def _quiet_refresh_at(snapshot: Snapshot) -> float:
    """Return when to refresh credentials without current reads: at half their lifetime at most.

    The refreshes of many pods stay as far apart as the usual ones, in proportion.
    """
    lifetime, age = snapshot.lifetime, snapshot.refresh_at - snapshot.sent_at
    if not lifetime:
        return snapshot.refresh_at
    return snapshot.sent_at + age * (lifetime / 2) / (lifetime - refresh_window(lifetime))
