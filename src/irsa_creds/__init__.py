"""AWS credentials for pods with IRSA: refreshed before anybody needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds._credentials import Credentials
from irsa_creds._errors import ConfigError, ExchangeError, IrsaError, RefreshTimeout, TokenError
from irsa_creds._events import (
    Event,
    LastFailure,
    RefreshFailed,
    RefreshStarted,
    RefreshSucceeded,
    Status,
    TokenRotated,
)
from irsa_creds._provider import Provider
from irsa_creds._registry import provider, reset
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from irsa_creds._install import boto3_session, install, uninstall

__all__ = [
    "ConfigError",
    "Credentials",
    "Event",
    "ExchangeError",
    "IrsaError",
    "LastFailure",
    "Provider",
    "RefreshFailed",
    "RefreshStarted",
    "RefreshSucceeded",
    "RefreshTimeout",
    "Status",
    "TokenError",
    "TokenRotated",
    "__version__",
    "boto3_session",
    "install",
    "provider",
    "reset",
    "uninstall",
]

# These need botocore, which costs 11 ms and more: a program that only asks a provider does not pay.
_LATE = frozenset({"boto3_session", "install", "uninstall"})


def __getattr__(name: str) -> Any:
    if name in _LATE:
        from irsa_creds import _install  # noqa: PLC0415

        return getattr(_install, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
