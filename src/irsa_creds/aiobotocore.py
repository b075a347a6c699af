"""aiobotocore's credentials object and chain provider, on the same engine."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

from aiobotocore.credentials import AioRefreshableCredentials
from botocore.credentials import AssumeRoleWithWebIdentityProvider

from irsa_creds._adapter import Frozen, InChain, OnEngine, Pass, adapted, in_botocore
from irsa_creds._errors import IrsaError
from irsa_creds._waiting import aacquire

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine import Engine
    from irsa_creds._freshness import Snapshot

__all__ = ["AioIrsaCredentials", "AioIrsaProvider"]

# The passes of each task over single values, and whose, the latest first. One variable for all: one
# of each credentials object's would stay in every context for ever.
_Passes = tuple[tuple["Engine", Pass], ...]
_TAKEN: ContextVar[_Passes] = ContextVar("irsa_creds_taken", default=())
_MOST_PASSES = 4


def _part(name: str) -> property:
    """Return the property `name`, which may not block: it says what to await instead."""

    def read(credentials: AioIrsaCredentials) -> NoReturn:
        del credentials
        # The class of aiobotocore's own: with AttributeError, `getattr(c, name, None)` is None.
        raise NotImplementedError(
            f"These are aiobotocore's credentials: await get_frozen_credentials() or get_{name}(). "
            "boto3 needs irsa_creds.boto3_session(), irsa_creds.install(session), or "
            "provider.botocore_credentials()."
        )

    def write(credentials: AioIrsaCredentials, value: object) -> NoReturn:
        del credentials, value
        raise AttributeError(
            f"irsa_creds' credentials are read-only: {name} comes from STS. "
            "Give other keys to the session or client."
        )

    return property(read, write)


class AioIrsaCredentials(OnEngine, AioRefreshableCredentials):
    """aiobotocore's credentials object, for asyncio and trio: all state is the provider's.

    Args:
        provider: whose credentials these are.
    """

    async def get_frozen_credentials(self) -> Frozen:
        """Return key, secret and token of one answer of STS; while some are valid, at once.

        Raises:
            CredentialRetrievalError: none are valid, and none could be had. It is an `IrsaError`
                as well, and a `ClientError` where STS refused.
        """
        snapshot = self._engine.snapshot
        # `_freshness.state` inlined: one comparison decides for nearly every request.
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
        # Out here it has no context: one traceback, ours.
        raise in_botocore(caught)

    access_key: property = _part("access_key")
    secret_key: property = _part("secret_key")
    token: property = _part("token")
    account_id: property = _part("account_id")

    async def get_access_key(self) -> str:
        """Return the key id; all that a pass of one task reads is of one answer of STS.

        A getter in a task of its own (`asyncio.wait_for` makes one before Python 3.12) is a pass
        of its own: `get_frozen_credentials` gives all at once.
        """
        return (await self._taken_set("access_key")).access_key

    async def get_secret_key(self) -> str:
        """Return the secret key, as `get_access_key`."""
        return (await self._taken_set("secret_key")).secret_key

    async def get_token(self) -> str:
        """Return the session token, as `get_access_key`."""
        return (await self._taken_set("token")).token

    async def get_account_id(self) -> str | None:
        """Return the account of the role."""
        return (await self._taken_set("account_id")).account_id

    async def _taken_set(self, name: str) -> Frozen:
        """Return the set that this task's pass has, or begin a pass."""
        passes = {id(engine): (engine, taken) for engine, taken in _TAKEN.get()}
        _, taken = passes.pop(id(self._engine), (None, Pass()))
        if taken.has(name, self._now()):
            self._go_on()
        else:
            taken = Pass(await self._take())
        others = [each for each in passes.values() if each[1].snapshot.end_of_use > self._now()]
        ours = (self._engine, taken.having_read(name))
        _TAKEN.set((ours, *others[: _MOST_PASSES - 1]))
        return adapted(taken.snapshot)

    async def _take(self) -> Snapshot:
        snapshot = self._engine.snapshot
        if self._now() < snapshot.check_at:
            snapshot.was_read = True
            return snapshot
        return await self._acquire()

    async def _refresh(self) -> None:
        await self.get_frozen_credentials()

    # With it others force a refresh: aiobotocore's own has no engine.
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


# On trio, aiobotocore's own differs in a lock, and here is none: one class serves both.
class AioIrsaProvider(InChain, AssumeRoleWithWebIdentityProvider):
    """Our provider in the chain of aiobotocore's sessions; `InChain` says what it takes."""

    async def load(self) -> AioIrsaCredentials | None:
        """Return the credentials object; None where IRSA is not configured: the chain goes on.

        Raises:
            InvalidConfigError: a value is malformed, or something is half set; a `ConfigError`
                as well.
        """
        provider = self._provider()
        return None if provider is None else AioIrsaCredentials(provider)
