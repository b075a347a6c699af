"""Credentials with their timeline, and whether they are fresh, stale or expired at an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from irsa_creds._credentials import Credentials

if TYPE_CHECKING:
    from typing import Literal

    #: A caller uses a fresh or a stale snapshot, and waits for a refresh if it is expired. If it is
    #: stale, a refresh is due.
    State = Literal["fresh", "stale", "expired"]

__all__ = ["LONG_AGO", "Snapshot", "state"]

#: Before every instant: what happened then did not happen, and what is valid until then is not.
LONG_AGO = float("-inf")
#: Seconds by which the wall clock may run ahead of BOOTTIME without making a snapshot stale.
WALL_TOLERANCE = 5.0


class Snapshot:
    """Credentials with their timeline: replaced as a whole, read without a lock.

    All instants are seconds of one `Clock.now`, but `wall_at`. Only `lifetime` (to nothing, in
    `expire`), `refresh_at`, `check_at`, `was_read`, `adapted` and `wall_tried` ever change. Each
    change stores one value, so that a caller sees the old one or the new one.
    """

    __slots__ = (
        "adapted", "check_at", "credentials", "lifetime", "longest_age", "refresh_at", "sent_at",
        "wall_at", "wall_tried", "was_read",
    )  # fmt: skip

    # A data class takes three times as long to create, which every cold start would pay for.
    def __init__(
        self,
        credentials: Credentials,
        sent_at: float,
        wall_at: float,
        lifetime: float,
        refresh_at: float,
        *,
        longest_age: float = float("inf"),
    ) -> None:
        self.credentials: Credentials = credentials
        self.sent_at: float = sent_at
        self.wall_at: float = wall_at
        self.lifetime: float = lifetime
        self.refresh_at: float = refresh_at
        #: The age from which newer ones may exist, however long these last.
        self.longest_age: float = longest_age
        #: Reads before this instant take the fast path. It is later than `refresh_at` while a
        #: refresh or its back-off lasts, so that reads stay fast meanwhile.
        self.check_at: float = refresh_at
        self.was_read: bool = False
        #: botocore's form of these credentials, created once.
        self.adapted: Any = None
        #: Whether a refresh has failed since the wall clock alone called them expired: callers wait
        #: for one such refresh, not for each.
        self.wall_tried: bool = False

    @classmethod
    def nothing(cls) -> Snapshot:
        """Return the snapshot that an engine has before the first credentials."""
        credentials = Credentials("", "", "", datetime.fromtimestamp(0, UTC))
        return cls(
            credentials, sent_at=LONG_AGO, wall_at=LONG_AGO, lifetime=0.0, refresh_at=LONG_AGO
        )

    @property
    def empty(self) -> bool:
        """Whether there were no credentials yet."""
        return self.sent_at == LONG_AGO

    def expire(self) -> None:
        """Make it expired for every thread that has a reference to it."""
        self.lifetime = 0.0
        self.refresh_at = self.check_at = LONG_AGO

    @property
    def expires_at(self) -> float:
        """The instant of expiry, counted from the instant of the request."""
        return self.sent_at + self.lifetime

    @property
    def end_of_use(self) -> float:
        """The last instant to sign with them: a request signed later arrives after the expiry."""
        return self.expires_at - min(5.0, self.lifetime / 10)

    def left(self, now: float) -> float:
        """Return the seconds to the end of use."""
        return self.end_of_use - now

    def wall_ahead(self, now: float, wall: float) -> bool:
        """Whether the wall clock ran ahead: BOOTTIME does not count the pause of a VM."""
        return (wall - self.wall_at) - (now - self.sent_at) > WALL_TOLERANCE

    def wall_past_end(self, now: float, wall: float) -> bool:
        """Whether the wall clock alone calls them expired, and no refresh has failed for that."""
        return (
            not self.wall_tried
            and self.wall_ahead(now, wall)
            and wall - self.wall_at >= self.end_of_use - self.sent_at
        )


def state(snapshot: Snapshot, now: float, wall: float | None = None) -> State:
    """Return the state of `snapshot` at `now`; with `wall` the wall clock counts as well."""
    if now >= snapshot.end_of_use:
        return "expired"
    if wall is not None and snapshot.wall_ahead(now, wall):
        return "expired" if snapshot.wall_past_end(now, wall) else "stale"
    return "fresh" if now < snapshot.refresh_at else "stale"
