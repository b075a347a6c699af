"""The common part of the sync and async adapters: all state is that of the provider's engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.credentials import AssumeRoleWithWebIdentityProvider, ReadOnlyCredentials

from irsa_creds._errors import IrsaError
from irsa_creds._expired_hook import watch_for_expired
from irsa_creds._freshness import NEVER, Snapshot, State, state
from irsa_creds._private import last_client_region
from irsa_creds._provider import engine_of
from irsa_creds._registry import REGISTRY
from irsa_creds._session_settings import SessionSettings
from irsa_creds._settings import route_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from irsa_creds._config import Config
    from irsa_creds._provider import Provider

__all__ = [
    "HOP_METHOD",
    "METHOD",
    "NOTHING_HELD",
    "TOGETHER",
    "Frozen",
    "Held",
    "InChain",
    "OnEngine",
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


class OnEngine:
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


class InChain:
    """Our provider in a chain, under the name of botocore's own provider.

    Args:
        session: the session that has the chain.
        profile_name: the profile that names role and token.
        disable_env_vars: ignore the web identity variables, because code named a profile.
        strict: raise an error if IRSA is not configured.
        replaced: the provider that it replaces; None if it is an additional one.
        hops: it serves only roles that are reached by `source_profile`. With `strict` it serves
            them as well, because they take precedence over the web identity.
    """

    METHOD = METHOD
    CANONICAL_NAME = "custom-irsa-creds"

    # botocore's constructor wants a function that makes an STS client; there is none here.
    def __init__(
        self,
        session: Any,
        profile_name: str,
        *,
        disable_env_vars: bool,
        strict: bool = False,
        replaced: Any = None,
        hops: bool = False,
    ) -> None:
        self.replaced = replaced
        self.strict = strict
        self._hops = hops
        self._profile_name = profile_name
        self._session = session
        self._settings = SessionSettings(session, profile_name, explicit_profile=disable_env_vars)
        self._profile = profile_name if disable_env_vars else None

    def _provider(self) -> Provider | None:
        """Return the provider of the session's identity; None if IRSA is not configured."""
        try:
            config = self._config()
        except IrsaError as error:
            caught = error
        else:
            if config is None:
                return None
            provider = REGISTRY.of(config, {"profile": self._profile} if self._profile else {})
            watch_for_expired(self._session, engine_of(provider))
            return provider
        # Raised outside of the handler, the error has no context: one traceback, ours.
        raise in_botocore(caught)

    def _config(self) -> Config | None:
        session, region = self._session, last_client_region(self._session)
        if self._hops or self.strict:
            route = route_of(session.full_config["profiles"], self._profile_name)
            if route is not None:
                source = SessionSettings(session, route.base, explicit_profile=True)
                return source.config(strict=True, client_region=region, roles=route.roles)
        if self._hops:
            return None
        return self._settings.config(strict=self.strict, client_region=region)


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
    from irsa_creds._dual_errors import dual  # noqa: PLC0415

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
