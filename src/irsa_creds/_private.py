"""Every private name of botocore's that the adapters touch, and whether it is there."""

from __future__ import annotations

import inspect
from typing import Any

import botocore
from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    ProfileProviderBuilder,
    RefreshableCredentials,
)
from botocore.session import Session

__all__ = ["builder_session", "last_client_region", "missing_names", "resolve_again", "resolved"]


def missing_names() -> list[str]:
    """Return what the installed botocore lacks of all that is used here; empty: all is well."""
    session = vars(Session)
    source = inspect.getsource(Session.__init__)
    checks = {
        "AssumeRoleWithWebIdentityProvider.METHOD": hasattr(
            AssumeRoleWithWebIdentityProvider, "METHOD"
        ),
        "ProfileProviderBuilder.providers(profile_name, disable_env_vars)": _parameters(
            getattr(ProfileProviderBuilder, "providers", None)
        )
        == ["self", "profile_name", "disable_env_vars"],
        "ProfileProviderBuilder(session)": "session" in _parameters(ProfileProviderBuilder),
        "RefreshableCredentials.refresh_needed": hasattr(RefreshableCredentials, "refresh_needed"),
        "RefreshableCredentials._refresh": hasattr(RefreshableCredentials, "_refresh"),
        "Session._register_credential_provider": "_register_credential_provider" in session,
        "Session._credentials": "self._credentials" in source,
        "Session._last_client_region_used": "self._last_client_region_used" in source,
    }
    return [name for name, present in checks.items() if not present]


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters) if callable(function) else []


def version() -> str:
    """Return botocore's version, for messages."""
    return str(botocore.__version__)


def builder_session(builder: ProfileProviderBuilder) -> Any:
    """Return the session that a builder of profile providers works for."""
    return builder._session  # noqa: SLF001


def last_client_region(session: Session) -> str | None:
    """Return the region of the client being made; None before the first."""
    region: str | None = session._last_client_region_used  # noqa: SLF001
    return region


def resolved(session: Session) -> Any:
    """Return the credentials that a session holds already; None where it has not looked."""
    return session._credentials  # noqa: SLF001


def resolve_again(session: Session) -> None:
    """Make a session forget its credentials and its chain, and ask anew when it needs them."""
    session._credentials = None  # noqa: SLF001
    session._register_credential_provider()  # noqa: SLF001
