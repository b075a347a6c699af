"""botocore's credentials object and chain provider, on our engine."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    ReadOnlyCredentials,
    RefreshableCredentials,
)

from irsa_creds._errors import IrsaError
from irsa_creds._expired_hook import watch_for_expired
from irsa_creds._freshness import Snapshot, State, state
from irsa_creds._lazy import load_late
from irsa_creds._private import last_client_region
from irsa_creds._provider import engine_of
from irsa_creds._registry import REGISTRY
from irsa_creds._session_settings import SessionSettings
from irsa_creds._waiting import acquire

if TYPE_CHECKING:
    from typing import Protocol, Self

    from irsa_creds._provider import Provider

    class Frozen(Protocol):
        """botocore's ReadOnlyCredentials."""

        access_key: str
        secret_key: str
        token: str
        account_id: str | None


__all__ = ["IrsaCredentials", "IrsaProvider"]

_METHOD: str = AssumeRoleWithWebIdentityProvider.METHOD


class _Taken(threading.local):
    """The set that a thread reads properties of, and the names that it has read."""

    def __init__(self) -> None:
        self.snapshot = Snapshot.nothing()
        self.names: frozenset[str] = frozenset()
        self.last = ""


def _part(name: str, meaning: str) -> property:
    """Return the property `name` of a thread's set; botocore's own may be set, this not."""

    def read(credentials: IrsaCredentials) -> Any:
        return getattr(credentials._taken_set(name), name)  # noqa: SLF001 - it is its property

    def write(credentials: IrsaCredentials, value: object) -> NoReturn:
        del credentials, value
        raise AttributeError(
            f"irsa_creds' credentials are read-only: {name} comes from STS. "
            "Give other keys to the session or client."
        )

    return property(read, write, doc=f"{meaning} All that a pass reads is of one answer of STS.")


class IrsaCredentials(RefreshableCredentials):
    """botocore's credentials object, as thin as can be: all state is the provider's.

    Args:
        provider: whose credentials these are.
    """

    # The base's constructor wants credentials: these come when somebody reads.
    def __init__(self, provider: Provider) -> None:
        self.method = _METHOD
        self.provider = provider
        self._engine = engine_of(provider)
        self._now = self._engine.now
        self._taken = _Taken()

    def get_frozen_credentials(self) -> Frozen:
        """Return key, secret and token of one answer of STS; while some are valid, at once.

        Raises:
            CredentialRetrievalError: none are valid, and none could be had. It is an `IrsaError`
                as well, and a `ClientError` where STS refused.
        """
        snapshot = self._engine.snapshot
        # `_freshness.state` inlined: one comparison decides for nearly every request.
        if self._now() < snapshot.check_at:
            snapshot.was_read = True
            frozen: Frozen = snapshot.adapted or _adapted(snapshot)
            return frozen
        return _adapted(self._acquire())

    def _acquire(self) -> Snapshot:
        try:
            return acquire(self._engine)
        except IrsaError as error:
            caught = error
        # Out here it has no context: one traceback, ours.
        raise _in_botocore(caught)

    access_key = _part("access_key", "The key id.")
    secret_key = _part("secret_key", "The secret key.")
    token = _part("token", "The session token.")
    account_id = _part("account_id", "The account of the role; it belongs to any pass.")

    def _taken_set(self, name: str) -> Frozen:
        """Return the set that this thread's pass over the properties has, or begin a pass.

        Code reads them in an order of its own: a name read again is the next pass. The exception
        is `if c.token: token = c.token`: twice in a row is the same pass, as long as the set may
        be used. Not so the key id: with it nearly every pass begins, and some read nothing else.
        """
        taken = self._taken
        in_a_row = name == taken.last and name != "access_key"
        again = name in taken.names and not in_a_row
        if again or self._now() >= taken.snapshot.end_of_use:
            taken.snapshot = self._take()
            taken.names = frozenset()
        if name != "account_id":
            taken.names |= {name}
            taken.last = name
        return _adapted(taken.snapshot)

    def _take(self) -> Snapshot:
        snapshot = self._engine.snapshot
        if self._now() < snapshot.check_at:
            snapshot.was_read = True
            return snapshot
        return self._acquire()

    # -- what others read of botocore's own fields -----------------------------------------------

    @property
    def _frozen_credentials(self) -> Frozen | None:
        snapshot = self._engine.snapshot
        return _adapted(snapshot) if self._now() < snapshot.end_of_use else None

    @property
    def _expiry_time(self) -> datetime | None:
        snapshot = self._engine.snapshot
        if not snapshot.lifetime:
            return None
        return datetime.fromtimestamp(snapshot.wall_at + snapshot.lifetime, UTC)

    @_expiry_time.setter
    def _expiry_time(self, when: datetime | None) -> None:
        # A time in the past is the usual trick to force a refresh: the next read starts one. Any
        # other cannot make credentials last, and does nothing.
        if when is not None and when.replace(tzinfo=when.tzinfo or UTC) <= self._time_fetcher():
            snapshot = self._engine.snapshot
            snapshot.refresh_at = min(snapshot.refresh_at, self._now())
            self._engine.rouse()

    @staticmethod
    def _time_fetcher() -> datetime:
        return datetime.now(UTC)

    def refresh_needed(self, refresh_in: float | None = None) -> bool:
        """Say whether a refresh is due.

        Args:
            refresh_in: seconds before the end from which it is; None: the engine's own plan.
        """
        snapshot, now = self._engine.snapshot, self._now()
        if refresh_in is None:
            return state(snapshot, now) is not State.FRESH
        return snapshot.left(now) < refresh_in

    def _refresh(self) -> None:
        self.get_frozen_credentials()

    # With it others force a refresh: botocore's own takes its lock before, and has no engine.
    def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - botocore's own
        del is_mandatory
        self._expiry_time = self._time_fetcher()
        self._refresh()

    # All state is the engine's: a copy would be the same.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<IrsaCredentials of {self.provider.role_arn}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Credentials do not pickle: secrets must not travel. Pickle the provider, or a "
            "session of irsa_creds.boto3_session()."
        )


def _in_botocore(error: IrsaError) -> IrsaError:
    """Return `error` as botocore's callers know it; a program that meets none pays for none."""
    load_late("irsa_creds._dual_errors")
    from irsa_creds._dual_errors import dual  # noqa: PLC0415

    return dual(error)


def _adapted(snapshot: Snapshot) -> Frozen:
    """Return botocore's form of a snapshot, made once for all who read it."""
    if snapshot.adapted is None:
        given = snapshot.credentials
        snapshot.adapted = ReadOnlyCredentials(
            given.access_key_id, given.secret_access_key, given.session_token, given.account_id
        )
    frozen: Frozen = snapshot.adapted
    return frozen


class IrsaProvider(AssumeRoleWithWebIdentityProvider):
    """The place in botocore's chain, under the name that its own provider has there.

    Args:
        session: the session whose chain it is.
        profile_name: the profile that names role and token.
        disable_env_vars: whether the web identity variables are off, because code named a profile.
        strict: take it as an error when IRSA is not configured.
        replaced: the provider whose place it takes; None where it comes in addition.
    """

    METHOD = _METHOD
    CANONICAL_NAME = "custom-irsa-creds"

    # The base's constructor wants what makes an STS client; there is none here.
    def __init__(
        self,
        session: Any,
        profile_name: str,
        *,
        disable_env_vars: bool,
        strict: bool = False,
        replaced: Any = None,
    ) -> None:
        self.replaced = replaced
        self.strict = strict
        self._session = session
        self._settings = SessionSettings(session, profile_name, explicit_profile=disable_env_vars)
        self._profile = profile_name if disable_env_vars else None

    def load(self) -> IrsaCredentials | None:
        """Return the credentials object; None where IRSA is not configured: the chain goes on.

        Raises:
            InvalidConfigError: a value is malformed, or something is half set; a `ConfigError`
                as well.
        """
        try:
            config = self._settings.config(
                strict=self.strict,
                client_region=last_client_region(self._session),
            )
        except IrsaError as error:
            caught = error
        else:
            if config is None:
                return None
            provider = REGISTRY.of(config, {"profile": self._profile} if self._profile else {})
            watch_for_expired(self._session, engine_of(provider))
            return IrsaCredentials(provider)
        raise _in_botocore(caught)
