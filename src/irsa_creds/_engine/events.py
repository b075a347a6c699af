"""The public classes of events and of the status.

They are loaded when a program subscribes or calls `status()`: to define them takes a tenth of a
cold start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from irsa_creds._engine.snapshot import LONG_AGO, Snapshot, state

if TYPE_CHECKING:
    from irsa_creds._engine.backoff import Backoff
    from irsa_creds._engine.clock import Clock

__all__ = [
    "Event",
    "LastFailure",
    "RefreshFailed",
    "RefreshStarted",
    "RefreshSucceeded",
    "Status",
    "TokenRotated",
    "status_of",
]


@dataclass(frozen=True, slots=True)
class RefreshStarted:
    """A refresh started.

    Attributes:
        role_arn: the role that is assumed; with role chaining, the last one.
        blocking: whether no credentials are valid, so that any caller waits for it.
    """

    role_arn: str
    blocking: bool


@dataclass(frozen=True, slots=True)
class RefreshSucceeded:
    """A refresh succeeded.

    Attributes:
        role_arn: the role that was assumed.
        attempt: which attempt of the refresh it was, from 1; 0: another process of the pod had
            called STS already, and the shared cache had the result.
        latency: seconds from the refresh's start.
        expiration: STS's own value (aware, UTC).
    """

    role_arn: str
    attempt: int
    latency: float
    expiration: datetime


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """An attempt of a refresh failed, or hangs for so long that the refresh counts as failed.

    Attributes:
        role_arn: the role that was to be assumed.
        code: STS's error code, or the kind of the failure if STS returned no code.
        attempt: which attempt of the refresh it was, from 1; 0: another process of the pod had
            called STS already, and the shared cache had the result.
        latency: seconds from the refresh's start.
    """

    role_arn: str
    code: str
    attempt: int
    latency: float


@dataclass(frozen=True, slots=True)
class TokenRotated:
    """The token differs from the one sent before.

    Attributes:
        role_arn: the role it is for.
    """

    role_arn: str


Event = RefreshStarted | RefreshSucceeded | RefreshFailed | TokenRotated


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The last failed refresh.

    Attributes:
        code: STS's error code, or the kind of the failure if STS returned no code.
        at: when, by the pod's wall clock (aware, UTC).
        in_a_row: how many refreshes have failed since the last success.
    """

    code: str
    at: datetime
    in_a_row: int


@dataclass(frozen=True, slots=True)
class Status:
    """A provider at one instant; for a readiness probe (`state` is "fresh" or "stale": ready).

    A provider that no code reads is not refreshed: for a probe, create it with `keep_warm=True`.

    Attributes:
        state: "empty" before the first credentials, "fresh", "stale" (valid, and a refresh is
            due) or "expired".
        seconds_left: seconds to the end of use; 0.0 if no credentials are valid.
        next_refresh_in: seconds to the next refresh or attempt; None if the next read starts one.
        last_success_at: when the current credentials were requested (aware, UTC); None before.
        last_failure: None before the first failure; its `in_a_row` is 0 after a success.
        flights: refreshes started in this process.
        sts_calls: requests sent to STS in this process.
    """

    state: Literal["empty", "fresh", "stale", "expired"]
    seconds_left: float
    next_refresh_in: float | None
    last_success_at: datetime | None
    last_failure: LastFailure | None
    flights: int
    sts_calls: int


def status_of(
    snapshot: Snapshot, backoff: Backoff, clock: Clock, *, refreshes: int, sts_calls: int
) -> Status:
    """Return the status of the engine that has these; hold its lock."""
    now = clock.now()
    left = snapshot.left(now)
    at = max(snapshot.refresh_at, backoff.not_before) if left > 0 else backoff.cached_until
    wait = max(0.0, at - now) if at > LONG_AGO else 0.0
    last, failed_at = backoff.last, datetime.fromtimestamp(backoff.failed_at, UTC)
    return Status(
        state="empty" if snapshot.empty else state(snapshot, now, clock.wall()),
        seconds_left=max(0.0, left),
        next_refresh_in=wait if left > 0 or wait else None,
        last_success_at=None if snapshot.empty else datetime.fromtimestamp(snapshot.wall_at, UTC),
        last_failure=LastFailure(last.code, failed_at, backoff.in_a_row) if last else None,
        flights=refreshes,
        sts_calls=sts_calls,
    )
