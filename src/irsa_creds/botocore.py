"""The credentials object and the chain provider for boto3 and botocore.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    errors   1   botocore: an error is raised
"""

from __future__ import annotations

from typing import Any

from irsa_creds._botocore.sync import IrsaCredentials
from irsa_creds._sessions.chain_provider import IrsaProvider

__all__ = ["IrsaCredentials", "IrsaProvider"]

# Tracebacks and pickles use this module for these errors.
_ERRORS = {
    "BotocoreConfigError",
    "BotocoreExchangeError",
    "BotocoreRefreshTimeout",
    "BotocoreTokenError",
    "DeniedError",
    "UnreachableError",
}


def __getattr__(name: str) -> Any:
    """Return an error class; the module of the errors is imported only if one is needed."""
    if name not in _ERRORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from irsa_creds._botocore import errors  # noqa: PLC0415

    return getattr(errors, name)
