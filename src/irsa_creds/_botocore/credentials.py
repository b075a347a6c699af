"""The common part of the sync and async credentials objects; the engine has all state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from botocore.credentials import AssumeRoleWithWebIdentityProvider, ReadOnlyCredentials

from irsa_creds._engine.snapshot import LONG_AGO, Snapshot, state
from irsa_creds._registry import engine_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from irsa_creds._errors import IrsaError
    from irsa_creds._registry import Registered

__all__ = [
    "ASSUME_ROLE_METHOD",
    "METHOD",
    "NO_PIN",
    "PIN_SECONDS",
    "Attribute",
    "CredentialsMixin",
    "Frozen",
    "Pin",
    "as_botocore_error",
    "frozen_of",
    "next_pin",
]

_Value = TypeVar("_Value")

METHOD: str = AssumeRoleWithWebIdentityProvider.METHOD
# credentials.AssumeRoleProvider's (botocore 1.44.8).
ASSUME_ROLE_METHOD = "assume-role"
#: Attributes that are read less than this many seconds apart come from one response.
PIN_SECONDS = 0.1
# Seconds after which an older response is not used any more, however short the pauses are.
_LONGEST_PIN = 1.5


class Frozen(ReadOnlyCredentials):
    """botocore's named tuple of one STS response; its `repr` shows no secret."""

    __slots__ = ()
    access_key: str
    secret_key: str
    token: str
    account_id: str | None

    def __repr__(self) -> str:
        return f"<ReadOnlyCredentials ...{self.access_key[-4:]}>"

    # It may be sent to a process without irsa-creds.
    def __reduce__(self) -> tuple[Any, ...]:
        return ReadOnlyCredentials, tuple(self)


#: (snapshot, read_at, newest_at): what a thread or task reads attributes of, when it last did, and
#: when that snapshot was last the newest. A plain tuple, because each read makes one.
Pin = tuple[Snapshot, float, float]
NO_PIN: Pin = (Snapshot.nothing(), LONG_AGO, LONG_AGO)


def next_pin(pin: Pin, newest: Snapshot, found: Snapshot, now: float) -> Pin:
    """Return the pin of a thread or task after it has read one more attribute.

    Reads less than `PIN_SECONDS` apart use the pinned snapshot. A program that never pauses for so
    long must get newer values as well, but not in the middle of signing a request. So the required
    pause shrinks from 0.5 s on after the snapshot was replaced, to nothing a second later
    (`_LONGEST_PIN`): some pause between two requests, longer than any within one, is enough then.

    Args:
        pin: the one after the last read.
        newest: the engine's snapshot before this read.
        found: the snapshot that the engine serves.
        now: the instant of this read.
    """
    snapshot, read_at, newest_at = pin
    if (
        found is not snapshot
        and now - read_at < PIN_SECONDS * min(1.0, _LONGEST_PIN - (now - newest_at))
        # If the newest is revoked, or expired by the wall clock alone, older ones must not be used.
        and now < min(snapshot.end_of_use, newest.end_of_use)
        and min(snapshot.check_at, newest.check_at) > LONG_AGO
    ):
        return snapshot, now, newest_at
    return found, now, now


class CredentialsMixin:
    """Members of botocore's credentials objects that other code uses, sync and async.

    Args:
        provider: the provider of the credentials.
    """

    # botocore's constructors take credentials; these are fetched at the first read.
    def __init__(self, provider: Registered) -> None:
        self.provider = provider
        self._engine = engine_of(provider)
        self.method: str = provider._identity.method  # noqa: SLF001 - it is not API
        self._now = self._engine.now

    @property
    def _frozen_credentials(self) -> Frozen | None:
        snapshot = self._engine.snapshot
        return frozen_of(snapshot) if self._now() < snapshot.end_of_use else None

    @property
    def _expiry_time(self) -> datetime | None:
        snapshot = self._engine.snapshot
        if not snapshot.lifetime:
            return None
        return datetime.fromtimestamp(snapshot.wall_at + snapshot.lifetime, UTC)

    @_expiry_time.setter
    def _expiry_time(self, when: datetime | None) -> None:
        # Other code sets a time in the past to force a refresh: the next read starts one. Any other
        # time has no effect, because it cannot make credentials last longer.
        if when is not None and when.replace(tzinfo=when.tzinfo or UTC) <= self._time_fetcher():
            snapshot = self._engine.snapshot
            snapshot.refresh_at = min(snapshot.refresh_at, self._now())
            self._engine.leave_fast_path()

    @staticmethod
    def _time_fetcher() -> datetime:
        return datetime.now(UTC)

    def refresh_needed(self, refresh_in: float | None = None) -> bool:
        """Return whether a refresh is due.

        Args:
            refresh_in: seconds before the end of use; None: by the engine's refresh time.
        """
        snapshot, now = self._engine.snapshot, self._now()
        if refresh_in is None:
            return state(snapshot, now) != "fresh"
        return snapshot.left(now) < refresh_in

    # A copy would use the same engine.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.provider.role_arn}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Credentials cannot be pickled, because a pickle must not contain secrets. Pickle the "
            "provider, or a session of irsa_creds.boto3_session() or "
            "irsa_creds.aiobotocore_session()."
        )


class Attribute(property, Generic[_Value]):
    """A property that raises an error with instructions if code sets it.

    Args:
        name: its name.
        read: returns its value.
        doc: its docstring.
    """

    if TYPE_CHECKING:
        # Only objects are read: typeshed has an overload for classes as well.
        def __get__(self, credentials: Any, owner: Any = None, /) -> _Value: ...  # type: ignore[override]

    def __init__(self, name: str, read: Callable[[Any], _Value], doc: str | None = None) -> None:
        def write(credentials: object, value: object) -> NoReturn:
            del credentials, value
            raise AttributeError(
                f"The credentials of irsa_creds are read-only: {name} comes from STS. "
                "Pass other keys to the session or client."
            )

        super().__init__(read, write, doc=doc)


def as_botocore_error(error: IrsaError) -> IrsaError:
    """Return `error` as a subclass of the exception that botocore raises."""
    # Most programs get no error and do not need the import.
    from irsa_creds._botocore.errors import to_botocore  # noqa: PLC0415

    return to_botocore(error)


def frozen_of(snapshot: Snapshot) -> Frozen:
    """Return botocore's form of a snapshot, made once for all callers."""
    if snapshot.adapted is None:
        given = snapshot.credentials
        snapshot.adapted = Frozen(
            given.access_key_id, given.secret_access_key, given.session_token, given.account_id
        )
    frozen: Frozen = snapshot.adapted
    return frozen
