"""The provider: one identity's credentials, for threads and tasks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds import _freshness as fresh
from irsa_creds._channel import Channel
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
    from irsa_creds._engine import Agenda
    from irsa_creds._events import Event, Status
    from irsa_creds.aiobotocore import AioIrsaCredentials
    from irsa_creds.botocore import IrsaCredentials

__all__ = ["Provider", "engine_of", "pin"]


class Provider:
    """Credentials of one identity, refreshed before anybody needs them.

    Made by `irsa_creds.provider()`, which returns the same object for the same identity. It is
    safe in any thread, task and event loop, and after a fork. It pickles as the arguments it was
    made from, never with secrets.
    """

    def __init__(
        self, config: Config, arguments: Mapping[str, Any], *, clock: Clock, agenda: Agenda | None
    ) -> None:
        self._config = config
        self._arguments = dict(arguments)
        self._now = clock.now
        self._channel = Channel()
        source = TokenCall(config.token) if config.token else TokenFile(config.token_file or "")
        pilot = Pilot(
            config.role_arn,
            source,
            Exchange(config),
            ceiling=config.lifetime_ceiling,
            clock=clock,
            channel=self._channel,
            draw=fresh.DRAW,
        )
        self._engine = Engine(pilot, clock, agenda, self._channel, fresh.DRAW)

    def __repr__(self) -> str:
        return f"<Provider of {self._config.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._arguments,)

    @property
    def role_arn(self) -> str:
        """The role that is assumed."""
        return self._config.role_arn

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
        return self._channel.subscribe(callback)

    def close(self) -> None:
        """Forget the credentials and close the connection; a later read begins anew."""
        self._engine.close()


def engine_of(provider: Provider) -> Engine:
    """Return the engine behind a provider: the one door of the adapters and the fork hooks."""
    return provider._engine  # noqa: SLF001 - no public name, for it is no part of the API


def pin(provider: Provider, arguments: Mapping[str, Any]) -> None:
    """Let a provider that was asked for once more pickle with these arguments as well.

    They name what it is already; a worker's environment may name something else.
    """
    known = provider._arguments  # noqa: SLF001 - as above
    provider._arguments = {**known, **arguments}  # noqa: SLF001 - as above


def _restore(arguments: dict[str, Any]) -> Provider:
    """Unpickle a provider: where it arrives, its arguments and that environment make it anew."""
    from irsa_creds._registry import provider  # noqa: PLC0415 - the registry is above

    return provider(**arguments)
