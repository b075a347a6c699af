"""The content of the shared cache: written with a version and a digest, and checked when read."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._credentials import Credentials
from irsa_creds._engine import policy
from irsa_creds._engine.policy import Snapshot
from irsa_creds._errors import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "VERSION",
    "Entry",
    "EntryError",
    "Refusal",
    "boot_id",
    "dump",
    "load",
    "mark_of",
    "seal",
]

#: Of the content. It is part of an entry's name as well: two versions have entries of their own.
VERSION = 2
_FORMAT = "irsa-creds "
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_END_OF_TIME = 253_402_300_799.0  # the last second of the year 9999
_LONGEST_TEXT = 16_384


class EntryError(Exception):
    """The file is not an entry: torn, of another version, or of another identity."""


class Refusal(NamedTuple):
    """A failure that STS answered, and the time until which no process calls STS again."""

    failure: Failure
    in_a_row: int
    # Of those, the ones that callers waited for: failures of background refreshes must not delay
    # the first recovery.
    blocking_in_a_row: int
    # Both by BOOTTIME: after the wall clock was set back they would last for ever.
    told_at: float
    not_before: float
    # The fingerprint of the token that STS rejected; None if the token is not the cause.
    token: str | None = None

    def answer(self, now: float, wall: float, *, blocking: bool, token: str) -> Failure | None:
        """Return the failure as a cached one; None if a process may call STS now.

        Args:
            now: this process's clock.
            wall: this process's wall clock.
            blocking: whether callers wait, for whom the failure is cached for a shorter time.
            token: the fingerprint of this process's token, which may be another one.
        """
        if self.token not in (None, token) or now < self.told_at:
            return None
        until = self.not_before
        if blocking:
            # If only background refreshes failed, callers do not wait.
            count = self.blocking_in_a_row
            lasts = policy.record_seconds(self.failure, count, _longest) if count else 0.0
            until = min(until, self.told_at + lasts)
        if now >= until:
            return None
        return self.failure._replace(again_in=until - now, told_at=wall - (now - self.told_at))


class Entry(NamedTuple):
    """What the processes of a pod know of one identity.

    Attributes:
        boot_id: of the machine whose BOOTTIME all instants are by.
        credentials: None if there are none yet.
        sent_at: when the request was sent.
        wall_at: the same by the wall clock.
        lifetime: seconds from then.
        refresh_after: seconds from then to the refresh, drawn once for all.
        refusal: STS's last answer, if that was a failure.
    """

    boot_id: str
    credentials: Credentials | None = None
    sent_at: float = 0.0
    wall_at: float = 0.0
    lifetime: float = 0.0
    refresh_after: float = 0.0
    refusal: Refusal | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Entry:
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
        """Return the credentials on this process's clocks; None if those cannot tell their age.

        Args:
            now: this process's clock.
            wall: this process's wall clock.
            later: seconds by which this process refreshes after the one that wrote the entry.
        """
        # The larger: neither a wall that was set back nor a BOOTTIME of another time namespace
        # may make credentials younger.
        age = max(now - self.sent_at, wall - self.wall_at)
        if self.credentials is None or age < -policy.WALL_TOLERANCE:
            return None
        age = max(age, 0.0)
        sent_at = now - age
        refresh_at = sent_at + self.refresh_after + later
        return Snapshot(self.credentials, sent_at, wall - age, self.lifetime, refresh_at)


def mark_of(access_key_id: str) -> str:
    """Return the hash that stands for a revoked key."""
    return hashlib.sha256(access_key_id.encode()).hexdigest()


@functools.cache
def boot_id() -> str:
    """Return the id of this boot of the machine: BOOTTIME of another boot means nothing here.

    Raises:
        OSError: the system does not tell it.
    """
    found = Path(_BOOT_ID).read_bytes().decode("utf-8", "replace").strip()
    if not found:
        raise OSError(0, "it is empty", _BOOT_ID)
    return found


def dump(entry: Entry, name: str) -> bytes:
    """Return an entry as it is written."""
    given, refusal = entry.credentials, entry.refusal
    content = {
        **entry._asdict(),
        "identity": name,
        "credentials": given
        and {
            **{field: getattr(given, field) for field in given.__slots__},
            "expiration": given.expiration.timestamp(),
        },
        "refusal": refusal and {**refusal._asdict(), "failure": refusal.failure._asdict()},
    }
    return seal(VERSION, json.dumps(content).encode())


def seal(version: int, content: bytes) -> bytes:
    """Return the content below a line with its version and its digest."""
    return f"{_FORMAT}{version} {hashlib.sha256(content).hexdigest()}\n".encode() + content


def load(data: bytes, name: str, role_arn: str) -> Entry:
    """Return the entry that a file holds.

    Args:
        data: the content of the file.
        name: the entry's, which stands in the content as well.
        role_arn: the role that the credentials must be of.

    Raises:
        EntryError: it is not an entry of this name and role.
    """
    head, _, body = data.partition(b"\n")
    version, _, _ = head.removeprefix(_FORMAT.encode()).partition(b" ")
    if head.startswith(_FORMAT.encode()) and version.isdigit() and version != b"%d" % VERSION:
        raise EntryError("it is of another version")
    if data != seal(VERSION, body):
        raise EntryError("it is torn")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise EntryError("it is not an entry")
    if content.get("identity") != name:
        raise EntryError("it is of another identity")
    try:
        return _entry(content, role_arn)
    except (KeyError, TypeError, AttributeError, OverflowError):
        raise EntryError("it is not complete") from None


def _entry(content: Mapping[str, Any], role_arn: str) -> Entry:
    credentials, refusal = content["credentials"], content["refusal"]
    lifetime = _number(content["lifetime"])
    return Entry(
        boot_id=_text(content["boot_id"]),
        credentials=None if credentials is None else _credentials(credentials, role_arn),
        sent_at=_number(content["sent_at"]),
        wall_at=_number(content["wall_at"]),
        lifetime=lifetime,
        refresh_after=_number(content["refresh_after"], most=lifetime),
        refusal=None if refusal is None else _refusal(refusal),
    )


def _credentials(content: Mapping[str, Any], role_arn: str) -> Credentials:
    assumed = _optional_text(content["assumed_role_arn"])
    if assumed is not None and not _is_of_role(assumed, role_arn):
        raise EntryError("it holds credentials of another role")
    return Credentials(
        _text(content["access_key_id"]),
        _text(content["secret_access_key"]),
        _text(content["session_token"]),
        datetime.fromtimestamp(_number(content["expiration"]), UTC),
        _optional_text(content["account_id"]),
        assumed,
    )


def _is_of_role(assumed: str, role_arn: str) -> bool:
    """Whether arn:P:sts::A:assumed-role/NAME/SESSION is of arn:P:iam::A:role/PATH/NAME."""
    session, role = assumed.split(":", 5), role_arn.split(":", 5)
    parts = session[-1].split("/")
    return (
        len(session) == len(role)
        and session[4] == role[4]
        and len(parts) > 2  # noqa: PLR2004 - "assumed-role", its name, the session's
        and role[-1].rpartition("/")[2] in parts[1:-1]
    )


def _refusal(content: Mapping[str, Any]) -> Refusal:
    return Refusal(
        failure=Failure(**content["failure"]),
        in_a_row=int(_number(content["in_a_row"])),
        blocking_in_a_row=int(_number(content["blocking_in_a_row"])),
        told_at=_number(content["told_at"]),
        not_before=_number(content["not_before"]),
        token=_optional_text(content["token"]),
    )


def _number(value: Any, *, most: float = _END_OF_TIME) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise EntryError("it holds another value in place of a number")
    if not 0 <= value <= most:
        raise EntryError("it holds an impossible number")
    return float(value)


def _longest(_: float, high: float, /) -> float:
    """Draw the longest pause: the one that was drawn ends at `not_before`."""
    return high


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise EntryError("it holds another value in place of a text")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)
