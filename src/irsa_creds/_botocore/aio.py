"""aiobotocore's credentials object and chain provider, on the same engine."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

from aiobotocore.credentials import AioRefreshableCredentials
from botocore.credentials import AssumeRoleWithWebIdentityProvider

from irsa_creds._botocore.chain_provider import ChainProviderMixin
from irsa_creds._botocore.credentials import (
    NOTHING_HELD,
    TOGETHER,
    CredentialsMixin,
    Frozen,
    Held,
    adapted,
    after_read,
    in_botocore,
    read_only,
)
from irsa_creds._engine.waiting import aacquire
from irsa_creds._errors import IrsaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.policy import Snapshot

__all__ = ["AioIrsaCredentials", "AioIrsaProvider"]

# Pickles, tracebacks and pages name the classes by their public module.
_MODULE = "irsa_creds.aiobotocore"

# What each task holds of each engine, the latest first. One variable for all credentials objects:
# one of each object's own would stay in every context for ever.
_HELD: ContextVar[tuple[tuple[Engine, Held], ...]] = ContextVar("irsa_creds_held", default=())
_MOST_HELD = 4


def _part(name: str) -> property:
    """Return the property `name`: it must not block, so its error says what to await instead."""

    def read(credentials: AioIrsaCredentials) -> NoReturn:
        del credentials
        # aiobotocore's own raises this class. With AttributeError, `getattr(c, name, None)` would
        # return None.
        raise NotImplementedError(
            f"These are aiobotocore's credentials: await get_frozen_credentials() or get_{name}(). "
            "boto3 needs irsa_creds.boto3_session(), irsa_creds.install(session), or "
            "provider.botocore_credentials()."
        )

    return property(read, read_only(name))


class AioIrsaCredentials(CredentialsMixin, AioRefreshableCredentials):
    """aiobotocore's credentials object, for asyncio and trio; all state is that of the provider.

    Args:
        provider: the provider of the credentials.
    """

    __module__ = _MODULE

    async def get_frozen_credentials(self) -> Frozen:
        """Return key, secret and token of one response of STS; while they are valid, at once.

        Raises:
            CredentialRetrievalError: none are valid, and a refresh failed. It is also an
                `IrsaError`, and a `ClientError` if STS returned an error.
        """
        snapshot = self._engine.snapshot
        # This is `_freshness.state` inlined: one comparison decides for nearly every request.
        if self._now() < snapshot.check_at:
            snapshot.was_read = True
            frozen: Frozen = snapshot.adapted or adapted(snapshot)
            return frozen
        return adapted(await self._acquire())

    async def _acquire(self) -> Snapshot:
        try:
            return await aacquire(self._engine)
        except IrsaError as error:
            caught = error
        # Raised outside of the handler, the error has no context: one traceback, ours.
        raise in_botocore(caught)

    access_key: property = _part("access_key")
    secret_key: property = _part("secret_key")
    token: property = _part("token")
    account_id: property = _part("account_id")

    async def get_access_key(self) -> str:
        """Return the key id; values that one task reads less than 0.1 s apart are of one response.

        A getter in a task of its own (before Python 3.12 `asyncio.wait_for` makes one) cannot tell
        the others what it has read: use `get_frozen_credentials`, which returns all of them.
        """
        return (await self._one_set()).access_key

    async def get_secret_key(self) -> str:
        """Return the secret key, as `get_access_key`."""
        return (await self._one_set()).secret_key

    async def get_token(self) -> str:
        """Return the session token, as `get_access_key`."""
        return (await self._one_set()).token

    async def get_account_id(self) -> str | None:
        """Return the account of the role."""
        return (await self._one_set()).account_id

    async def _one_set(self) -> Frozen:
        """Return the set of which this task reads a value."""
        engine, held, others = self._engine, NOTHING_HELD, []
        newest, now = engine.snapshot, self._now()
        if now < newest.check_at:
            newest.was_read = True
            found = newest
        else:
            found, now = await self._acquire(), self._now()
        for each in _HELD.get():
            if each[0] is engine:
                held = each[1]
            elif now - each[1][1] < TOGETHER:
                others.append(each)
        held = after_read(held, newest, found, now)
        _HELD.set(((engine, held), *others[: _MOST_HELD - 1]))
        return held[0].adapted or adapted(held[0])

    async def _refresh(self) -> None:
        await self.get_frozen_credentials()

    # Other code forces a refresh with it. aiobotocore's own has no engine.
    async def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - its own
        del is_mandatory
        self._expiry_time = self._time_fetcher()
        await self._refresh()

    def get_deferred_property(self, property_name: str) -> Callable[[], NoReturn]:
        """Return a function that says what boto3 needs; raise the same if boto3 makes a client."""

        def get_property() -> NoReturn:
            raise TypeError(
                "These are aiobotocore's credentials, and boto3 asks them for their "
                f"{property_name}. It needs irsa_creds.boto3_session(), "
                "irsa_creds.install(session), or provider.botocore_credentials()."
            )

        # Both libraries call this from one method in botocore.args. aiobotocore's subclass then
        # replaces the function, but a client of boto3 would fail only when it signs, with an error
        # that does not name the cause. Only the class of the calling object tells them apart.
        caller = sys._getframe(1).f_locals.get("self")  # noqa: SLF001
        if type(caller).__module__ == "botocore.args":
            get_property()
        return get_property


# aiobotocore has a class of its own for trio, with another lock. This one has no lock.
class AioIrsaProvider(ChainProviderMixin, AssumeRoleWithWebIdentityProvider):
    """irsa-creds' provider in the chain of aiobotocore's sessions; see the mixin for arguments."""

    __module__ = _MODULE

    async def load(self) -> AioIrsaCredentials | None:
        """Return the credentials object; None if IRSA is not configured: the chain goes on.

        Raises:
            InvalidConfigError: a value is malformed or missing. It is also a `ConfigError`.
        """
        provider = self._provider()
        return None if provider is None else AioIrsaCredentials(provider)
