"""Content of an entry of the shared cache, and its meaning on another process's clocks."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime

from irsa_creds._credentials import Credentials
from irsa_creds._engine import timing
from irsa_creds._engine.snapshot import WALL_TOLERANCE, Snapshot
from irsa_creds._errors import Failure
from irsa_creds._record import Record

__all__ = ["FORMAT", "Entry", "SharedFailure", "boot_id", "dump", "load"]

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class SharedFailure(Record):
    """An error that STS returned, and the time until which no process calls STS again."""

    __slots__ = ()

    failure: Failure
    in_a_row: int
    # How many of them callers waited for: failures of background refreshes must not delay the
    # first attempt after the credentials have expired.
    blocking_in_a_row: int
    # Both by BOOTTIME: if the wall clock is set back, the failure does not last longer.
    failed_at: float
    not_before: float
    # The fingerprint of the token that STS rejected; None if the token is not the cause.
    token: str | None = None

    def as_cached(self, now: float, wall: float, *, blocking: bool, token: str) -> Failure | None:
        """Return the failure as a cached one; None if a process may call STS now.

        Args:
            now: this process's clock.
            wall: this process's wall clock.
            blocking: whether callers wait; for them the failure is cached for a shorter time.
            token: the fingerprint of this process's token, which may be another one.
        """
        if self.token not in (None, token) or now < self.failed_at:
            return None
        until = self.not_before
        if blocking:
            # If only background refreshes failed, callers do not wait.
            count = self.blocking_in_a_row
            seconds = timing.cached_failure_seconds(self.failure, count, _highest) if count else 0.0
            until = min(until, self.failed_at + seconds)
        if now >= until:
            return None
        return self.failure._replace(again_in=until - now, told_at=wall - (now - self.failed_at))


class Entry(Record):
    """Content of an entry: the data that the processes of a pod share about one identity.

    Attributes:
        boot_id: identifies the boot of the machine that all BOOTTIME instants belong to.
        credentials: None if there are none yet.
        sent_at: when the request was sent.
        wall_at: the same by the wall clock.
        lifetime: seconds from then.
        refresh_after: seconds from then to the refresh, the same random time for all processes.
        failure: STS's last response, if it was an error.
    """

    __slots__ = ()

    boot_id: str
    credentials: Credentials | None = None
    sent_at: float = 0.0
    wall_at: float = 0.0
    lifetime: float = 0.0
    refresh_after: float = 0.0
    failure: SharedFailure | None = None

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> Entry:
        """Return the entry of credentials that this process got from STS."""
        return cls(
            boot_id=boot_id(),
            credentials=snapshot.credentials,
            sent_at=snapshot.sent_at,
            wall_at=snapshot.wall_at,
            lifetime=snapshot.lifetime,
            refresh_after=snapshot.refresh_at - snapshot.sent_at,
        )

    def snapshot(self, now: float, wall: float, later: float = 0.0) -> Snapshot | None:
        """Return the credentials on this process's clocks; None if their age is unknown.

        Args:
            now: this process's clock.
            wall: this process's wall clock.
            later: seconds by which this process refreshes after the one that wrote the entry.
        """
        # The larger age counts: neither a wall clock that was set back nor a BOOTTIME of another
        # time namespace may make credentials younger.
        age = max(now - self.sent_at, wall - self.wall_at)
        if self.credentials is None or age < -WALL_TOLERANCE:
            return None
        age = max(age, 0.0)
        sent_at = now - age
        refresh_at = sent_at + self.refresh_after + later
        return Snapshot(self.credentials, sent_at, wall - age, self.lifetime, refresh_at)


#: In the name of an entry, so that two versions of irsa-creds with other fields have separate ones.
#: Raise the number if a field keeps its name and changes its meaning.
FORMAT = (4, Entry._fields, SharedFailure._fields, Failure._fields, Credentials.__slots__)


@functools.cache
def boot_id() -> str:
    """Return the id of this boot of the machine: BOOTTIME of another boot means nothing here.

    Raises:
        OSError: the system does not provide it.
    """
    with open(_BOOT_ID) as file:
        found = file.read().strip()
    if not found:
        raise OSError(f"{_BOOT_ID} is empty.")
    return found


def dump(entry: Entry) -> bytes:
    """Return the content of an entry's file."""
    fields = entry._asdict()
    given, shared = entry.credentials, entry.failure
    if given is not None:
        known = {name: getattr(given, name) for name in given.__slots__}
        fields["credentials"] = known | {"expiration": given.expiration.timestamp()}
    if shared is not None:
        fields["failure"] = shared._asdict() | {"failure": shared.failure._asdict()}
    return json.dumps(fields).encode()


def load(content: bytes) -> Entry:
    """Return the entry that `dump` wrote: the store's checksum has verified that it did."""
    fields = json.loads(content)
    given, shared = fields["credentials"], fields["failure"]
    if given is not None:
        given["expiration"] = datetime.fromtimestamp(given["expiration"], UTC)
        fields["credentials"] = Credentials(**given)
    if shared is not None:
        fields["failure"] = SharedFailure(**shared | {"failure": Failure(**shared["failure"])})
    return Entry(**fields)


def _highest(_: float, high: float, /) -> float:
    """Return the longest pause: the random one ends at `not_before`."""
    return high
