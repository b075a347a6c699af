"""Every private name of botocore's that the adapters touch, and whether it is there."""

from __future__ import annotations

import inspect
from typing import Any

import botocore
from botocore import credentials
from botocore.session import ComponentLocator, Session

__all__ = [
    "builder_session",
    "built_chain",
    "forget",
    "last_client_region",
    "missing_names",
    "profile_builder",
    "resolved",
    "version",
]

_CHAIN = "credential_provider"


def missing_names() -> list[str]:
    """Return what the installed botocore lacks of all that is used here; empty: all is well."""
    builder = profile_builder()
    replaced = credentials.AssumeRoleWithWebIdentityProvider
    refreshable = credentials.RefreshableCredentials
    checks = {
        "AssumeRoleWithWebIdentityProvider.METHOD": "METHOD" in vars(replaced),
        "ComponentLocator._deferred": _sets(ComponentLocator, "_deferred"),
        "ProfileProviderBuilder.providers(profile_name, disable_env_vars)": (
            _parameters(builder, "providers") == ["self", "profile_name", "disable_env_vars"]
        ),
        "ProfileProviderBuilder._session": _sets(builder, "_session"),
        "RefreshableCredentials._refresh": hasattr(refreshable, "_refresh"),
        "RefreshableCredentials.refresh_needed": hasattr(refreshable, "refresh_needed"),
        "Session._components": _sets(Session, "_components"),
        "Session._credentials": _sets(Session, "_credentials"),
        "Session._last_client_region_used": _sets(Session, "_last_client_region_used"),
    }
    return [name for name, present in checks.items() if not present]


def _parameters(cls: type, method: str) -> list[str]:
    function = getattr(cls, method, None)
    return list(inspect.signature(function).parameters) if function else []


def _sets(cls: type, attribute: str) -> bool:
    """Whether the constructor of `cls` touches `attribute`; tracers may have wrapped it."""
    code = getattr(inspect.unwrap(cls.__init__), "__code__", None)  # type: ignore[misc]
    return code is not None and attribute in code.co_names


def version() -> str:
    """Return botocore's version, for messages."""
    return str(botocore.__version__)


def profile_builder() -> Any:
    """Return the class that makes the providers of every chain and every hop."""
    return getattr(credentials, "ProfileProviderBuilder", object)


def builder_session(builder: Any) -> Any:
    """Return the session that a builder of profile providers works for."""
    return builder._session  # noqa: SLF001


def last_client_region(session: Session) -> str | None:
    """Return the region of the client being made; None before the first."""
    region: str | None = session._last_client_region_used  # noqa: SLF001
    return region


def resolved(session: Session) -> Any:
    """Return the credentials that a session holds already; None where it has not looked."""
    return session._credentials  # noqa: SLF001


def forget(session: Session) -> None:
    """Make a session ask its chain anew when it needs credentials."""
    session._credentials = None  # noqa: SLF001


def built_chain(session: Session) -> credentials.CredentialResolver | None:
    """Return the chain that a session has made already.

    None where it will be made when somebody asks, or is something else than botocore's own.
    """
    if _CHAIN in session._components._deferred:  # noqa: SLF001
        return None
    chain = session.get_component(_CHAIN)
    return chain if isinstance(chain, credentials.CredentialResolver) else None
