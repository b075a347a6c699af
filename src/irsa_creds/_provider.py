"""`provider()` and `Provider`: the credentials of one identity, for threads and tasks.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    _botocore.sync   80   _provider: `botocore_credentials`
    _botocore.aio   140   _provider: `aiobotocore_credentials`; aiobotocore is optional
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from irsa_creds._engine import timing
from irsa_creds._engine.clock import SystemClock
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.waiting import aacquire, acquire
from irsa_creds._exchange.sources import find_identity
from irsa_creds._identity.config import INSTALLED
from irsa_creds._identity.settings import EnvironSettings
from irsa_creds._registry import OPTIONS, Registered, Registry, engine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._botocore.aio import AioIrsaCredentials
    from irsa_creds._botocore.sync import IrsaCredentials
    from irsa_creds._credentials import Credentials
    from irsa_creds._engine.events import Event, Status
    from irsa_creds._identity.roles import RoleConfig

__all__ = ["REGISTRY", "Provider", "provider", "reset"]


class Provider(Registered):
    """Credentials of one identity, refreshed before they expire.

    Returned by `irsa_creds.provider()`, the same object for the same identity. It is safe in any
    thread, task and event loop, and after a fork. It pickles as the arguments of that call, with
    external IDs as they were given, never with a token or credentials.
    """

    def __repr__(self) -> str:
        return f"<Provider of {self.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._arguments,)

    def get(self, *, min_ttl: float = 0.0, timeout: float = timing.WAITER_SECONDS) -> Credentials:
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
        timeout: float = timing.WAITER_SECONDS,  # noqa: ASYNC109 - as in `get`, on trio as well
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
        module = FORKS.import_module("irsa_creds._botocore.sync")
        made: IrsaCredentials = module.IrsaCredentials(self)
        return made

    def aiobotocore_credentials(self) -> AioIrsaCredentials:
        """Return these credentials as an object of aiobotocore, for code that takes one.

        Raises:
            ImportError: aiobotocore is not installed.
        """
        module = FORKS.import_module("irsa_creds._botocore.aio")
        made: AioIrsaCredentials = module.AioIrsaCredentials(self)
        return made

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


REGISTRY: Registry[Provider] = Registry(SystemClock(), Provider)
FORKS.set_hooks(
    before=REGISTRY.before_fork,
    in_parent=REGISTRY.after_in_parent,
    in_child=REGISTRY.after_in_child,
)


def provider(
    *,
    role_arn: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    token: Callable[[], str] | None = None,
    session_name: str | None = None,
    duration_seconds: int | None = None,
    policy: str | Mapping[str, Any] | None = None,
    policy_arns: Sequence[str] | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    profile: str | None = None,
    assume: Sequence[RoleConfig | str] | None = None,
    keep_warm: bool = False,
    shared_cache: bool | str | os.PathLike[str] | None = None,
) -> Provider:
    """Return the process's shared provider for these arguments and this environment.

    It calls STS at the first read, and refreshes in the background while the credentials are
    used::

        provider = irsa_creds.provider()
        credentials = provider.get()  # or, in a task: await provider.aget()
        print(credentials.access_key_id, credentials.expiration)

    Args:
        role_arn: the role to assume; None: `AWS_ROLE_ARN` or the profile's.
        token_file: the path of the web identity token; None: `AWS_WEB_IDENTITY_TOKEN_FILE` or the
            profile's.
        token: a callable that returns the token (a JWT), instead of a file; it is part of the
            identity, so pass the same object each time.
        session_name: 2 to 64 characters; None: `AWS_ROLE_SESSION_NAME`, the profile's, or a name
            made from the host name.
        duration_seconds: the lifetime to request, 900 to 43200 at AWS's endpoints; None: as set by
            `install(duration_seconds=)` or `IRSA_CREDS_DURATION_SECONDS`, the profile's, or STS's
            default of one hour.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
        region: the region of STS; None: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's, the
            region in the URL of an EKS issuer, or else AWS's global endpoint.
        endpoint_url: an STS endpoint instead of AWS's own.
        profile: the profile to read; as in botocore, it turns the web identity variables off. If
            the `source_profile` of a profile (this one, or the one of `AWS_PROFILE`) leads to a web
            identity, the provider assumes the profile's chained roles, unless arguments name
            role or token.
        assume: target roles for role chaining, ARNs or `RoleConfig`: each is assumed with the
            credentials of the role before it in the list. The provider returns the credentials of
            the last one; the other arguments apply to the first role, which the token assumes.
        keep_warm: fetch immediately, and refresh in the background even without reads. With more
            than 1,024 identities (`IRSA_CREDS_MAX_PROVIDERS`), keep a reference to the provider:
            the least recently requested ones without a reference are dropped.
        shared_cache: share credentials with the other processes of this pod: in a directory, or,
            if True, in the container's own directory for temporary files; False: do not share.
            None: as set by `install(shared_cache=)` or `IRSA_CREDS_CACHE_DIR`, otherwise do not
            share, because the cache writes secrets (in files of mode 0600).

    Returns:
        A `Provider`: the same object each time for the same identity, safe in threads, tasks and
        after a fork.

    Raises:
        ConfigError: a value is malformed, or neither IRSA nor EKS Pod Identity is configured.
    """
    if shared_cache is not None and not isinstance(shared_cache, bool):
        shared_cache = os.fspath(shared_cache)
    # Define no local variable above this line: it would become an argument.
    given = {k: v for k, v in locals().items() if v is not None and (k, v) != ("keep_warm", False)}
    # The profile is a part of the settings.
    arguments = {k: v for k, v in given.items() if k not in {"profile", *OPTIONS}}
    settings = EnvironSettings(os.environ, profile)
    # It may import what few identities need.
    identity = FORKS.during(lambda: find_identity(settings, arguments))
    found = REGISTRY.of(identity, {name: _copied(value) for name, value in given.items()})
    if keep_warm:
        engine_of(found).keep_warm = True
        # Now, because a readiness probe may look at its status without reading it.
        engine_of(found).prefetch()
    return found


def _copied(value: Any) -> Any:
    """Copy a list or mapping: a provider pickles its arguments, and the caller may change them."""
    if isinstance(value, str) or not isinstance(value, (Mapping, Sequence)):
        return value
    try:
        return copy.deepcopy(value)
    except TypeError:  # it cannot be pickled either
        return value


def reset() -> None:
    """Drop every provider, and the lifetime of `install(duration_seconds=)`, for tests."""
    INSTALLED.clear()
    REGISTRY.reset()


def _restore(arguments: dict[str, Any]) -> Provider:
    """Unpickle a provider: call `provider()` with its arguments in this environment."""
    return provider(**arguments)
