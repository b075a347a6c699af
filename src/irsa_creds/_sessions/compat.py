"""The private names of botocore and aiobotocore that `install()` needs, most with a check.

Private is a name that botocore's documentation does not list, with or without an underscore: any
release may change it. Methods of `Session` without an underscore count as public. `install()` warns
and changes nothing if one of the checked names is missing; a name that `getattr` reads with a
default needs no check. These private names are elsewhere, because a check would not help there:

    _identity/settings     `configloader`, and the argument of its ConfigParseError
    _exchange/http         `httpsession`, with the pool classes of its session; `awsrequest`;
                           `kwargs` of errors
    _exchange/assume_role  `auth` and `awsrequest`
    _exchange/endpoint     the endpoint rules; without them a client tells the URL
    _exchange/muting       names of loggers
    _botocore              base classes from `credentials`, with the attributes and methods that
                           other programs use (`_frozen_credentials`, `_expiry_time`,
                           `_time_fetcher`, `_refresh`, `_protected_refresh`, `refresh_needed`,
                           `get_deferred_property` and its caller in `args`); `kwargs` of errors
    _sessions              base classes from `credentials`; `providers` of a chain and METHOD of
                           each; the instance attribute `get_credentials` in place of the method;
                           `context` of a request; boto3's `Session._session`
    _sitecustomize         `register_initializer`
    diagnosis/_network     `httpsession`, `awsrequest`; `providers` of a chain and METHOD of each
    testing                `auth`, `awsrequest`, `credentials`
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import botocore
from botocore import credentials
from botocore.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "aiobotocore_session_module",
    "builder_session",
    "client_credentials",
    "current_credentials",
    "discard_chain",
    "discard_credentials",
    "existing_chain",
    "is_aiobotocore_session",
    "keep_credentials",
    "last_client_region",
    "missing_in_aiobotocore",
    "missing_in_botocore",
    "missing_in_builder",
    "missing_in_session",
    "profile_builder",
    "register_features",
    "source_credentials",
    "versions",
]

_CHAIN = "credential_provider"


# -- checks ----------------------------------------------------------------------------------------


def missing_in_botocore() -> list[str]:
    """Return the names that the installed botocore lacks."""
    providers = getattr(profile_builder(), "providers", None)
    parameters = list(inspect.signature(providers).parameters) if providers else []
    refreshable = credentials.RefreshableCredentials
    checks = {
        "AssumeRoleWithWebIdentityProvider.METHOD": (
            "METHOD" in vars(credentials.AssumeRoleWithWebIdentityProvider)
        ),
        "ProfileProviderBuilder.providers(profile_name, disable_env_vars)": (
            parameters == ["self", "profile_name", "disable_env_vars"]
        ),
        "botocore.register_initializer": hasattr(botocore, "register_initializer"),
        "botocore.unregister_initializer": hasattr(botocore, "unregister_initializer"),
        # Sessions look it up when they make a chain, so a wrapper affects all without one.
        "credentials.create_credential_resolver": hasattr(
            credentials, "create_credential_resolver"
        ),
        "RefreshableCredentials._refresh": hasattr(refreshable, "_refresh"),
        "RefreshableCredentials.refresh_needed": hasattr(refreshable, "refresh_needed"),
        "Session._register_credential_provider": hasattr(Session, "_register_credential_provider"),
    }
    return _missing(checks)


def missing_in_session(session: Session) -> list[str]:
    """Return the attributes that a session lacks: its constructor sets them, not its class."""
    components = getattr(session, "_components", None)
    checks = {
        "ComponentLocator._deferred": hasattr(components, "_deferred"),
        "Session._credentials": hasattr(session, "_credentials"),
        "Session._last_client_region_used": hasattr(session, "_last_client_region_used"),
    }
    return _missing(checks)


def missing_in_builder(builder: Any) -> list[str]:
    """Return the attribute that a builder of profile providers lacks."""
    return _missing({"ProfileProviderBuilder._session": hasattr(builder, "_session")})


def missing_in_aiobotocore() -> list[str]:
    """Return the names that the imported aiobotocore lacks; never import it."""
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
        # The wrapper of botocore's method would not affect a method of its own.
        "aiobotocore.credentials.AioProfileProviderBuilder, without providers": (
            builder is not None
            and getattr(builder, "providers", None) is getattr(profile_builder(), "providers", None)
        ),
        # Looked up there when a chain is made, as botocore's own is.
        "aiobotocore.session.create_credential_resolver": hasattr(
            module, "create_credential_resolver"
        ),
    }
    return _missing(checks)


def _missing(checks: dict[str, bool]) -> list[str]:
    return [name for name, present in checks.items() if not present]


def versions() -> str:
    """Return the installed versions, for messages."""
    aiobotocore = sys.modules.get("aiobotocore")
    suffix = f", aiobotocore {aiobotocore.__version__}" if aiobotocore else ""
    return f"botocore {botocore.__version__}{suffix}"


# -- classes and modules ---------------------------------------------------------------------------


def aiobotocore_session_module() -> Any:
    """Return the module `aiobotocore.session`; None if it is not imported yet."""
    module = sys.modules.get("aiobotocore.session")
    # Another thread may still be importing it: it defines this name last.
    return module if hasattr(module, "get_session") else None


def is_aiobotocore_session(session: Any) -> bool:
    """Whether a session is of an aiobotocore that has all names used here."""
    module = aiobotocore_session_module()
    return (
        module is not None
        and not missing_in_aiobotocore()
        and isinstance(session, module.AioSession)
    )


def profile_builder() -> Any:
    """Return the class that creates the providers of every chain and of every source profile."""
    return getattr(credentials, "ProfileProviderBuilder", object)


def builder_session(builder: Any) -> Any:
    """Return the session of a builder of profile providers."""
    return builder._session  # noqa: SLF001


# -- sessions and credentials ----------------------------------------------------------------------


def last_client_region(session: Session) -> str | None:
    """Return the region of the client being created; None before the first."""
    region: str | None = session._last_client_region_used  # noqa: SLF001
    return region


def current_credentials(session: Session) -> Any:
    """Return the credentials that a session has; None if it has not looked for any."""
    return session._credentials  # noqa: SLF001


def keep_credentials(session: Session, credentials: Any) -> None:
    """Let a session have the given credentials."""
    session._credentials = credentials  # noqa: SLF001


def discard_credentials(session: Session) -> None:
    """Let a session look for credentials again when it needs them."""
    session._credentials = None  # noqa: SLF001
    for provider in getattr(existing_chain(session), "providers", ()):
        # botocore's AssumeRoleProvider takes a second visit to a profile for an endless loop.
        del getattr(provider, "_visited_profiles", [])[1:]


def register_features(ids: Iterable[str]) -> None:
    """Add ids of features to the user agent of the client that is being created, if any."""
    # As botocore 1.44.8, useragent.register_feature_id. Without these names, the ids are missing.
    get_context = getattr(sys.modules.get("botocore.context"), "get_context", None)
    features: set[str] = getattr(get_context and get_context(), "features", set())
    features.update(ids)


def source_credentials(credentials: Any) -> Any:
    """Return the credentials with which the given ones assume their role; None if unknown."""
    fetcher = getattr(getattr(credentials, "_refresh_using", None), "__self__", None)
    return getattr(fetcher, "_source_credentials", None)


def client_credentials(client: Any) -> Any:
    """Return the credentials with which a client signs; None if there are none, or no such name."""
    get = getattr(client, "_get_credentials", None)
    return get and get()


def existing_chain(session: Session) -> Any:
    """Return the chain that a session has, of any class; None if it is not made yet."""
    if _CHAIN in session._components._deferred:  # noqa: SLF001
        return None
    return session.get_component(_CHAIN)


def discard_chain(session: Session) -> None:
    """Let a session make botocore's chain when it needs one."""
    session._register_credential_provider()  # noqa: SLF001
