"""Our provider in the chain of botocore's and aiobotocore's sessions: all of them, or one."""

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

from irsa_creds._botocore import compat
from irsa_creds._botocore.chain import (
    leave,
    provider_class,
    put_first,
    reach,
    take_hops,
    with_ours,
)
from irsa_creds._flags import switch
from irsa_creds._registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["install", "uninstall"]

_log = logging.getLogger("irsa_creds")

_MAKER = "create_credential_resolver"


class _Installation:
    """What is installed where; one per process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._everywhere = False
        self._strict_everywhere = False
        # Each with whether it is strict.
        self._sessions: weakref.WeakKeyDictionary[Session, bool] = weakref.WeakKeyDictionary()
        # All that ours was put into, by id: to be written and listed without a lock.
        self._touched: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()
        # What each changed attribute was: the owner, the name, the value.
        self._originals: list[tuple[Any, str, Any]] = []

    def everywhere(self, *, strict: bool) -> None:
        """Reach all sessions made from now on, and those that have not made their chain yet."""
        with self._lock:
            if not self._wrap():
                return
            self._everywhere = True
            self._strict_everywhere |= strict
            default = _default_session()
            if default is not None:
                self._reach(default, "boto3's default session")
            if strict:
                # Their chains may have been made while ours was not to come first in them.
                for session in self._all_touched():
                    self._reach(session, "A session")

    def session(self, session: Session, *, strict: bool) -> None:
        """Reach one session."""
        with self._lock:
            if not self._wrap():
                return
            self._sessions[session] = strict or self._sessions.get(session, False)
            stays = self._reach(session)
        if stays:
            _log.warning(
                "irsa_creds.install(session) changes nothing here: the session holds other "
                "credentials already (%s), which come before a web identity. Call it before the "
                "session is first used%s.",
                stays,
                ", and give it no keys" if stays == "explicit" else ", or with strict=True",
            )

    def undo(self) -> None:
        """Put everything back; clients that hold our credentials keep them."""
        with self._lock:
            self._meet_no_more()
            for owner, name, original in self._originals:
                setattr(owner, name, original)
            self._originals = []
            self._everywhere = self._strict_everywhere = False
            self._sessions.clear()
            # All that ever were: one that was just resolving is left when this is called again.
            for session in self._all_touched():
                leave(session)

    def reset_after_fork(self) -> None:
        """Be free in a child: another thread of the parent's may have been installing."""
        self._lock = threading.RLock()

    def _all_touched(self) -> list[Session]:
        return [found for each in self._touched.valuerefs() if (found := each())]

    def _reach(self, session: Session, whose: str = "") -> str | None:
        if _warned(compat.missing_in_session(session)):
            return None
        self._touched[id(session)] = session
        return reach(session, strict=self._is_strict(session), whose=whose)

    def _reaches(self, session: Any) -> bool:
        """Whether `session` is to have our provider."""
        ours = isinstance(session, Session) and (self._everywhere or session in self._sessions)
        return (
            ours
            and not _disabled()
            and provider_class(session) is not None
            and not _warned(compat.missing_in_session(session))
        )

    def _is_strict(self, session: Session) -> bool:
        """Whether ours comes first there, if it is to be there at all."""
        return self._strict_everywhere or self._sessions.get(session, False)

    def _wrap(self) -> bool:
        """Wrap the method of every chain and hop, and the functions that make a whole chain."""
        if self._originals:
            return True
        if _warned(compat.missing_names()):
            return False
        builder = compat.profile_builder()
        originals = [
            (builder, "providers", builder.providers),
            (credentials, _MAKER, credentials.create_credential_resolver),
        ]
        builder.providers = self._wrapped_providers(builder.providers)
        credentials.create_credential_resolver = self._wrapped_maker(
            credentials.create_credential_resolver
        )
        # At the end of every session's constructor: whoever imports aiobotocore later is met there.
        self._meet_no_more()
        botocore.register_initializer(self._meet)
        # Last: a child born before this line wraps anew, and ours goes into a chain only once.
        self._originals = originals
        self._meet_aiobotocore()
        return True

    def _meet(self, session: Session) -> None:
        """See a new session of any colour, before it has a chain."""
        del session
        if compat.aiobotocore_session_module() is not None:
            with self._lock:
                self._meet_aiobotocore()

    def _meet_no_more(self) -> None:
        with contextlib.suppress(ValueError):
            botocore.unregister_initializer(self._meet)

    def _meet_aiobotocore(self) -> None:
        """Wrap what makes the chains of an aiobotocore that somebody has imported, once."""
        module = compat.aiobotocore_session_module()
        if module is None or not self._originals or self._originals[-1][0] is module:
            return
        if not _warned(compat.missing_in_aiobotocore()):
            original = getattr(module, _MAKER)
            setattr(module, _MAKER, self._wrapped_maker(original))
            self._originals.append((module, _MAKER, original))

    def _wrapped_providers(self, original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        @functools.wraps(original)
        def providers(
            builder: Any,
            profile_name: str,
            disable_env_vars: bool = False,  # noqa: FBT001, FBT002 - botocore's own signature
        ) -> list[Any]:
            chain = original(builder, profile_name, disable_env_vars)
            if _warned(compat.missing_in_builder(builder)):
                return chain
            session = compat.builder_session(builder)
            if not self._reaches(session):
                return chain
            self._touched[id(session)] = session
            return with_ours(chain, session, profile_name, explicit_profile=disable_env_vars)

        return providers

    def _wrapped_maker(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # botocore's sessions look it up when they need their chain, however old they are.
        @functools.wraps(original)
        def create_credential_resolver(session: Session, *args: Any, **kwargs: Any) -> Any:
            chain = original(session, *args, **kwargs)
            if self._reaches(session):
                take_hops(chain, session)
                if self._is_strict(session):
                    put_first(chain, session)
            return chain

        return create_credential_resolver


_INSTALLATION = _Installation()

if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_INSTALLATION.reset_after_fork)


def install(
    session: Any = None,
    *,
    strict: bool = False,
    shared_cache: bool | str | os.PathLike[str] | None = None,
) -> None:
    """Put our provider in the place of botocore's and aiobotocore's in the chain of credentials.

    It may be called before or after their import, more than once, and in any thread; aiobotocore
    is never imported by it.

    Args:
        session: a session of boto3, botocore, aiobotocore or aioboto3; None: all that are made
            from now on, and those that have not looked for credentials yet.
        strict: ours comes first in the chain, and its not being configured is an error.
        shared_cache: let all providers of this process share with the other processes of the pod:
            in a directory, or True: in the container's own one for temporary files. It writes
            secrets, in files of mode 0600.

    Raises:
        TypeError: `session` is something else.
    """
    if shared_cache:
        REGISTRY.set_shared_cache(shared_cache if shared_cache is True else os.fspath(shared_cache))
    core = None if session is None else _core(session)
    if _disabled():
        _log.info("IRSA_CREDS_DISABLE=1: botocore's own provider stays.")
    elif core is None:
        _INSTALLATION.everywhere(strict=strict)
    else:
        _INSTALLATION.session(core, strict=strict)


def uninstall() -> None:
    """Undo every `install()`; clients that exist keep their credentials."""
    REGISTRY.set_shared_cache(None)
    _INSTALLATION.undo()


def _core(session: Any) -> Session:
    """Return the botocore or aiobotocore session inside one of boto3 or aioboto3, or itself."""
    core = getattr(session, "_session", session)
    known = isinstance(core, Session) and provider_class(core) is not None
    if not known and not _warned(compat.missing_in_aiobotocore()):
        raise TypeError(
            "install() takes a session of boto3, botocore, aiobotocore or aioboto3, and this is "
            f"a {type(session).__name__}."
        )
    return cast("Session", core)


def _default_session() -> Session | None:
    """Return the botocore session in `boto3.DEFAULT_SESSION`, where some import has made one."""
    default = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    return getattr(default, "_session", None)


def _disabled() -> bool:
    return switch("IRSA_CREDS_DISABLE", default=False)


def _warned(missing: list[str]) -> bool:
    """Whether names are missing; then it has been said once."""
    if missing:
        _warn_of_missing(", ".join(missing))
    return bool(missing)


@functools.cache
def _warn_of_missing(names: str) -> None:
    _log.warning(
        "%s lacks %s, which irsa_creds.install() needs: its own provider stays. "
        "Look for a newer irsa-creds.",
        compat.versions(),
        names,
    )
