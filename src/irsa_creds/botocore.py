"""botocore's credentials object and chain provider, on our engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.credentials import AssumeRoleWithWebIdentityProvider, RefreshableCredentials

from irsa_creds._adapter import (
    NOTHING_HELD,
    Frozen,
    Held,
    InChain,
    OnEngine,
    adapted,
    after_read,
    in_botocore,
)
from irsa_creds._errors import IrsaError
from irsa_creds._lazy import load_late
from irsa_creds._waiting import acquire

if TYPE_CHECKING:
    from irsa_creds._freshness import Snapshot
    from irsa_creds._provider import Provider

__all__ = ["IrsaCredentials", "IrsaProvider"]

# A traceback and a pickle name them by this module.
_ERRORS = {
    "BotocoreConfigError",
    "BotocoreExchangeError",
    "BotocoreRefreshTimeout",
    "BotocoreTokenError",
    "RefusedError",
    "UnreachableError",
}

_TOGETHER = "Values that one thread reads less than 0.1 s apart are of one response of STS."


class _OfThread(threading.local):
    held: Held = NOTHING_HELD


def _part(name: str, meaning: str) -> property:
    """Return the property `name`; unlike botocore's own it cannot be set."""

    def read(credentials: IrsaCredentials) -> Any:
        return getattr(credentials._one_set(), name)  # noqa: SLF001 - it is its property

    def write(credentials: IrsaCredentials, value: object) -> NoReturn:
        del credentials, value
        raise AttributeError(
            f"irsa_creds' credentials are read-only: {name} comes from STS. "
            "Give other keys to the session or client."
        )

    return property(read, write, doc=f"{meaning} {_TOGETHER}")


class IrsaCredentials(OnEngine, RefreshableCredentials):
    """botocore's credentials object, as thin as can be: all state is the provider's.

    Args:
        provider: whose credentials these are.
    """

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._thread = _OfThread()

    def get_frozen_credentials(self) -> Frozen:
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
        return adapted(self._acquire())

    def _acquire(self) -> Snapshot:
        try:
            return acquire(self._engine)
        except IrsaError as error:
            caught = error
        # Out here it has no context: one traceback, ours.
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

    # With it others force a refresh: botocore's own takes its lock before, and has no engine.
    def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - botocore's own
        del is_mandatory
        self._expiry_time = self._time_fetcher()
        self._refresh()

    def __getattr__(self, name: str) -> Any:
        # aiobotocore looks for the first of them when it makes a client.
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
    """Credentials of one library were given to the other; `hasattr` and its like see none."""


class IrsaProvider(InChain, AssumeRoleWithWebIdentityProvider):
    """Our provider in the chain of botocore's sessions; `InChain` says what it takes."""

    def load(self) -> IrsaCredentials | None:
        """Return the credentials object; None where IRSA is not configured: the chain goes on.

        Raises:
            InvalidConfigError: a value is malformed, or something is half set; a `ConfigError`
                as well.
        """
        provider = self._provider()
        return None if provider is None else IrsaCredentials(provider)


def __getattr__(name: str) -> Any:
    """Return a class of what boto3 raises; a program that meets none pays for none."""
    if name not in _ERRORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    load_late("irsa_creds._dual_errors")
    from irsa_creds import _dual_errors  # noqa: PLC0415

    return getattr(_dual_errors, name)
