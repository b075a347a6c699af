"""The overdue refreshes of one identity: no caller waits for them, and their threads may hang."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._engine import timing

if TYPE_CHECKING:
    from irsa_creds._engine.refresh import Refresh

__all__ = ["Overdue"]


class Overdue:
    """Limits new refreshes while earlier ones hang. The engine calls it under its own lock."""

    def __init__(self) -> None:
        self._refreshes: list[Refresh] = []
        self._last_start = -timing.OVERDUE_INTERVAL

    def add(self, refresh: Refresh) -> None:
        """Count a refresh until its thread ends."""
        self._refreshes.append(refresh)

    def record_start(self, at: float) -> None:
        """Count the interval to the next refresh from here."""
        self._last_start = at

    def allows_start(self, now: float) -> bool:
        """Whether one more refresh may start, given how many hang."""
        self._refreshes = [each for each in self._refreshes if not each.ended]
        count = len(self._refreshes)
        if count >= timing.OVERDUE_LIMIT:
            return False
        return count < timing.OVERDUE_FEW or now - self._last_start >= timing.OVERDUE_INTERVAL
