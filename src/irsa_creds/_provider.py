"""The provider: one identity's credentials, for threads and tasks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds._engine import policy
from irsa_creds._engine.waiting import aacquire, acquire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds._credentials import Credentials
    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.events import Event, Status
    from irsa_creds._identity.config import Config
    from irsa_creds.aiobotocore import AioIrsaCredentials
    from irsa_creds.botocore import IrsaCredentials

__all__ = ["Provider", "engine_of"]


class Provider:
    """Credentials of one identity, refreshed before anybody needs them.

    Made by `irsa_creds.provider()`, which returns the same object for the same identity. It is
    safe in any thread, task and event loop, and after a fork. It pickles as the arguments it was
    made from, never with secrets.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        source: Provider | None,
        arguments: Mapping[str, Any],
    ) -> None:
        self._config = config
        self._engine = engine
        self._now = engine.now
        # The source role's provider lives as long as this one.
        self._source = source
        self._arguments = dict(arguments)

    def __repr__(self) -> str:
        return f"<Provider of {self.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._arguments,)

    @property
    def role_arn(self) -> str:
        """The role whose credentials these are; in a chain, the last one."""
        return self._config.final_role_arn

    def get(self, *, min_ttl: float = 0.0, timeout: float = policy.WAITER_SECONDS) -> Credentials:
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
        timeout: float = policy.WAITER_SECONDS,  # noqa: ASYNC109 - as in `get`, on trio as well
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
        from irsa_creds.botocore import IrsaCredentials  # noqa: PLC0415 - an integration

        return IrsaCredentials(self)

    def aiobotocore_credentials(self) -> AioIrsaCredentials:
        """Return these as aiobotocore has them: `await get_frozen_credentials()` gives a set.

        Raises:
            ImportError: there is no aiobotocore.
        """
        from irsa_creds.aiobotocore import AioIrsaCredentials  # noqa: PLC0415 - an integration

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
        return self._engine.subscribers.subscribe(callback)

    def close(self, *, purge: bool = False) -> None:
        """Forget the credentials; a later read fetches others.

        Args:
            purge: remove them from the shared cache as well, where there is one.
        """
        if purge and self._engine.shared_fetcher is not None:
            self._engine.shared_fetcher.purge()
        self._engine.close()


def engine_of(provider: Provider) -> Engine:
    """Return the engine behind a provider."""
    return provider._engine  # noqa: SLF001 - no public name, for it is no part of the API


def _restore(arguments: dict[str, Any]) -> Provider:
    """Unpickle a provider: its arguments and the environment where it arrives make it again."""
    import irsa_creds  # noqa: PLC0415 - the registry is above, and above all this is its public name

    return irsa_creds.provider(**arguments)
