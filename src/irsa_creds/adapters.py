"""Credential callables for obstore and polars.

Code that takes botocore's credentials object needs none of these, but
`provider.botocore_credentials()`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from irsa_creds._engine.waiting import aacquire, acquire
from irsa_creds._registry import engine_of

if TYPE_CHECKING:
    from obstore.store import S3Credential

    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._provider import Provider

__all__ = ["AsyncObstoreCredentials", "ObstoreCredentials", "PolarsCredentials"]

# These libraries keep credentials until the expiry that they get, and do not call before. A short
# expiry lets a refresh or an `invalidate()` take effect within this time, and keeps the provider in
# use. A call costs microseconds.
_KEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ObstoreCredentials:
    """`credential_provider=` of obstore's `S3Store`, for its sync and async functions.

    Without valid credentials a thread waits: the caller's, or one of the few that obstore has for
    its `..._async` functions. obstore calls this ten times a second at most. Source: obstore 0.12,
    `pyo3-object_store/src/credentials.rs`: it keeps credentials that last 300 s more, and others
    for 100 ms.

    Args:
        provider: the provider of the credentials.
    """

    provider: Provider

    def __call__(self) -> S3Credential:
        """Return valid credentials, and the time until which obstore may keep them.

        Raises:
            IrsaError: as from `provider.get()`; obstore raises it as an `UnauthenticatedError`.
        """
        engine = engine_of(self.provider)
        return _in_obstore(engine, acquire(engine))


@dataclass(frozen=True, slots=True)
class AsyncObstoreCredentials:
    """`credential_provider=` of obstore's `S3Store`, for its `..._async` functions only.

    Without valid credentials a task waits, and no thread. Otherwise as `ObstoreCredentials`.

    Args:
        provider: the provider of the credentials.
    """

    provider: Provider

    async def __call__(self) -> S3Credential:
        """Return valid credentials, and the time until which obstore may keep them.

        Raises:
            IrsaError: as from `provider.aget()`; obstore raises it as an `UnauthenticatedError`.
        """
        engine = engine_of(self.provider)
        return _in_obstore(engine, await aacquire(engine))


@dataclass(frozen=True, slots=True)
class PolarsCredentials:
    """`credential_provider=` of polars' functions that scan, read and write S3.

    polars keeps the credentials until the expiry that it gets, for all calls with this object.
    Source: polars 2.1, `CachingCredentialProvider` in
    `polars/io/cloud/credential_provider/_providers.py`.

    Args:
        provider: the provider of the credentials.
    """

    provider: Provider

    def __call__(self) -> tuple[dict[str, str], int | None]:
        """Return valid credentials, and the time until which polars may keep them.

        Raises:
            IrsaError: as from `provider.get()`; polars does not catch it.
        """
        engine = engine_of(self.provider)
        snapshot = acquire(engine)
        given = snapshot.credentials
        return {
            "aws_access_key_id": given.access_key_id,
            "aws_secret_access_key": given.secret_access_key,
            "aws_session_token": given.session_token,
        }, int(_keep_until(engine, snapshot))

    # polars takes objects with equal pickles for the same (`stable_cache_key` in `_builder.py`). A
    # provider pickles as its arguments, without the environment, so the pickle has its id as well.
    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_polars, (self.provider, id(self.provider))


def _restore_polars(provider: Provider, _id: int) -> PolarsCredentials:
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
    """Return the time, by the local clock that these libraries use, until which to keep them."""
    # STS's own expiry would be wrong beside a local clock that is wrong.
    return time.time() + min(_KEEP_SECONDS, snapshot.left(engine.now()))
