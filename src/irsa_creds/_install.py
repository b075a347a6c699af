"""Our provider in the chain of botocore's sessions: all of them, or one."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import botocore
from botocore.credentials import (
    CredentialResolver,
    ProfileProviderBuilder,
    create_credential_resolver,
)
from botocore.session import Session

from irsa_creds import _private
from irsa_creds.botocore import IrsaCredentials, IrsaProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

__all__ = ["boto3_session", "install", "uninstall"]

_log = logging.getLogger("irsa_creds")


class _Installation:
    """What is installed where; one per process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._everywhere = False
        self._strict_everywhere = False
        self._sessions: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self._original: Callable[..., list[Any]] | None = None

    def everywhere(self, *, strict: bool) -> None:
        """Reach all sessions made from now on, and those that have not resolved yet."""
        with self._lock:
            if not self._wrap():
                return
            self._everywhere = True
            if strict and not self._strict_everywhere:
                self._strict_everywhere = True
                botocore.register_initializer(_be_strict)
            default = _default_session()
            if default is not None:
                self._reach(default, strict=strict)

    def session(self, session: Any, *, strict: bool) -> None:
        """Reach one session."""
        with self._lock:
            if self._wrap():
                self._sessions[session] = strict
                self._reach(session, strict=strict)

    def undo(self) -> None:
        """Put everything back; sessions that hold our credentials keep them."""
        with self._lock:
            if self._strict_everywhere:
                botocore.unregister_initializer(_be_strict)
            if self._original is not None:
                ProfileProviderBuilder.providers = self._original
                self._original = None
            reached = [session for session in (_default_session(), *self._sessions) if session]
            self._everywhere = self._strict_everywhere = False
            self._sessions.clear()
            for session in reached:
                if isinstance(_private.resolved(session), IrsaCredentials | None):
                    _private.resolve_again(session)

    def reaches(self, session: Any) -> bool:
        """Whether `session` is to have our provider."""
        return (self._everywhere or session in self._sessions) and not _disabled()

    def _wrap(self) -> bool:
        """Wrap the one method through which every chain and every hop goes."""
        if self._original is not None:
            return True
        missing = _private.missing_names()
        if missing:
            _log.warning(
                "botocore %s lacks %s, which irsa_creds.install() needs: botocore's own provider "
                "stays. Look for a newer irsa-creds.",
                _private.version(),
                ", ".join(missing),
            )
            return False
        original = ProfileProviderBuilder.providers

        @functools.wraps(original)
        def providers(
            builder: Any,
            profile_name: str,
            disable_env_vars: bool = False,  # noqa: FBT001, FBT002 - botocore's own signature
        ) -> list[Any]:
            chain: list[Any] = original(builder, profile_name, disable_env_vars)
            session = _private.builder_session(builder)
            if not self.reaches(session):
                return chain
            ours = IrsaProvider(session, profile_name, disable_env_vars=disable_env_vars)
            return [ours if _is_replaced(theirs) else theirs for theirs in chain]

        self._original = original
        ProfileProviderBuilder.providers = providers
        return True

    def _reach(self, session: Any, *, strict: bool) -> None:
        """Make a session that exists already look for credentials anew."""
        held = _private.resolved(session)
        if held is not None:
            if getattr(held, "method", None) != IrsaProvider.METHOD:
                # Keys that code gave, or another provider's: ours would not have been asked.
                return
            if not isinstance(held, IrsaCredentials):
                _log.warning(
                    "A session has made clients with botocore's own web identity credentials "
                    "before irsa_creds.install(); new clients get ours, those keep the old ones. "
                    "Call install() earlier, before other imports."
                )
        _private.resolve_again(session)
        if strict:
            _be_strict(session)


_INSTALLATION = _Installation()


def install(session: Any = None, *, strict: bool = False) -> None:
    """Put our provider in botocore's place in the chain of credentials.

    Args:
        session: a boto3 or botocore session; None: all that are made from now on, and those that
            have not looked for credentials yet.
        strict: ours comes first in the chain, and its not being configured is an error.
    """
    if _disabled():
        _log.info("IRSA_CREDS_DISABLE=1: botocore's own provider stays.")
    elif session is None:
        _INSTALLATION.everywhere(strict=strict)
    else:
        _INSTALLATION.session(_core(session), strict=strict)


def uninstall() -> None:
    """Undo every `install()`; clients that exist keep their credentials."""
    _INSTALLATION.undo()


def boto3_session(*, strict: bool = False, **arguments: Any) -> boto3.Session:
    """Return a boto3 session that has our provider; it pickles as its arguments.

    Args:
        strict: ours comes first in the chain, and its not being configured is an error.
        arguments: those of `boto3.Session`.
    """
    from irsa_creds._boto3 import IrsaBoto3Session  # noqa: PLC0415 - boto3 is not a dependency

    return IrsaBoto3Session({"strict": strict, **arguments})


class _StrictResolver(CredentialResolver):
    """A chain that begins with ours, which never says no: no other identity can slip in."""

    # Not the base's constructor: the chain depends on the profile, which boto3 names only after
    # the session has been made.
    def __init__(self, session: Any) -> None:
        self._session = session

    @functools.cached_property
    def providers(self) -> list[Any]:
        """Ours, and the usual ones behind it for who looks one up by its name."""
        session = self._session
        ours = IrsaProvider(
            session,
            session.get_config_variable("profile") or "default",
            disable_env_vars=session.instance_variables().get("profile") is not None,
            strict=True,
        )
        region = _private.last_client_region(session)
        return [ours, *create_credential_resolver(session, region_name=region).providers]


def _be_strict(session: Any) -> None:
    if not _is_async(session) and not _disabled():
        session.register_component("credential_provider", _StrictResolver(session))


def _is_replaced(provider: Any) -> bool:
    # aiobotocore's has a coroutine for `load`: it wants an adapter of its own colour.
    return provider.METHOD == IrsaProvider.METHOD and not inspect.iscoroutinefunction(provider.load)


def _is_async(session: Any) -> bool:
    return inspect.iscoroutinefunction(session.get_credentials)


def _core(session: Any) -> Session:
    """Return the botocore session inside a boto3 one; a botocore one as it is."""
    core = getattr(session, "_session", session)
    if not isinstance(core, Session) or _is_async(core):
        raise TypeError(
            f"install() takes a boto3 or botocore session, and this is a {type(session).__name__}."
        )
    return core


def _default_session() -> Any:
    """Return the botocore session in `boto3.DEFAULT_SESSION`, where some import has made one."""
    default = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    return getattr(default, "_session", None)


def _disabled() -> bool:
    return os.environ.get("IRSA_CREDS_DISABLE") == "1"
