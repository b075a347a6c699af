"""What a provider tells of itself: events to subscribers, and its status.

Loaded when a program subscribes or asks for the status: making these classes takes a tenth of what
the first credentials of a process take.
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
        role_arn: the role that is assumed.
        blocking: whether callers wait for it, because nothing was valid.
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
        expiration: STS's own value.
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
        code: STS's error code, or the kind of the failure where STS said none.
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
        code: STS's error code, or the kind of the failure where STS said none.
        at: when, by the pod's wall clock (aware, UTC).
        in_a_row: how many refreshes have failed since the last success.
    """

    code: str
    at: datetime
    in_a_row: int


@dataclass(frozen=True, slots=True)
class Status:
    """A provider at one instant; suits a readiness probe (`state` is "fresh" or "stale": ready).

    A provider that nobody reads is not refreshed: a probe asks one made with `keep_warm=True`.

    Attributes:
        state: "empty" before the first credentials; "stale" is served, with a refresh due.
        seconds_left: seconds to the end of use; 0.0 where nothing is valid.
        next_refresh_in: seconds to the next refresh or try; None where the next read starts one.
        last_success_at: when the credentials in use were asked for (aware, UTC); None before.
        last_failure: None where none ever failed; its `in_a_row` is 0 after a success.
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
