"""The credentials object for boto3 and botocore."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.credentials import RefreshableCredentials

from irsa_creds._botocore.credentials import (
    NO_PIN,
    Attribute,
    CredentialsMixin,
    Frozen,
    Pin,
    as_botocore_error,
    frozen_of,
    next_pin,
)
from irsa_creds._engine.waiting import acquire
from irsa_creds._errors import IrsaError

if TYPE_CHECKING:
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._registry import Registered

__all__ = ["IrsaCredentials"]

# Pickles, tracebacks and the docs use the public module.
_MODULE = "irsa_creds.botocore"

_ONE_RESPONSE = "Values that one thread reads less than 0.1 s apart come from one STS response."


class _PerThread(threading.local):
    pin: Pin = NO_PIN


def _attribute(name: str, meaning: str) -> Attribute[Any]:
    """Return the property `name`; unlike botocore's it cannot be set."""

    def read(credentials: IrsaCredentials) -> Any:
        return getattr(credentials._pinned(), name)  # noqa: SLF001 - a property of this class

    return Attribute(name, read, f"{meaning} {_ONE_RESPONSE}")


class IrsaCredentials(CredentialsMixin, RefreshableCredentials):
    """botocore's credentials object; the provider has all state.

    Args:
        provider: the provider of the credentials.
    """

    __module__ = _MODULE

    def __init__(self, provider: Registered) -> None:
        super().__init__(provider)
        self._thread = _PerThread()

    def get_frozen_credentials(self) -> Frozen:
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
        return frozen_of(self._acquire())

    def _acquire(self) -> Snapshot:
        try:
            return acquire(self._engine)
        except IrsaError as error:
            caught = error
        # Raised outside of the handler, the error has no context and one traceback.
        raise as_botocore_error(caught)

    access_key: Attribute[str] = _attribute("access_key", "The access key id.")
    secret_key: Attribute[str] = _attribute("secret_key", "The secret key.")
    token: Attribute[str] = _attribute("token", "The session token.")
    account_id: Attribute[str | None] = _attribute("account_id", "The account of the role.")

    def _pinned(self) -> Frozen:
        """Return the credentials that this thread reads an attribute of."""
        newest, now = self._engine.snapshot, self._now()
        if now < newest.check_at:
            newest.was_read = True
            found = newest
        else:
            found, now = self._acquire(), self._now()
        thread = self._thread
        pin = thread.pin = next_pin(thread.pin, newest, found, now)
        return pin[0].adapted or frozen_of(pin[0])

    def _refresh(self) -> None:
        self.get_frozen_credentials()

    # Other code calls it to force a refresh. botocore's own method does not use the engine.
    def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - botocore's own
        del is_mandatory
        self._expiry_time = self._time_fetcher()
        self._refresh()

    def __getattr__(self, name: str) -> Any:
        # aiobotocore looks for the first one when it creates a client.
        if name in {"get_account_id", "get_access_key", "get_secret_key", "get_token"}:
            raise WrongLibraryError(
                f"These are boto3's credentials, and {name}() is aiobotocore's. aiobotocore and "
                "aioboto3 need irsa_creds.aiobotocore_session(), irsa_creds.install(session), or "
                "provider.aiobotocore_credentials()."
            )
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
        )


class WrongLibraryError(TypeError, AttributeError):
    """aiobotocore got the credentials of boto3; `hasattr` returns False."""
