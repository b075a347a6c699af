"""Providers for libraries that take a callable: obstore and polars.

Code that takes botocore's credentials object needs none of these: it gets
`provider.botocore_credentials()`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from irsa_creds._engine.waiting import aacquire, acquire
from irsa_creds._provider import engine_of

if TYPE_CHECKING:
    from obstore.store import S3Credential

    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.policy import Snapshot
    from irsa_creds._provider import Provider

__all__ = ["AsyncObstoreCredentials", "ObstoreCredentials", "PolarsCredentials"]

# These libraries keep what they are given until the time they are told, and ask nobody before. So
# they are told a short one: a refresh, or an `invalidate()`, reaches them within it. Asking again
# costs microseconds, and while they ask, the provider knows that it is needed.
_KEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ObstoreCredentials:
    """`credential_provider=` of obstore's `S3Store`, for its functions of both colours.

    Where nothing is valid, a thread waits: the caller's, or one of the few that obstore has for
    its `..._async` functions. obstore keeps what lasts another 300 s, and anything for 100 ms; told
    60 s at most, it asks ten times a second at most. Source: obstore 0.12,
    `pyo3-object_store/src/credentials.rs`.

    Args:
        provider: whose credentials obstore shall sign with.
    """

    provider: Provider

    def __call__(self) -> S3Credential:
        """Return valid credentials, and the time until which obstore may keep them.

        Raises:
            IrsaError: as from `provider.get()`; obstore makes an `UnauthenticatedError` of it.
        """
        engine = engine_of(self.provider)
        return _in_obstore(engine, acquire(engine))


@dataclass(frozen=True, slots=True)
class AsyncObstoreCredentials:
    """`credential_provider=` of obstore's `S3Store`, for its `..._async` functions alone.

    Where nothing is valid, a task waits and no thread; else it is as `ObstoreCredentials`.

    Args:
        provider: whose credentials obstore shall sign with.
    """

    provider: Provider

    async def __call__(self) -> S3Credential:
        """Return valid credentials, and the time until which obstore may keep them.

        Raises:
            IrsaError: as from `provider.aget()`; obstore makes an `UnauthenticatedError` of it.
        """
        engine = engine_of(self.provider)
        return _in_obstore(engine, await aacquire(engine))


@dataclass(frozen=True, slots=True)
class PolarsCredentials:
    """`credential_provider=` of polars' functions that scan, read and write S3.

    polars keeps what it is given to the second that it is told, for all calls with this object.
    Source: polars 2.1, `CachingCredentialProvider` in
    `polars/io/cloud/credential_provider/_providers.py`.

    Args:
        provider: whose credentials polars shall sign with.
    """

    provider: Provider

    def __call__(self) -> tuple[dict[str, str], int | None]:
        """Return valid credentials, and the second until which polars may keep them.

        Raises:
            IrsaError: as from `provider.get()`; polars lets it through.
        """
        engine = engine_of(self.provider)
        snapshot = acquire(engine)
        given = snapshot.credentials
        return {
            "aws_access_key_id": given.access_key_id,
            "aws_secret_access_key": given.secret_access_key,
            "aws_session_token": given.session_token,
        }, int(_keep_until(engine, snapshot))

    # polars takes what pickles alike for one and the same (`stable_cache_key` in `_builder.py`,
    # beside that file), and a provider pickles as its arguments: the environment that says the rest
    # may be another by now.
    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_polars, (self.provider, id(self.provider))


def _restore_polars(provider: Provider, _mark: int) -> PolarsCredentials:
    return PolarsCredentials(provider)


def _in_obstore(engine: Engine, snapshot: Snapshot) -> S3Credential:
    given = snapshot.credentials
    return {
        "access_key_id": given.access_key_id,
        "secret_access_key": given.secret_access_key,
        "token": given.session_token,
        "expires_at": datetime.fromtimestamp(_keep_until(engine, snapshot), UTC),
    }


def _keep_until(engine: Engine, snapshot: Snapshot) -> float:
    """Return the time, by the clock these libraries look at, until which they may keep these."""
    # Not STS's own time of expiry: beside a pod's clock that is wrong, it would be wrong as well.
    return time.time() + min(_KEEP_SECONDS, snapshot.left(engine.now()))
