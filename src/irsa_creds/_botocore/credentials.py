"""The common part of the sync and async adapters: all state is that of the provider's engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.credentials import AssumeRoleWithWebIdentityProvider, ReadOnlyCredentials

from irsa_creds._engine.policy import NEVER, Snapshot, State, state
from irsa_creds._provider import engine_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from irsa_creds._errors import IrsaError
    from irsa_creds._provider import Provider

__all__ = [
    "HOP_METHOD",
    "METHOD",
    "NOTHING_HELD",
    "TOGETHER",
    "CredentialsMixin",
    "Frozen",
    "Held",
    "adapted",
    "after_read",
    "in_botocore",
    "read_only",
]

METHOD: str = AssumeRoleWithWebIdentityProvider.METHOD
# credentials.AssumeRoleProvider's (botocore 1.44.8).
HOP_METHOD = "assume-role"
#: Single values that are read less than this many seconds apart are of one response.
TOGETHER = 0.1
# Seconds after which an older response is not read any more, however short the pauses are.
_LONGEST = 1.5


class Frozen(ReadOnlyCredentials):
    """botocore's own value, of one response of STS; its `repr` shows no secret."""

    __slots__ = ()
    access_key: str
    secret_key: str
    token: str
    account_id: str | None

    def __repr__(self) -> str:
        return f"<ReadOnlyCredentials ...{self.access_key[-4:]}>"

    # Code that takes a set has the secrets, and may send it to a process without irsa-creds.
    def __reduce__(self) -> tuple[Any, ...]:
        return ReadOnlyCredentials, tuple(self)


#: The response whose values a thread or task reads one by one, the instant of its last read, and
#: the last one at which that response was the newest. It is a plain tuple because each read makes
#: one.
Held = tuple[Snapshot, float, float]
NOTHING_HELD: Held = (Snapshot.nothing(), NEVER, NEVER)


def after_read(held: Held, newest: Snapshot, found: Snapshot, now: float) -> Held:
    """Return what a thread or task holds after one more read of a single value.

    Reads less than `TOGETHER` apart go on with the response that is held. A program that never
    pauses for so long must get newer values as well, but not in the middle of a request that it
    signs. So after half a second with an older response the pause that suffices shrinks, and within
    another second a pause between two requests, longer than those within one, is enough.

    Args:
        held: what it held before.
        newest: the engine's snapshot before this read.
        found: what the engine serves.
        now: the instant of this read.
    """
    snapshot, read_at, newest_at = held
    if (
        found is not snapshot
        and now - read_at < TOGETHER * min(1.0, _LONGEST - (now - newest_at))
        # After a revocation, or if the wall clock alone calls the newest expired, older ones must
        # not be used either.
        and now < min(snapshot.end_of_use, newest.end_of_use)
        and min(snapshot.check_at, newest.check_at) > NEVER
    ):
        return snapshot, now, newest_at
    return found, now, now


class CredentialsMixin:
    """The members of botocore's credentials objects that other code uses, sync and async.

    Args:
        provider: the provider of the credentials.
    """

    # botocore's constructors want credentials: these are fetched at the first read.
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._engine = engine_of(provider)
        self.method: str = HOP_METHOD if self._engine.is_chained else METHOD
        self._now = self._engine.now

    @property
    def _frozen_credentials(self) -> Frozen | None:
        snapshot = self._engine.snapshot
        return adapted(snapshot) if self._now() < snapshot.end_of_use else None

    @property
    def _expiry_time(self) -> datetime | None:
        snapshot = self._engine.snapshot
        if not snapshot.lifetime:
            return None
        return datetime.fromtimestamp(snapshot.wall_at + snapshot.lifetime, UTC)

    @_expiry_time.setter
    def _expiry_time(self, when: datetime | None) -> None:
        # A time in the past is the usual trick to force a refresh: the next read starts one. Any
        # other time cannot make credentials last longer, and has no effect.
        if when is not None and when.replace(tzinfo=when.tzinfo or UTC) <= self._time_fetcher():
            snapshot = self._engine.snapshot
            snapshot.refresh_at = min(snapshot.refresh_at, self._now())
            self._engine.leave_fast_path()

    @staticmethod
    def _time_fetcher() -> datetime:
        return datetime.now(UTC)

    def refresh_needed(self, refresh_in: float | None = None) -> bool:
        """Say whether a refresh is due.

        Args:
            refresh_in: seconds before the end of use; None: the engine's own plan.
        """
        snapshot, now = self._engine.snapshot, self._now()
        if refresh_in is None:
            return state(snapshot, now) is not State.FRESH
        return snapshot.left(now) < refresh_in

    # All state is that of the engine: a copy would be the same.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.provider.role_arn}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Credentials do not pickle: secrets must not travel. Pickle the provider, or a "
            "session of irsa_creds.boto3_session() or irsa_creds.aiobotocore_session()."
        )


def read_only(name: str) -> Callable[[object, object], NoReturn]:
    """Return the setter of the property `name`, which raises an error that says what to do."""

    def write(credentials: object, value: object) -> NoReturn:
        del credentials, value
        raise AttributeError(
            f"irsa_creds' credentials are read-only: {name} comes from STS. "
            "Give other keys to the session or client."
        )

    return write


def in_botocore(error: IrsaError) -> IrsaError:
    """Return `error` as a subclass that callers of botocore catch as well."""
    # Most programs meet no error: they do not pay for the import.
    from irsa_creds._botocore.errors import dual  # noqa: PLC0415

    return dual(error)


def adapted(snapshot: Snapshot) -> Frozen:
    """Return botocore's form of a snapshot, made once for all readers."""
    if snapshot.adapted is None:
        given = snapshot.credentials
        snapshot.adapted = Frozen(
            given.access_key_id, given.secret_access_key, given.session_token, given.account_id
        )
    frozen: Frozen = snapshot.adapted
    return frozen
