"""Every private name that the adapters touch, and whether the installed libraries have it."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import botocore
from botocore import credentials
from botocore.session import ComponentLocator, Session

if TYPE_CHECKING:
    from types import CodeType

__all__ = [
    "aiobotocore_session_module",
    "builder_session",
    "built_chain",
    "forget",
    "is_aiobotocores",
    "last_client_region",
    "missing_in_aiobotocore",
    "missing_names",
    "profile_builder",
    "renew_chain",
    "resolved",
    "source_credentials",
    "versions",
]

_CHAIN = "credential_provider"


def missing_names() -> list[str]:
    """Return what the installed botocore lacks of all that is used here; empty: all is well."""
    builder = profile_builder()
    replaced = credentials.AssumeRoleWithWebIdentityProvider
    refreshable = credentials.RefreshableCredentials
    fetcher = getattr(credentials, "AssumeRoleCredentialFetcher", object)
    second = getattr(credentials, "AssumeRoleProvider", object)
    checks = {
        "AssumeRoleCredentialFetcher._source_credentials": _sets(fetcher, "_source_credentials"),
        "AssumeRoleProvider._visited_profiles": _sets(second, "_visited_profiles"),
        "AssumeRoleWithWebIdentityProvider.METHOD": "METHOD" in vars(replaced),
        "ComponentLocator._deferred": _sets(ComponentLocator, "_deferred"),
        "ProfileProviderBuilder.providers(profile_name, disable_env_vars)": (
            _parameters(builder, "providers") == ["self", "profile_name", "disable_env_vars"]
        ),
        "ProfileProviderBuilder._session": _sets(builder, "_session"),
        "botocore.register_initializer": hasattr(botocore, "register_initializer"),
        "botocore.unregister_initializer": hasattr(botocore, "unregister_initializer"),
        "RefreshableCredentials._refresh": hasattr(refreshable, "_refresh"),
        "RefreshableCredentials._refresh_using": _sets(refreshable, "_refresh_using"),
        "RefreshableCredentials.refresh_needed": hasattr(refreshable, "refresh_needed"),
        "Session._components": _sets(Session, "_components"),
        "Session._credentials": _sets(Session, "_credentials"),
        "Session._last_client_region_used": _sets(Session, "_last_client_region_used"),
        "Session._register_credential_provider": hasattr(Session, "_register_credential_provider"),
        # Looked up when a chain is made: a wrapper reaches every session that has none yet.
        "credentials.create_credential_resolver": (
            _parameters(credentials, "create_credential_resolver")[:1] == ["session"]
            and _mentions(
                getattr(Session, "_create_credential_resolver", None), "create_credential_resolver"
            )
        ),
    }
    return [name for name, present in checks.items() if not present]


def missing_in_aiobotocore() -> list[str]:
    """Return what an aiobotocore that somebody has imported lacks; it is never imported here."""
    module = aiobotocore_session_module()
    if module is None:
        return []
    cls = getattr(module, "AioSession", None)
    credentials_module = sys.modules.get("aiobotocore.credentials")
    checks = {
        "aiobotocore.credentials.AioRefreshableCredentials": (
            hasattr(credentials_module, "AioRefreshableCredentials")
        ),
        "aiobotocore.session.AioSession": cls is not None and issubclass(cls, Session),
        # One of their own would make chains that ours is never put into.
        "aiobotocore.credentials.AioProfileProviderBuilder, without providers": (
            _inherits(credentials_module, "AioProfileProviderBuilder", "providers")
        ),
        # Looked up there when a chain is made, as botocore's own is.
        "aiobotocore.session.create_credential_resolver": (
            _parameters(module, "create_credential_resolver")[:1] == ["session"]
            and _mentions(
                getattr(cls, "_create_credential_resolver", None), "create_credential_resolver"
            )
        ),
    }
    return [name for name, present in checks.items() if not present]


def aiobotocore_session_module() -> Any:
    """Return the module of aiobotocore's sessions; None where nobody has imported it yet."""
    module = sys.modules.get("aiobotocore.session")
    # Another thread may be in the middle of importing it: this is its last name.
    return module if hasattr(module, "get_session") else None


def is_aiobotocores(session: Any) -> bool:
    """Whether a session is of an aiobotocore that has all that is used here."""
    module = aiobotocore_session_module()
    return (
        module is not None
        and not missing_in_aiobotocore()
        and isinstance(session, module.AioSession)
    )


def _inherits(module: Any, cls: str, name: str) -> bool:
    """Whether a class is there, and takes `name` from botocore's."""
    found = getattr(module, cls, None)
    return found is not None and getattr(found, name, None) is getattr(
        profile_builder(), name, None
    )


def _parameters(owner: Any, name: str) -> list[str]:
    # Not `inspect.signature`: a fortieth of what the first credentials of a process take.
    code = _code_of(getattr(owner, name, None))
    return list(code.co_varnames[: code.co_argcount]) if code else []


def _sets(cls: type, attribute: str) -> bool:
    """Whether the constructor of `cls` touches `attribute`."""
    return _mentions(cls.__init__, attribute)  # type: ignore[misc]


def _mentions(function: Any, name: str) -> bool:
    """Whether the code of `function` has `name` in it."""
    code = _code_of(function)
    return code is not None and name in code.co_names


def _code_of(function: Any) -> CodeType | None:
    """Return the code of a function, which tracers may have wrapped; None where it has none."""
    return getattr(inspect.unwrap(function), "__code__", None) if function else None


def versions() -> str:
    """Return what is installed, for messages."""
    aiobotocore = sys.modules.get("aiobotocore")
    beside = f", aiobotocore {aiobotocore.__version__}" if aiobotocore else ""
    return f"botocore {botocore.__version__}{beside}"


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
    for provider in getattr(built_chain(session), "providers", ()):
        # Where botocore's AssumeRoleProvider has been once, it takes a second visit for a loop.
        del getattr(provider, "_visited_profiles", [])[1:]


def source_credentials(held: Any) -> Any:
    """Return the credentials with which `held` ones ask for their role; None: not to be seen."""
    fetcher = getattr(getattr(held, "_refresh_using", None), "__self__", None)
    return getattr(fetcher, "_source_credentials", None)


def built_chain(session: Session) -> Any:
    """Return the chain that a session has, of any make; None where it is made when asked for."""
    if _CHAIN in session._components._deferred:  # noqa: SLF001
        return None
    return session.get_component(_CHAIN)


def renew_chain(session: Session) -> None:
    """Make a session build botocore's chain when somebody asks for it."""
    session._register_credential_provider()  # noqa: SLF001
