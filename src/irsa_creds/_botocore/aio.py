"""The credentials object for aiobotocore."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

from aiobotocore.credentials import AioRefreshableCredentials

from irsa_creds._botocore.credentials import (
    NO_PIN,
    PIN_SECONDS,
    Attribute,
    CredentialsMixin,
    Frozen,
    Pin,
    as_botocore_error,
    frozen_of,
    next_pin,
)
from irsa_creds._engine.waiting import aacquire
from irsa_creds._errors import IrsaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.snapshot import Snapshot

__all__ = ["AioIrsaCredentials"]

# Pickles, tracebacks and the docs use the public module.
_MODULE = "irsa_creds.aiobotocore"

# The pins of a task, the latest first. One variable for all credentials objects: a separate one for
# each would stay in every context for ever.
_PINS: ContextVar[tuple[tuple[Engine, Pin], ...]] = ContextVar("irsa_creds_pins", default=())
_MOST_PINS = 4


def _attribute(name: str) -> Attribute[NoReturn]:
    """Return the property `name`, which raises an error: it must not block the event loop."""

    def read(credentials: AioIrsaCredentials) -> NoReturn:
        del credentials
        # aiobotocore raises this class too. With AttributeError, `getattr(c, name, None)` would
        # return None.
        raise NotImplementedError(
            f"These are aiobotocore's credentials: await get_frozen_credentials() or get_{name}(). "
            "boto3 needs irsa_creds.boto3_session(), irsa_creds.install(session), or "
            "provider.botocore_credentials()."
        )

    return Attribute(name, read)


class AioIrsaCredentials(CredentialsMixin, AioRefreshableCredentials):
    """aiobotocore's credentials object, for asyncio and trio; the provider has all state.

    Args:
        provider: the provider of the credentials.
    """

    __module__ = _MODULE

    async def get_frozen_credentials(self) -> Frozen:
        """Return key, secret and token of one STS response; do not wait while they are valid.

        Raises:
            CredentialRetrievalError: none are valid, and the refresh failed. It is also an
                `IrsaError`, and a `ClientError` if STS returned an error.
        """
        snapshot = self._engine.snapshot
        # `state()` of the module `snapshot`, in the one comparison that nearly every request needs.
        if self._now() < snapshot.check_at:
            snapshot.was_read = True
            frozen: Frozen = snapshot.adapted or frozen_of(snapshot)
            return frozen
        return frozen_of(await self._acquire())

    async def _acquire(self) -> Snapshot:
        try:
            return await aacquire(self._engine)
        except IrsaError as error:
            caught = error
        # Raised outside of the handler, the error has no context and one traceback.
        raise as_botocore_error(caught)

    access_key: Attribute[NoReturn] = _attribute("access_key")
    secret_key: Attribute[NoReturn] = _attribute("secret_key")
    token: Attribute[NoReturn] = _attribute("token")
    account_id: Attribute[NoReturn] = _attribute("account_id")

    async def get_access_key(self) -> str:
        """Return the key id; values that one task reads within 0.1 s come from one STS response.

        A getter in a separate task (before Python 3.12 `asyncio.wait_for` creates one) does not
        share the response with other getters: use `get_frozen_credentials` for all values.
        """
        return (await self._pinned()).access_key

    async def get_secret_key(self) -> str:
        """Return the secret key, as `get_access_key`."""
        return (await self._pinned()).secret_key

    async def get_token(self) -> str:
        """Return the session token, as `get_access_key`."""
        return (await self._pinned()).token

    async def get_account_id(self) -> str | None:
        """Return the account of the role."""
        return (await self._pinned()).account_id

    async def _pinned(self) -> Frozen:
        """Return the credentials that this task reads a value of."""
        engine, pin, others = self._engine, NO_PIN, []
        newest, now = engine.snapshot, self._now()
        if now < newest.check_at:
            newest.was_read = True
            found = newest
        else:
            found, now = await self._acquire(), self._now()
        for each in _PINS.get():
            if each[0] is engine:
                pin = each[1]
            elif now - each[1][1] < PIN_SECONDS:
                others.append(each)
        pin = next_pin(pin, newest, found, now)
        _PINS.set(((engine, pin), *others[: _MOST_PINS - 1]))
        return pin[0].adapted or frozen_of(pin[0])

    async def _refresh(self) -> None:
        await self.get_frozen_credentials()

    # Other code calls it to force a refresh. aiobotocore's own method does not use the engine.
    async def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - its own
        del is_mandatory
        self._expiry_time = self._time_fetcher()
        await self._refresh()

    def get_deferred_property(self, property_name: str) -> Callable[[], NoReturn]:
        """Raise an error with instructions if boto3 creates a client with these credentials."""

        def get_property() -> NoReturn:
            raise TypeError(
                f"These are aiobotocore's credentials, and boto3 reads their {property_name}. It "
                "needs irsa_creds.boto3_session(), irsa_creds.install(session), or "
                "provider.botocore_credentials()."
            )

        # Both libraries call this from one method in botocore.args. aiobotocore's subclass then
        # replaces the function. A client of boto3 would fail only when it signs a request, with an
        # error that does not name the cause. Only the class of the caller distinguishes them.
        caller = sys._getframe(1).f_locals.get("self")  # noqa: SLF001
        if type(caller).__module__ == "botocore.args":
            get_property()
        return get_property
