"""`Provider`: the credentials of one identity, for threads and tasks."""

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
    """Credentials of one identity, refreshed before they expire.

    Returned by `irsa_creds.provider()`, the same object for the same identity. It is safe in any
    thread, task and event loop, and after a fork. It pickles as the arguments of that call, never
    with secrets.
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
        # Keeps the provider of the source role alive.
        self._source = source
        self._arguments = dict(arguments)

    def __repr__(self) -> str:
        return f"<Provider of {self.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._arguments,)

    @property
    def role_arn(self) -> str:
        """The role of these credentials; with role chaining, the last one."""
        return self._config.final_role_arn

    def get(self, *, min_ttl: float = 0.0, timeout: float = policy.WAITER_SECONDS) -> Credentials:
        """Return valid credentials; wait only if there are none.

        Args:
            min_ttl: seconds that must be left before they expire, for presigned URLs.
            timeout: seconds to wait for valid credentials.

        Raises:
            TokenError: the token cannot be read, or is invalid.
            ExchangeError: STS denied the request, failed or could not be reached.
            RefreshTimeout: `timeout` is over, or `min_ttl` is longer than STS's lifetime.
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
        """Return valid credentials on asyncio or trio, without a thread per task.

        Arguments and errors are the same as for `get`.
        """
        snapshot = self._engine.snapshot
        if not min_ttl and self._now() < snapshot.check_at:
            snapshot.was_read = True
            return snapshot.credentials
        return (await aacquire(self._engine, min_ttl, timeout)).credentials

    def botocore_credentials(self) -> IrsaCredentials:
        """Return these credentials as an object of botocore, for code that takes one.

        It is the same kind that `boto3.Session().get_credentials()` returns after `install()`: a
        `RefreshableCredentials` that is always valid, for signers of other libraries.
        """
        from irsa_creds.botocore import IrsaCredentials  # noqa: PLC0415 - an integration

        return IrsaCredentials(self)

    def aiobotocore_credentials(self) -> AioIrsaCredentials:
        """Return these credentials as an object of aiobotocore, for code that takes one.

        Raises:
            ImportError: aiobotocore is not installed.
        """
        from irsa_creds.aiobotocore import AioIrsaCredentials  # noqa: PLC0415 - an integration

        return AioIrsaCredentials(self)

    def prefetch(self) -> None:
        """Start a refresh if one is due or no credentials are valid; do not wait for it."""
        self._engine.prefetch()

    def invalidate(self, access_key_id: str | None = None) -> None:
        """Drop these credentials; the next read waits for new ones.

        A cached failure stays cached for its time (`Failure.again_in`).

        Args:
            access_key_id: drop only credentials with this key, not newer ones. None: drop any.
        """
        self._engine.invalidate(access_key_id)

    def status(self) -> Status:
        """Return the state of the credentials; start nothing and wait for nothing."""
        return self._engine.status()

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call `callback` with every event from now on; return a function that ends this.

        It runs on the refresh's own thread after all waiting callers are released. An exception in
        it is logged and changes nothing; a slow callback delays only later events.

        Args:
            callback: takes `RefreshStarted`, `RefreshSucceeded`, `RefreshFailed` or
                `TokenRotated`.
        """
        return self._engine.subscribers.subscribe(callback)

    def close(self, *, purge: bool = False) -> None:
        """Drop the credentials; a later read fetches new ones.

        Args:
            purge: remove them from the shared cache as well, if it is on.
        """
        if purge and self._engine.shared_fetcher is not None:
            self._engine.shared_fetcher.purge()
        self._engine.close()


def engine_of(provider: Provider) -> Engine:
    """Return the engine behind a provider."""
    return provider._engine  # noqa: SLF001 - it has no public name, because it is not API


def _restore(arguments: dict[str, Any]) -> Provider:
    """Unpickle a provider: call `provider()` with its arguments in this environment."""
    import irsa_creds  # noqa: PLC0415 - `provider()` imports this module

    return irsa_creds.provider(**arguments)
