"""The public classes of events and of the status.

They are loaded when a program subscribes or calls `status()`: to define them takes a tenth of a
cold start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Event",
    "LastFailure",
    "RefreshFailed",
    "RefreshStarted",
    "RefreshSucceeded",
    "Status",
    "TokenRotated",
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
