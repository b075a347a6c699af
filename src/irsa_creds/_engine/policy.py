"""When credentials are fresh, stale or expired, and when to try again: pure functions.

Every instant is in seconds of one `Clock.now`; `left` is the time to the end of use.
"""

from __future__ import annotations

import enum
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from irsa_creds._credentials import Credentials

if TYPE_CHECKING:
    from irsa_creds._errors import Failure

__all__ = ["Snapshot", "State"]

NEVER = float("-inf")
MINUTE = 60.0
#: What a wall clock may be ahead of BOOTTIME before the snapshot is doubted.
WALL_TOLERANCE = 5.0
ATTEMPT_SECONDS = 15.0
BLOCKING_ATTEMPTS = 4
#: And of each further flight, once one has failed: see `blocking_attempts`.
LATER_ATTEMPTS = 1
BLOCKING_SECONDS = 30.0
#: The longest pause with nothing valid: as short as twice the calls of AWS's planned SDK refresh
#: rules allow in an outage of 30 minutes (`benchmarks/fleet.py`; the curve is in
#: docs/how-it-works.md).
RECORD_SECONDS = 20.0
#: The longest pause after the first throttled attempt, doubling: chosen there as well.
THROTTLED_SECONDS = 2.0
WAITER_SECONDS = 35.0
#: Between two flights that `min_ttl` starts; a key younger than this is not doubted.
DEMAND_INTERVAL = MINUTE
#: An attempt may use up its time to the last: what ends this much later still is not overdue.
OVERDUE_GRACE = 0.25
#: While this many overdue flights live, one new flight a minute may start; past the limit none.
OVERDUE_FEW = 2
OVERDUE_LIMIT = 16
OVERDUE_INTERVAL = MINUTE
#: How often a token that was refused is looked at again.
TOKEN_WATCH_INTERVAL = 1.0
#: `Date` has whole seconds: the answer may be this much younger than it says.
DATE_RESOLUTION = 1.0
LIFETIME_TOLERANCE = MINUTE
#: What STS gives if a request names no duration (API reference, DurationSeconds).
DEFAULT_LIFETIME = 3600.0


class Draw(Protocol):
    """`random.uniform` in shape."""

    def __call__(self, low: float, high: float, /) -> float: ...


#: Not `random.uniform`: a program that seeds it alike in all pods would undo the spread.
DRAW: Draw = random.SystemRandom().uniform


class State(enum.Enum):
    """What a reader does with a snapshot."""

    FRESH = "fresh"  # serve
    STALE = "stale"  # serve, and see that a flight is due
    EXPIRED = "expired"  # wait for the flight


class Snapshot:
    """Credentials with their timeline; replaced as a whole, read without a lock.

    Only `lifetime` (to nothing, in `expire`), `refresh_at`, `check_at`, `was_read`, `adapted` and
    `wall_tried` ever change: each is one store of one value, so a reader sees the old or the new.
    """

    __slots__ = (
        "adapted", "check_at", "credentials", "lifetime", "refresh_at", "sent_at", "wall_at",
        "wall_tried", "was_read",
    )  # fmt: skip

    # No data class: making one takes three times as long, and every cold start pays for it.
    def __init__(
        self,
        credentials: Credentials,
        sent_at: float,
        wall_at: float,
        lifetime: float,
        refresh_at: float,
    ) -> None:
        self.credentials: Credentials = credentials
        self.sent_at: float = sent_at
        self.wall_at: float = wall_at
        self.lifetime: float = lifetime
        self.refresh_at: float = refresh_at
        # The hot path serves before this instant. It is `refresh_at` at first, and moved on while a
        # flight or its back-off runs: reads stay fast during a refresh.
        self.check_at: float = refresh_at
        self.was_read: bool = False
        # The adapter's own form of these credentials, made once.
        self.adapted: Any = None
        # The one flight that a wall clock past the end makes readers wait for has been made.
        self.wall_tried: bool = False

    def refreshed_at(self, instant: float) -> Snapshot:
        """Return the same, to be refreshed at another instant."""
        other = Snapshot(
            self.credentials, self.sent_at, self.wall_at, self.lifetime, refresh_at=instant
        )
        other.was_read, other.adapted = self.was_read, self.adapted
        other.wall_tried = self.wall_tried
        return other

    @classmethod
    def nothing(cls) -> Snapshot:
        """Return the snapshot of before the first answer: expired since ever."""
        credentials = Credentials("", "", "", datetime.fromtimestamp(0, UTC))
        return cls(credentials, sent_at=NEVER, wall_at=NEVER, lifetime=0.0, refresh_at=NEVER)

    @property
    def empty(self) -> bool:
        """Whether it is that one."""
        return self.sent_at == NEVER

    def expire(self) -> None:
        """End it for all who hold it: whoever took it for a thread, or is about to serve it."""
        self.lifetime = 0.0
        self.refresh_at = self.check_at = NEVER

    @property
    def expires_at(self) -> float:
        """The instant of expiry, from the moment of sending."""
        return self.sent_at + self.lifetime

    @property
    def end_of_use(self) -> float:
        """The last instant to sign with them: a request signed later arrives expired."""
        return self.expires_at - min(5.0, self.lifetime / 10)

    def left(self, now: float) -> float:
        """Seconds to the end of use."""
        return self.end_of_use - now

    def wall_ahead(self, now: float, wall: float) -> bool:
        """Whether the wall clock ran ahead: a paused or restored VM does not count in BOOTTIME."""
        return (wall - self.wall_at) - (now - self.sent_at) > WALL_TOLERANCE

    def wall_past_end(self, now: float, wall: float) -> bool:
        """Whether the wall clock alone says that these are past use, and was not heard yet."""
        return (
            not self.wall_tried
            and self.wall_ahead(now, wall)
            and wall - self.wall_at >= self.end_of_use - self.sent_at
        )


def state(snapshot: Snapshot, now: float, wall: float | None = None) -> State:
    """Return what `snapshot` is at `now`; with `wall` the wall clock is heard as well."""
    if now >= snapshot.end_of_use:
        return State.EXPIRED
    if wall is not None and snapshot.wall_ahead(now, wall):
        return State.EXPIRED if snapshot.wall_past_end(now, wall) else State.STALE
    return State.FRESH if now < snapshot.refresh_at else State.STALE


def lifetime(
    expiration: datetime, date: datetime | None, wall: float, *, asked: int | None, ceiling: float
) -> float:
    """Return the credentials' seconds from the moment of sending; 0 if they have expired.

    STS's own `Date` makes a wrong pod clock harmless, but the server may be behind a proxy whose
    clock is wrong: `Date` alone counts only if it gives what was asked for.

    Args:
        expiration: STS's `Expiration`.
        date: STS's `Date`; None if the response has none.
        wall: the pod's clock when the request was sent, in seconds since the epoch.
        asked: the seconds that were asked for; None if the request left them to STS.
        ceiling: the longest lifetime that is believed.
    """
    by_clock = expiration.timestamp() - wall
    by_date = (expiration - date).total_seconds() - DATE_RESOLUTION if date else 0.0
    expected = DEFAULT_LIFETIME if asked is None else asked
    if by_date > 0 and abs(by_date + DATE_RESOLUTION - expected) <= LIFETIME_TOLERANCE:
        return min(by_date, expected)
    return min(min((each for each in (by_date, by_clock) if each > 0), default=0.0), ceiling)


def refresh_window(lifetime: float) -> float:
    """Return window A, AWS's table clamped: unclamped, a short lifetime refreshes on every call."""
    if lifetime <= 20 * MINUTE:
        window = 5 * MINUTE
    elif lifetime < 90 * MINUTE:
        window = 15 * MINUTE
    else:
        window = 60 * MINUTE
    return min(window, lifetime / 2)


def first_refresh(lifetime: float, draw: Draw) -> float:
    """Return the age of the first refresh of a process: a roll-out spreads at once."""
    return draw(0.1 * lifetime, lifetime - refresh_window(lifetime))


def later_refresh(lifetime: float, draw: Draw) -> float:
    """Return the age of any later refresh: and stays spread."""
    return lifetime - refresh_window(lifetime) - draw(0, min(5 * MINUTE, lifetime / 12))


def shared_delay(lifetime: float, draw: Draw) -> float:
    """Return by how much a process refreshes later than the one whose credentials it shares."""
    return draw(0, min(5.0, lifetime / 20))


def after_fork(snapshot: Snapshot, now: float, draw: Draw) -> Snapshot:
    """Return the child's own snapshot: else all workers of a preloaded server refresh at once."""
    age = now - snapshot.sent_at
    low = max(age, 0.1 * snapshot.lifetime)
    high = snapshot.lifetime - refresh_window(snapshot.lifetime)
    if low < high:
        at = snapshot.sent_at + draw(low, high)
    else:
        at = now + draw(0, max(0.0, snapshot.left(now)) / 3)
    return snapshot.refreshed_at(at)


def after_shared_fork(snapshot: Snapshot, now: float, draw: Draw) -> Snapshot:
    """Return the child's own where processes share: were each to draw anew, the earliest would win.

    The time that was drawn for all of them stays, a little later than the parent's.
    """
    del now
    return snapshot.refreshed_at(snapshot.refresh_at + shared_delay(snapshot.lifetime, draw))


def background_seconds(left: float) -> float:
    """Return the budget of a background flight: it is over before the credentials are."""
    return min(ATTEMPT_SECONDS, max(1.0, left / 4))


def background_pause(failure: Failure, in_a_row: int, left: float, draw: Draw) -> float:
    """Return the seconds to the next flight after `failure` while credentials are valid.

    Args:
        failure: why the last flight failed.
        in_a_row: how many have failed since the last success, this one included.
        left: seconds to the end of use: the ceiling left/3 makes it denser as expiry nears.
        draw: the source of chance.
    """
    ceiling = left / 3
    if failure.again_in is not None:
        return max(0.2, min(failure.again_in, ceiling))
    if not failure.retryable:
        return max(5.0, min(60.0, ceiling))
    floor = 5.0 if failure.throttled else 1.0
    if failure.retry_after is not None:
        pause = min(300.0, max(floor, failure.retry_after))
    else:
        pause = min(120.0, max(floor, _doubled(2.0, in_a_row) * draw(0.5, 1)))
    return max(0.2, min(pause, ceiling))


def record_seconds(failure: Failure, in_a_row: int, draw: Draw) -> float:
    """Return how long callers get `failure` instead of an STS call while nothing is valid.

    Args:
        failure: why the last refresh that callers waited for failed.
        in_a_row: how many of them have failed since the last success, this one included.
        draw: the source of chance: pods that start in an outage must not stay in step.
    """
    if failure.again_in is not None:
        return failure.again_in
    if not failure.retryable:
        return min(60.0, _doubled(5.0, in_a_row))
    if failure.retry_after is not None:
        return min(RECORD_SECONDS, max(1.0, failure.retry_after))
    return min(RECORD_SECONDS, _doubled(2.0, in_a_row)) * draw(0.5, 1)


def blocking_attempts(in_a_row: int) -> int:
    """Return the attempts of a refresh that callers wait for, after `in_a_row` that failed.

    A lost packet or a throttled call must not be an error when a pod starts, so the first one tries
    a few times. While STS is out, single attempts notice its recovery as soon as bursts do that
    begin as often, with a quarter of the calls.
    """
    return LATER_ATTEMPTS if in_a_row else BLOCKING_ATTEMPTS


def blocking_pause(failure: Failure, attempt: int, draw: Draw) -> float:
    """Return the seconds between two attempts of one refresh that callers wait for.

    Args:
        failure: why the last attempt failed.
        attempt: its number, from 1 on.
        draw: the source of chance.
    """
    if failure.throttled:
        # STS's limit is one of calls per second: an attempt within the same second is throttled
        # again, and takes the place of another pod's.
        pause = _doubled(THROTTLED_SECONDS, attempt) * draw(0.5, 1)
    else:
        pause = draw(0, _doubled(0.5, attempt))
    return max(pause, min(15.0, failure.retry_after or 0.0))


def _doubled(seconds: float, times: int) -> float:
    # The exponent is bounded: an outage of a week must not overflow a float.
    return seconds * float(2 ** min(times - 1, 10))
