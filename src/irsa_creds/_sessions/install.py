"""`install()`: add irsa-creds to the chains of all sessions of botocore and aiobotocore, or one."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

import botocore
from botocore import credentials
from botocore.session import Session

from irsa_creds._flags import switch
from irsa_creds._identity import validation
from irsa_creds._identity.config import INSTALLED
from irsa_creds._provider import REGISTRY, Provider
from irsa_creds._sessions import compat
from irsa_creds._sessions.chain import (
    adapt_chain,
    adapt_existing_session,
    is_supported,
    replace_providers,
    restore_session,
    use_provider,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class AnySession(Protocol):
        """A session of boto3, botocore, aiobotocore or aioboto3, which all have this method."""

        def get_credentials(self) -> Any: ...


__all__ = ["install", "uninstall"]

_log = logging.getLogger("irsa_creds")

_RESOLVER_FACTORY = "create_credential_resolver"


class _Installation:
    """Which sessions get irsa-creds' providers, and what was changed for that; one per process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._all_sessions = False
        self._all_strict = False
        # Sessions given to `install`, each with whether it is strict.
        self._sessions: weakref.WeakKeyDictionary[Session, bool] = weakref.WeakKeyDictionary()
        # All sessions with a provider of irsa-creds, by id: written and listed without a lock.
        self._adapted: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()
        # Owner, name and original value of each attribute that was replaced.
        self._originals: list[tuple[Any, str, Any]] = []

    def install_everywhere(self, *, strict: bool) -> None:
        """Add irsa-creds to all new sessions, and to existing ones that have no chain yet."""
        with self._lock:
            if not self._wrap_factories_once():
                return
            self._all_sessions = True
            self._all_strict |= strict
            default = _default_session()
            if default is not None:
                self._adapt(default, "boto3's default session")
            if strict:
                # Their chains may have been made before `strict` was requested.
                for session in self._adapted_sessions():
                    self._adapt(session, "A session")

    def install_in(self, session: Session, *, strict: bool) -> None:
        """Add irsa-creds to one session."""
        with self._lock:
            if not self._wrap_factories_once():
                return
            self._sessions[session] = strict or self._sessions.get(session, False)
            method = self._adapt(session, "The session given to irsa_creds.install(session)")
        if method:
            _log.warning(
                "irsa_creds.install(session) changes nothing: the session already has other "
                "credentials (%s), which take precedence. Call it before the session is first "
                "used%s.",
                method,
                ", and give it no keys" if method == "explicit" else ", or with strict=True",
            )

    def undo(self) -> None:
        """Restore everything; existing clients keep their credentials."""
        with self._lock:
            self._unregister_initializer()
            for owner, name, original in self._originals:
                setattr(owner, name, original)
            self._originals = []
            self._all_sessions = self._all_strict = False
            self._sessions.clear()
            # `_adapted` is not cleared: another thread may be about to store credentials in one of
            # these sessions, and the next call removes them.
            for session in self._adapted_sessions():
                restore_session(session)

    def reset_after_fork(self) -> None:
        """Recreate the lock: another thread of the parent may have had it."""
        self._lock = threading.RLock()

    def _adapted_sessions(self) -> list[Session]:
        return [found for each in self._adapted.valuerefs() if (found := each())]

    def _adapt(self, session: Session, name: str) -> str | None:
        if not _can_adapt(session):
            return None
        self._adapted[id(session)] = session
        return adapt_existing_session(session, strict=self._is_strict(session), name=name)

    def _includes(self, session: Any) -> bool:
        return (
            isinstance(session, Session)
            and (self._all_sessions or session in self._sessions)
            and not _disabled()
            and _can_adapt(session)
        )

    def _is_strict(self, session: Session) -> bool:
        return self._all_strict or self._sessions.get(session, False)

    def _wrap_factories_once(self) -> bool:
        """Wrap the functions that create chains; return False if botocore lacks a name."""
        if self._originals:
            return True
        if _warned(compat.missing_in_botocore()):
            return False
        builder = compat.profile_builder()
        # Both: botocore calls `providers` for a source profile too, without a chain; only the other
        # one returns the whole chain, into which `strict` and source profiles insert a provider.
        originals = [
            (builder, "providers", builder.providers),
            (credentials, _RESOLVER_FACTORY, credentials.create_credential_resolver),
        ]
        builder.providers = self._wrap_providers(builder.providers)
        credentials.create_credential_resolver = self._wrap_resolver_factory(
            credentials.create_credential_resolver
        )
        # Called by every new session: aiobotocore may be imported later.
        self._unregister_initializer()
        botocore.register_initializer(self._on_new_session)
        # Only now: a child that is forked before this line has no originals and wraps the functions
        # once more, which does no harm: `adapt_chain` adds a provider only once.
        self._originals = originals
        self._wrap_aiobotocore()
        return True

    def _on_new_session(self, session: Session) -> None:
        del session
        if compat.aiobotocore_session_module() is not None:
            with self._lock:
                self._wrap_aiobotocore()

    def _unregister_initializer(self) -> None:
        with contextlib.suppress(ValueError):
            botocore.unregister_initializer(self._on_new_session)

    def _wrap_aiobotocore(self) -> None:
        """Wrap the function that creates aiobotocore's chains, once it is imported."""
        module = compat.aiobotocore_session_module()
        if module is None or not self._originals or any(module is o for o, *_ in self._originals):
            return
        if not _warned(compat.missing_in_aiobotocore()):
            original = getattr(module, _RESOLVER_FACTORY)
            setattr(module, _RESOLVER_FACTORY, self._wrap_resolver_factory(original))
            self._originals.append((module, _RESOLVER_FACTORY, original))

    def _wrap_providers(self, original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        @functools.wraps(original)
        def providers(
            builder: Any,
            profile_name: str,
            disable_env_vars: bool = False,  # noqa: FBT001, FBT002 - botocore's own signature
        ) -> list[Any]:
            found = original(builder, profile_name, disable_env_vars)
            if _warned(compat.missing_in_builder(builder)):
                return found
            session = compat.builder_session(builder)
            if not self._includes(session):
                return found
            self._adapted[id(session)] = session
            return replace_providers(
                found, session, profile_name, explicit_profile=disable_env_vars
            )

        return providers

    def _wrap_resolver_factory(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # Existing sessions call it as well, when they first need their chain.
        @functools.wraps(original)
        def create_credential_resolver(session: Session, *args: Any, **kwargs: Any) -> Any:
            chain = original(session, *args, **kwargs)
            if self._includes(session):
                adapt_chain(chain, session, strict=self._is_strict(session))
            return chain

        return create_credential_resolver


_INSTALLATION = _Installation()

if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_INSTALLATION.reset_after_fork)


def install(
    session: AnySession | None = None,
    *,
    strict: bool = False,
    provider: Provider | None = None,
    shared_cache: bool | str | os.PathLike[str] | None = None,
    duration_seconds: int | None = None,
) -> None:
    """Replace the providers of IRSA and of container credentials in the chains of boto3 sessions.

    It covers boto3, botocore, aiobotocore and aioboto3. Call it before or after their import, more
    than once, and in any thread. It never imports aiobotocore.

    Args:
        session: one session; None: all new sessions, and existing ones that have not looked for
            credentials yet.
        strict: irsa-creds comes first in the chain, and raises an error if neither IRSA nor EKS Pod
            Identity (or Amazon ECS) is configured; also with `IRSA_CREDS_STRICT=1`.
        provider: with `session` only: its new clients get the credentials of this provider, and no
            others, except for keys that code gives to a client, and for Amazon Bedrock with
            `AWS_BEARER_TOKEN_BEDROCK`. Neither `uninstall()` nor `IRSA_CREDS_DISABLE=1` ends this,
            because they would give the clients another identity.
        shared_cache: share the credentials of all providers with the other processes of the pod: in
            this directory, or True: in the container's directory for temporary files. It writes
            secrets to files of mode 0600.
        duration_seconds: without `session` only: the lifetime to request for the credentials of all
            providers that are created without this argument, 900 to 43200 at AWS's endpoints; the
            role must allow it. It has no effect on EKS Pod Identity. None:
            `IRSA_CREDS_DURATION_SECONDS`, the profile's, or STS's default of one hour.

    Raises:
        TypeError: `session` is not a session, `provider` is not a provider with a session, or
            `duration_seconds` is given with a session.
        ValueError: `session` has static keys, and `provider` would replace them.
        ConfigError: `duration_seconds` is not a positive number.
    """
    if duration_seconds is not None:
        if session is not None:
            raise TypeError(
                "duration_seconds= is for all providers of the process, and takes no session. For "
                "one session, pass provider=irsa_creds.provider(duration_seconds=)."
            )
        validation.duration(duration_seconds, "The argument duration_seconds", aws=False)
    if shared_cache:
        REGISTRY.set_shared_cache(shared_cache if shared_cache is True else os.fspath(shared_cache))
    core = None if session is None else _botocore_session_of(session)
    if provider is not None:
        if core is None or not isinstance(provider, Provider):
            raise TypeError("provider= takes an irsa_creds.Provider, and needs a session.")
        use_provider(core, provider)
        return
    strict = strict or switch("IRSA_CREDS_STRICT", default=False)
    if _disabled():
        _log.info("IRSA_CREDS_DISABLE=1: botocore's own provider stays.")
    elif core is None:
        _INSTALLATION.install_everywhere(strict=strict)
    else:
        _INSTALLATION.install_in(core, strict=strict)
    if duration_seconds is not None:
        # Last, because a call that raised an error must not change the process.
        INSTALLED["duration_seconds"] = duration_seconds


def uninstall() -> None:
    """Undo every `install()`; existing clients, and sessions with `provider=`, stay as they are."""
    INSTALLED.clear()
    REGISTRY.set_shared_cache(None)
    _INSTALLATION.undo()


def _botocore_session_of(session: Any) -> Session:
    """Return the botocore or aiobotocore session of one of boto3 or aioboto3, or the same."""
    core = getattr(session, "_session", session)
    known = isinstance(core, Session) and is_supported(core)
    if not known and not _warned(compat.missing_in_aiobotocore()):
        raise TypeError(
            "install() takes a session of boto3, botocore, aiobotocore or aioboto3, not a "
            f"{type(session).__name__}."
        )
    return cast("Session", core)


def _default_session() -> Session | None:
    """Return the botocore session of `boto3.DEFAULT_SESSION`, if there is one."""
    default = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    return getattr(default, "_session", None)


def _disabled() -> bool:
    return switch("IRSA_CREDS_DISABLE", default=False)


def _can_adapt(session: Session) -> bool:
    # A mock of a session, which `isinstance` takes for one, has none of a session's attributes.
    if not issubclass(type(session), Session):
        return False
    return is_supported(session) and not _warned(compat.missing_in_session(session))


def _warned(missing: list[str]) -> bool:
    """Return whether names are missing, and log them once."""
    if missing:
        _warn_of_missing(", ".join(missing))
    return bool(missing)


@functools.cache
def _warn_of_missing(names: str) -> None:
    _log.warning(
        "%s lacks private names that irsa_creds.install() needs: its own provider stays. "
        "Look for a newer irsa-creds. Missing: %s",
        compat.versions(),
        names,
    )
