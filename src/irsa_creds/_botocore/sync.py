"""botocore's credentials object and chain provider, on our engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.credentials import AssumeRoleWithWebIdentityProvider, RefreshableCredentials

from irsa_creds._botocore.chain_provider import ChainProviderMixin
from irsa_creds._botocore.credentials import (
    NOTHING_HELD,
    CredentialsMixin,
    Frozen,
    Held,
    adapted,
    after_read,
    in_botocore,
    read_only,
)
from irsa_creds._engine.waiting import acquire
from irsa_creds._errors import IrsaError

if TYPE_CHECKING:
    from irsa_creds._engine.policy import Snapshot
    from irsa_creds._provider import Provider

__all__ = ["IrsaCredentials", "IrsaProvider"]

# Pickles, tracebacks and pages name the classes by their public module.
_MODULE = "irsa_creds.botocore"

_TOGETHER = "Values that one thread reads less than 0.1 s apart are of one response of STS."


class _OfThread(threading.local):
    held: Held = NOTHING_HELD


def _part(name: str, meaning: str) -> property:
    """Return the property `name`; unlike botocore's own it cannot be set."""

    def read(credentials: IrsaCredentials) -> Any:
        return getattr(credentials._one_set(), name)  # noqa: SLF001 - it is its property

    return property(read, read_only(name), doc=f"{meaning} {_TOGETHER}")


class IrsaCredentials(CredentialsMixin, RefreshableCredentials):
    """botocore's credentials object; all state is that of the provider.

    Args:
        provider: the provider of the credentials.
    """

    __module__ = _MODULE

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._thread = _OfThread()

    def get_frozen_credentials(self) -> Frozen:
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
        return adapted(self._acquire())

    def _acquire(self) -> Snapshot:
        try:
            return acquire(self._engine)
        except IrsaError as error:
            caught = error
        # Raised outside of the handler, the error has no context: one traceback, ours.
        raise in_botocore(caught)

    access_key: property = _part("access_key", "The key id.")
    secret_key: property = _part("secret_key", "The secret key.")
    token: property = _part("token", "The session token.")
    account_id: property = _part("account_id", "The account of the role.")

    def _one_set(self) -> Frozen:
        """Return the set of which this thread reads a value."""
        newest, now = self._engine.snapshot, self._now()
        if now < newest.check_at:
            newest.was_read = True
            found = newest
        else:
            found, now = self._acquire(), self._now()
        thread = self._thread
        held = thread.held = after_read(thread.held, newest, found, now)
        return held[0].adapted or adapted(held[0])

    def _refresh(self) -> None:
        self.get_frozen_credentials()

    # Other code forces a refresh with it. botocore's own takes a lock, and has no engine.
    def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - botocore's own
        del is_mandatory
        self._expiry_time = self._time_fetcher()
        self._refresh()

    def __getattr__(self, name: str) -> Any:
        # aiobotocore looks for the first one when it makes a client.
        if name in {"get_account_id", "get_access_key", "get_secret_key", "get_token"}:
            raise WrongColourError(
                f"These are boto3's credentials, and {name}() is aiobotocore's. aiobotocore and "
                "aioboto3 need irsa_creds.aiobotocore_session(), irsa_creds.install(session), or "
                "provider.aiobotocore_credentials()."
            )
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
        )


class WrongColourError(TypeError, AttributeError):
    """Credentials of one library were given to the other; `hasattr` returns False."""


class IrsaProvider(ChainProviderMixin, AssumeRoleWithWebIdentityProvider):
    """irsa-creds' provider in the chain of botocore's sessions; see the mixin for arguments."""

    __module__ = _MODULE

    def load(self) -> IrsaCredentials | None:
        """Return the credentials object; None if IRSA is not configured: the chain goes on.

        Raises:
            InvalidConfigError: a value is malformed or missing. It is also a `ConfigError`.
        """
        provider = self._provider()
        return None if provider is None else IrsaCredentials(provider)
