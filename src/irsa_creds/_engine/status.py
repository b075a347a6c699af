"""The status of an engine; loaded when a program calls `status()`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from irsa_creds._engine.events import LastFailure, Status
from irsa_creds._engine.snapshot import NEVER, Snapshot, state

if TYPE_CHECKING:
    from irsa_creds._engine.backoff import Backoff
    from irsa_creds._engine.clock import Clock

__all__ = ["status_of"]


def status_of(
    snapshot: Snapshot, backoff: Backoff, clock: Clock, *, refreshes: int, sts_calls: int
) -> Status:
    """Return the status of the engine that has these; hold its lock."""
    now = clock.now()
    left = snapshot.left(now)
    at = max(snapshot.refresh_at, backoff.not_before) if left > 0 else backoff.cached_until
    wait = max(0.0, at - now) if at > NEVER else 0.0
    last, failed_at = backoff.last, datetime.fromtimestamp(backoff.failed_at, UTC)
    return Status(
        state="empty" if snapshot.empty else state(snapshot, now, clock.wall()).value,
        seconds_left=max(0.0, left),
        next_refresh_in=wait if left > 0 or wait else None,
        last_success_at=None if snapshot.empty else datetime.fromtimestamp(snapshot.wall_at, UTC),
        last_failure=LastFailure(last.code, failed_at, backoff.in_a_row) if last else None,
        flights=refreshes,
        sts_calls=sts_calls,
    )
