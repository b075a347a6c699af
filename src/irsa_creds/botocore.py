"""botocore's credentials object and chain provider, on irsa-creds' engine."""

from __future__ import annotations

from typing import Any

from irsa_creds._botocore.sync import IrsaCredentials, IrsaProvider

__all__ = ["IrsaCredentials", "IrsaProvider"]

# Tracebacks and pickles name these errors by this module.
_ERRORS = {
    "BotocoreConfigError",
    "BotocoreExchangeError",
    "BotocoreRefreshTimeout",
    "BotocoreTokenError",
    "RefusedError",
    "UnreachableError",
}


def __getattr__(name: str) -> Any:
    """Return a class of the errors that boto3's callers get; it is imported when it is needed."""
    if name not in _ERRORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from irsa_creds._botocore import errors  # noqa: PLC0415

    return getattr(errors, name)
