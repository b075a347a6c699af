"""AWS credentials for pods with IRSA: refreshed in the background.

IRSA is Amazon EKS's "IAM roles for service accounts". EKS Pod Identity and Amazon ECS work, too.
Begin with one of these; `help()` of each says more:

    install()     before boto3 or aiobotocore make a session: nothing else changes
    provider()    the credentials themselves: `.get()` in a thread, `await .aget()` in a task
    doctor()      what is wrong in this pod; `explain()`: whether a trust policy allows a token

Also public: `boto3_session()`, `aiobotocore_session()` and the modules `irsa_creds.adapters`,
`irsa_creds.opentelemetry`, `irsa_creds.pyarrow`, `irsa_creds.smithy` and `irsa_creds.testing`. All
errors are `IrsaError`. Names that begin with an underscore may change in any release.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from irsa_creds._credentials import Credentials
from irsa_creds._engine.forks import FORKS
from irsa_creds._errors import (
    ConfigError,
    ExchangeError,
    Failure,
    IrsaError,
    RefreshTimeout,
    TokenError,
)
from irsa_creds._masking import cut_log_line
from irsa_creds._version import __version__

if TYPE_CHECKING:
    from irsa_creds._engine.events import (
        Event,
        LastFailure,
        RefreshFailed,
        RefreshStarted,
        RefreshSucceeded,
        Status,
        TokenRotated,
    )
    from irsa_creds._identity.roles import RoleConfig
    from irsa_creds._provider import Provider, provider, reset
    from irsa_creds._sessions.factories import aiobotocore_session, boto3_session
    from irsa_creds._sessions.install import install, uninstall
    from irsa_creds.diagnosis import (
        Check,
        Diagnosis,
        Explanation,
        Finding,
        PolicyError,
        doctor,
        explain,
    )

__all__ = [
    "Check",
    "ConfigError",
    "Credentials",
    "Diagnosis",
    "Event",
    "ExchangeError",
    "Explanation",
    "Failure",
    "Finding",
    "IrsaError",
    "LastFailure",
    "PolicyError",
    "Provider",
    "RefreshFailed",
    "RefreshStarted",
    "RefreshSucceeded",
    "RefreshTimeout",
    "RoleConfig",
    "Status",
    "TokenError",
    "TokenRotated",
    "__version__",
    "aiobotocore_session",
    "boto3_session",
    "doctor",
    "explain",
    "install",
    "provider",
    "reset",
    "uninstall",
]

_log = logging.getLogger("irsa_creds")
# Without it, logging prints the warnings of a program that does not configure logging to stderr.
_log.addHandler(logging.NullHandler())
_log.addFilter(cut_log_line)

# `explain` needs no engine, and the first credentials of a process need nothing of botocore's part,
# which costs 11 ms and more.
_LATE = {
    **dict.fromkeys(("aiobotocore_session", "boto3_session"), "irsa_creds._sessions.factories"),
    **dict.fromkeys(("install", "uninstall"), "irsa_creds._sessions.install"),
    **dict.fromkeys(
        (
            "Event",
            "LastFailure",
            "RefreshFailed",
            "RefreshStarted",
            "RefreshSucceeded",
            "Status",
            "TokenRotated",
        ),
        "irsa_creds._engine.events",
    ),
    **dict.fromkeys(
        ("Check", "Diagnosis", "Explanation", "Finding", "PolicyError", "doctor", "explain"),
        "irsa_creds.diagnosis",
    ),
    "RoleConfig": "irsa_creds._identity.roles",
    **dict.fromkeys(("Provider", "provider", "reset"), "irsa_creds._provider"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(FORKS.import_module(_LATE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
