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
from botocore import credentials
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
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._original: Callable[..., list[Any]] | None = None

    def everywhere(self, *, strict: bool) -> None:
        """Reach all sessions made from now on, and those that have not made their chain yet."""
        with self._lock:
            if not self._wrap():
                return
            self._everywhere = True
            if strict and not self._strict_everywhere:
                self._strict_everywhere = True
                botocore.register_initializer(_be_strict)
            default = _default_session()
            if default is not None:
                _reach(default, strict=strict)

    def session(self, session: Session, *, strict: bool) -> None:
        """Reach one session."""
        with self._lock:
            if self._wrap():
                self._sessions.add(session)
                _reach(session, strict=strict)

    def undo(self) -> None:
        """Put everything back; clients that hold our credentials keep them."""
        with self._lock:
            if self._original is None:
                return
            _private.profile_builder().providers = self._original
            self._original = None
            if self._strict_everywhere:
                botocore.unregister_initializer(_be_strict)
            reached = {*self._sessions, _default_session()} - {None}
            self._everywhere = self._strict_everywhere = False
            self._sessions.clear()
            for session in reached:
                _leave(session)

    def reaches(self, session: Any) -> bool:
        """Whether `session` is to have our provider."""
        return (self._everywhere or session in self._sessions) and not _disabled()

    def _wrap(self) -> bool:
        """Wrap the one method through which every chain and every hop goes."""
        if self._original is not None:
            return True
        missing = _private.missing_names()
        if missing:
            _warn_of_missing(", ".join(missing))
            return False
        original = _private.profile_builder().providers

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
            return _with_ours(chain, session, profile_name, explicit_profile=disable_env_vars)

        self._original = original
        _private.profile_builder().providers = providers
        return True


_INSTALLATION = _Installation()


def install(session: Any = None, *, strict: bool = False) -> None:
    """Put our provider in botocore's place in the chain of credentials.

    Args:
        session: a boto3 or botocore session; None: all that are made from now on, and those that
            have not looked for credentials yet.
        strict: ours comes first in the chain, and its not being configured is an error.

    Raises:
        TypeError: `session` is something else.
    """
    core = None if session is None else _core(session)
    if _disabled():
        _log.info("IRSA_CREDS_DISABLE=1: botocore's own provider stays.")
    elif core is None:
        _INSTALLATION.everywhere(strict=strict)
    else:
        _INSTALLATION.session(core, strict=strict)


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

    return IrsaBoto3Session(strict=strict, **arguments)


def _reach(session: Session, *, strict: bool) -> None:
    """Put ours into a session that exists already."""
    held = _private.resolved(session)
    if held is not None and getattr(held, "method", None) != IrsaProvider.METHOD:
        # Keys that code gave, or another provider's: ours would not have been asked.
        return
    chain = _private.built_chain(session)
    if chain is not None:
        profile, explicit = _profile(session)
        # In place: whatever else was put into this chain, a cache or a provider, stays.
        chain.providers = _with_ours(chain.providers, session, profile, explicit_profile=explicit)
        if held is not None and not isinstance(held, IrsaCredentials):
            _private.forget(session)
            _log.warning(
                "A session has made clients with botocore's own web identity credentials before "
                "irsa_creds.install(); new clients get ours, those keep the old ones. "
                "Call install() earlier, before other imports."
            )
    if strict:
        _be_strict(session)


def _leave(session: Session) -> None:
    """Give a session its own chain back."""
    if isinstance(_private.resolved(session), IrsaCredentials):
        _private.forget(session)
    chain = _private.built_chain(session)
    if chain is not None:
        providers = chain.providers
        originals = [p.replaced if isinstance(p, IrsaProvider) else p for p in providers]
        chain.providers = [each for each in originals if each is not None]


def _be_strict(session: Session) -> None:
    """Let a chain begin with ours, which never says no: no other identity can slip in."""
    if _is_async(session):
        return
    chain = _private.built_chain(session)
    if chain is None:
        # Later: it depends on the profile, which boto3 names only after the session was made.
        session.lazy_register_component(
            "credential_provider", functools.partial(_strict_chain, session)
        )
    else:
        _put_first(chain, session)


def _strict_chain(session: Session) -> credentials.CredentialResolver:
    chain = credentials.create_credential_resolver(
        session, region_name=_private.last_client_region(session)
    )
    if _INSTALLATION.reaches(session):
        _put_first(chain, session)
    return chain


def _put_first(chain: credentials.CredentialResolver, session: Session) -> None:
    first = chain.providers[0]
    if isinstance(first, IrsaProvider) and first.strict:
        return
    profile, explicit = _profile(session)
    ours = IrsaProvider(session, profile, disable_env_vars=explicit, strict=True)
    chain.providers.insert(0, ours)


def _with_ours(
    chain: list[Any], session: Session, profile_name: str, *, explicit_profile: bool
) -> list[Any]:
    """Return the chain with ours in the place of botocore's own."""
    return [
        IrsaProvider(session, profile_name, disable_env_vars=explicit_profile, replaced=each)
        if _is_botocores(each)
        else each
        for each in chain
    ]


def _is_botocores(provider: Any) -> bool:
    """Whether a provider is the one to replace."""
    return (
        provider.METHOD == IrsaProvider.METHOD
        and not isinstance(provider, IrsaProvider)
        # aiobotocore's has a coroutine for `load`: it wants an adapter of its own colour.
        and not inspect.iscoroutinefunction(provider.load)
    )


def _profile(session: Session) -> tuple[str, bool]:
    """Return a session's profile, and whether code named it: the variables are off then."""
    # As in botocore 1.44.8, credentials.create_credential_resolver.
    name = session.get_config_variable("profile") or "default"
    return name, session.instance_variables().get("profile") is not None


def _core(session: Any) -> Session:
    """Return the botocore session inside a boto3 one; a botocore one as it is."""
    core = getattr(session, "_session", session)
    if not isinstance(core, Session) or _is_async(core):
        raise TypeError(
            f"install() takes a boto3 or botocore session, and this is a {type(session).__name__}."
        )
    return core


def _is_async(session: Session) -> bool:
    return inspect.iscoroutinefunction(session.get_credentials)


def _default_session() -> Session | None:
    """Return the botocore session in `boto3.DEFAULT_SESSION`, where some import has made one."""
    default = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    return getattr(default, "_session", None)


def _disabled() -> bool:
    return os.environ.get("IRSA_CREDS_DISABLE") == "1"


@functools.cache
def _warn_of_missing(names: str) -> None:
    _log.warning(
        "botocore %s lacks %s, which irsa_creds.install() needs: botocore's own provider stays. "
        "Look for a newer irsa-creds.",
        _private.version(),
        names,
    )
