"""Every private name that the adapters touch, and whether the installed libraries have it."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import botocore
from botocore import credentials
from botocore.session import Session

__all__ = [
    "aiobotocore_session_module",
    "builder_session",
    "built_chain",
    "forget",
    "is_aiobotocores",
    "last_client_region",
    "missing_in_aiobotocore",
    "missing_in_builder",
    "missing_in_session",
    "missing_names",
    "profile_builder",
    "renew_chain",
    "resolved",
    "source_credentials",
    "versions",
]

_CHAIN = "credential_provider"


def missing_names() -> list[str]:
    """Return the names that the installed botocore lacks; an empty list if it has all of them."""
    builder = profile_builder()
    replaced = credentials.AssumeRoleWithWebIdentityProvider
    refreshable = credentials.RefreshableCredentials
    checks = {
        "AssumeRoleWithWebIdentityProvider.METHOD": "METHOD" in vars(replaced),
        "ProfileProviderBuilder.providers(profile_name, disable_env_vars)": (
            _parameters(builder, "providers") == ["self", "profile_name", "disable_env_vars"]
        ),
        "botocore.register_initializer": hasattr(botocore, "register_initializer"),
        "botocore.unregister_initializer": hasattr(botocore, "unregister_initializer"),
        # Sessions look it up when they make a chain: a wrapper reaches all without one.
        "credentials.create_credential_resolver": hasattr(
            credentials, "create_credential_resolver"
        ),
        "RefreshableCredentials._refresh": hasattr(refreshable, "_refresh"),
        "RefreshableCredentials.refresh_needed": hasattr(refreshable, "refresh_needed"),
        "Session._register_credential_provider": hasattr(Session, "_register_credential_provider"),
    }
    return [name for name, present in checks.items() if not present]


def missing_in_session(session: Session) -> list[str]:
    """Return the names that a session lacks: its constructor sets them, the class has none."""
    checks = {
        "ComponentLocator._deferred": hasattr(getattr(session, "_components", None), "_deferred"),
        "Session._credentials": hasattr(session, "_credentials"),
        "Session._last_client_region_used": hasattr(session, "_last_client_region_used"),
    }
    return [name for name, present in checks.items() if not present]


def missing_in_builder(builder: Any) -> list[str]:
    """Return the name that a builder of profile providers lacks."""
    return [] if hasattr(builder, "_session") else ["ProfileProviderBuilder._session"]


def missing_in_aiobotocore() -> list[str]:
    """Return the names that the imported aiobotocore lacks; this function never imports it."""
    module = aiobotocore_session_module()
    if module is None:
        return []
    cls = getattr(module, "AioSession", None)
    credentials_module = sys.modules.get("aiobotocore.credentials")
    builder = getattr(credentials_module, "AioProfileProviderBuilder", None)
    checks = {
        "aiobotocore.credentials.AioRefreshableCredentials": (
            hasattr(credentials_module, "AioRefreshableCredentials")
        ),
        "aiobotocore.session.AioSession": cls is not None and issubclass(cls, Session),
        # One of its own would make chains into which our provider is never put.
        "aiobotocore.credentials.AioProfileProviderBuilder, without providers": (
            builder is not None
            and getattr(builder, "providers", None) is getattr(profile_builder(), "providers", None)
        ),
        # Looked up there when a chain is made, as botocore's own is.
        "aiobotocore.session.create_credential_resolver": hasattr(
            module, "create_credential_resolver"
        ),
    }
    return [name for name, present in checks.items() if not present]


def aiobotocore_session_module() -> Any:
    """Return the module of aiobotocore's sessions; None if it is not imported yet."""
    module = sys.modules.get("aiobotocore.session")
    # Another thread may be in the middle of importing it: this name is its last one.
    return module if hasattr(module, "get_session") else None


def is_aiobotocores(session: Any) -> bool:
    """Whether a session is of an aiobotocore that has all names used here."""
    module = aiobotocore_session_module()
    return (
        module is not None
        and not missing_in_aiobotocore()
        and isinstance(session, module.AioSession)
    )


def _parameters(owner: Any, name: str) -> list[str]:
    function = getattr(owner, name, None)
    return list(inspect.signature(function).parameters) if function else []


def versions() -> str:
    """Return the installed versions, for messages."""
    aiobotocore = sys.modules.get("aiobotocore")
    beside = f", aiobotocore {aiobotocore.__version__}" if aiobotocore else ""
    return f"botocore {botocore.__version__}{beside}"


def profile_builder() -> Any:
    """Return the class that makes the providers of every chain, those of source profiles too."""
    return getattr(credentials, "ProfileProviderBuilder", object)


def builder_session(builder: Any) -> Any:
    """Return the session that a builder of profile providers works for."""
    return builder._session  # noqa: SLF001


def last_client_region(session: Session) -> str | None:
    """Return the region of the client being made; None before the first."""
    region: str | None = session._last_client_region_used  # noqa: SLF001
    return region


def resolved(session: Session) -> Any:
    """Return the credentials that a session holds; None if it has not asked its chain yet."""
    return session._credentials  # noqa: SLF001


def forget(session: Session) -> None:
    """Make a session ask its chain again when it needs credentials."""
    session._credentials = None  # noqa: SLF001
    for provider in getattr(built_chain(session), "providers", ()):
        # botocore's AssumeRoleProvider takes a second visit to a profile for an endless loop.
        del getattr(provider, "_visited_profiles", [])[1:]


def source_credentials(held: Any) -> Any:
    """Return the credentials that assume the role of `held` ones; None if they do not tell."""
    fetcher = getattr(getattr(held, "_refresh_using", None), "__self__", None)
    return getattr(fetcher, "_source_credentials", None)


def built_chain(session: Session) -> Any:
    """Return the chain that a session has, of any class; None if it is not made yet."""
    if _CHAIN in session._components._deferred:  # noqa: SLF001
        return None
    return session.get_component(_CHAIN)


def renew_chain(session: Session) -> None:
    """Make a session build botocore's chain when it is needed next."""
    session._register_credential_provider()  # noqa: SLF001
