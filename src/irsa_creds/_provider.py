"""The provider: one identity's credentials, for threads and tasks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds import _freshness as fresh
from irsa_creds._channel import Subscribers
from irsa_creds._engine import Engine
from irsa_creds._pilot import Pilot
from irsa_creds._sts import Exchange
from irsa_creds._token import TokenCall, TokenFile
from irsa_creds._waiting import aacquire, acquire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds._clock import Clock
    from irsa_creds._config import Config
    from irsa_creds._credentials import Credentials
    from irsa_creds._events import Event, Status
    from irsa_creds._slots import Slots
    from irsa_creds._timer import Timer
    from irsa_creds.aiobotocore import AioIrsaCredentials
    from irsa_creds.botocore import IrsaCredentials

__all__ = ["Provider", "arguments_of", "engine_of", "pin", "share"]


# Arguments that name no identity.
_ASIDE = {"keep_warm", "shared_cache"}


class Provider:
    """Credentials of one identity, refreshed before anybody needs them.

    Made by `irsa_creds.provider()`, which returns the same object for the same identity. It is
    safe in any thread, task and event loop, and after a fork. It pickles as the arguments it was
    made from, never with secrets.
    """

    def __init__(
        self,
        config: Config,
        arguments: Mapping[str, Any],
        *,
        clock: Clock,
        timer: Timer | None,
        slots: Slots | None = None,
        before: Provider | None = None,
    ) -> None:
        self._config = config
        self._arguments = dict(arguments)
        self._now = clock.now
        self._subscribers = Subscribers()
        # Held as long as this: nobody else may.
        self._before = before
        self._pilot = pilot = _pilot_of(config, before, clock)
        self._clock = clock
        self._engine = Engine(pilot, clock, timer, self._subscribers, fresh.DRAW, slots=slots)

    def __repr__(self) -> str:
        return f"<Provider of {self.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._arguments,)

    @property
    def role_arn(self) -> str:
        """The role whose credentials these are; in a chain, the last one."""
        return self._config.final_role_arn

    def get(self, *, min_ttl: float = 0.0, timeout: float = fresh.WAITER_SECONDS) -> Credentials:
        """Return valid credentials; while some are there, at once.

        Args:
            min_ttl: seconds that must be left before they end, for presigned URLs.
            timeout: seconds to wait where nothing valid is there.

        Raises:
            TokenError: the token cannot be had.
            ExchangeError: STS refused, failed or could not be reached.
            RefreshTimeout: `timeout` is over, or `min_ttl` is more than there is.
        """
        snapshot = self._engine.snapshot
        if not min_ttl and self._now() < snapshot.check_at:
            snapshot.was_read = True
            return snapshot.credentials
        return acquire(self._engine, min_ttl, timeout).credentials

    async def aget(
        self,
        *,
        min_ttl: float = 0.0,
        timeout: float = fresh.WAITER_SECONDS,  # noqa: ASYNC109 - as in `get`, on trio as well
    ) -> Credentials:
        """Return valid credentials on asyncio or trio, without a thread per waiter.

        Args:
            min_ttl: seconds that must be left before they end, for presigned URLs.
            timeout: seconds to wait where nothing valid is there.

        Raises:
            TokenError: the token cannot be had.
            ExchangeError: STS refused, failed or could not be reached.
            RefreshTimeout: `timeout` is over, or `min_ttl` is more than there is.
        """
        snapshot = self._engine.snapshot
        if not min_ttl and self._now() < snapshot.check_at:
            snapshot.was_read = True
            return snapshot.credentials
        return (await aacquire(self._engine, min_ttl, timeout)).credentials

    def botocore_credentials(self) -> IrsaCredentials:
        """Return these as boto3 and botocore have them, for code that takes such an object.

        It is what `boto3.Session().get_credentials()` returns after `install()`: a
        `RefreshableCredentials` that is always valid, for signers of other libraries.
        """
        from irsa_creds.botocore import IrsaCredentials  # noqa: PLC0415 - it is above

        return IrsaCredentials(self)

    def aiobotocore_credentials(self) -> AioIrsaCredentials:
        """Return these as aiobotocore has them: `await get_frozen_credentials()` gives a set.

        Raises:
            ImportError: there is no aiobotocore.
        """
        from irsa_creds.aiobotocore import AioIrsaCredentials  # noqa: PLC0415 - it is above

        return AioIrsaCredentials(self)

    def prefetch(self) -> None:
        """Start a refresh where one is due or nothing is valid; return at once."""
        self._engine.prefetch()

    def invalidate(self, access_key_id: str | None = None) -> None:
        """Let nobody use these credentials any more; the next read waits for new ones.

        A failure that answers for STS (`Failure.again_in`) goes on doing so for its time.

        Args:
            access_key_id: the key to give up; another one in use by now stays. None: any.
        """
        self._engine.invalidate(access_key_id)

    def status(self) -> Status:
        """Return how the credentials are; starts nothing, waits for nothing."""
        return self._engine.status()

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call `callback` with every event from now on; return what ends that.

        It runs on the refresh's own thread after all waiters are released. One that raises is
        logged and changes nothing; a slow one delays later events only.

        Args:
            callback: takes `RefreshStarted`, `RefreshSucceeded`, `RefreshFailed` or
                `TokenRotated`.
        """
        return self._subscribers.subscribe(callback)

    def close(self, *, purge: bool = False) -> None:
        """Forget the credentials; a later read fetches others.

        Args:
            purge: remove them from the shared cache as well, where there is one.
        """
        if purge and self._engine.sharing is not None:
            self._engine.sharing.purge()
        self._engine.close()


def _pilot_of(config: Config, before: Provider | None, clock: Clock) -> Pilot:
    """Return what gets the credentials of an identity from STS."""
    common: dict[str, Any] = {
        "ceiling": config.lifetime_ceiling,
        "clock": clock,
        "draw": fresh.DRAW,
    }
    if before is None:
        source = TokenCall(config.token) if config.token else TokenFile(config.token_file or "")
        return Pilot(config.final_role_arn, source, Exchange(config), **common)
    # Most programs have no chain of roles.
    from irsa_creds._assume import ChainExchange  # noqa: PLC0415
    from irsa_creds._chain_pilot import ChainPilot, RoleBefore  # noqa: PLC0415

    role = RoleBefore(before._engine, before._pilot)  # noqa: SLF001 - of this very class
    return ChainPilot(config.final_role_arn, role, ChainExchange(config), **common)


def engine_of(provider: Provider) -> Engine:
    """Return the engine behind a provider: the one door of the adapters and the fork hooks."""
    return provider._engine  # noqa: SLF001 - no public name, for it is no part of the API


def pin(provider: Provider, arguments: Mapping[str, Any]) -> None:
    """Let a provider that was asked for once more pickle as it was asked for.

    In words of one call: those of two may name a third identity together. The first that has some
    counts, for a worker's environment may name something else.
    """
    known = provider._arguments  # noqa: SLF001 - as above
    aside = {name: value for name, value in arguments.items() if name in _ASIDE}
    words = known if known.keys() - _ASIDE else arguments
    provider._arguments = {**known, **words, **aside}  # noqa: SLF001 - as above


def arguments_of(provider: Provider) -> Mapping[str, Any]:
    """Return what a provider was asked for with, so far."""
    return provider._arguments  # noqa: SLF001 - as above


def share(provider: Provider, place: bool | str | None) -> None:  # noqa: FBT001 - a place, or the usual
    """Let a provider look first for what other processes have.

    Args:
        provider: whose credentials they are.
        place: a directory; True: the container's own directory for temporary files; None or
            False: nowhere.
    """
    engine = provider._engine  # noqa: SLF001 - as above
    if not place:
        engine.sharing = None
        return
    from irsa_creds._sharing import Sharing  # noqa: PLC0415 - it is off for most

    directory = None if place is True else place
    if engine.sharing is None or engine.sharing.given != directory:
        engine.sharing = Sharing(
            provider._config,  # noqa: SLF001 - as above
            provider._pilot,  # noqa: SLF001 - as above
            provider._clock,  # noqa: SLF001 - as above
            directory,
        )


def _restore(arguments: dict[str, Any]) -> Provider:
    """Unpickle a provider: where it arrives, its arguments and that environment make it anew."""
    from irsa_creds._registry import provider  # noqa: PLC0415 - the registry is above

    return provider(**arguments)
