"""The process's providers, one per identity, its refresher, and what a fork does to them."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

from cachetools import LRUCache

from irsa_creds._clock import SystemClock
from irsa_creds._config import Config, EnvironSettings
from irsa_creds._errors import TokenError
from irsa_creds._lazy import CONNECTING, IMPORT_LOCK, quiesce
from irsa_creds._provider import Provider, engine_of, pin
from irsa_creds._refresher import Refresher
from irsa_creds._switches import switch
from irsa_creds._token import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from irsa_creds._clock import Clock
    from irsa_creds._engine import Engine

__all__ = ["REGISTRY", "Registry", "issuer_of_file", "provider", "reset"]

_STRONG_REFERENCES = 1024
# Seconds that a fork waits at most: for imports, which take a fraction of that, and for TLS
# connections that are being opened, which an STS that is silent can make last.
_IMPORT_PATIENCE = 2.0
_CONNECT_PATIENCE = 0.5


class Registry:
    """Providers by identity: weakly, and strongly for those lately asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Re-entrant: a signal's handler may make a session in the middle of `of`.
        self._lock = threading.RLock()
        self._refresher = Refresher(clock)
        self._refresher_ran = False
        # All that live, those of before a `reset` too: who holds one goes on using it. By id, to
        # be listed in one step: a hook that fails would leave the import lock taken for ever.
        self._made: weakref.WeakValueDictionary[int, Provider] = weakref.WeakValueDictionary()
        self._known: weakref.WeakValueDictionary[Config, Provider] = weakref.WeakValueDictionary()
        self._recent: LRUCache[Config, Provider] = LRUCache(_STRONG_REFERENCES)

    def of(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        """Return the provider of that identity; the first one asked for makes it."""
        with self._lock:
            found = self._known.get(config)
            if found is None:
                background = switch("IRSA_CREDS_BACKGROUND", default=True)
                agenda = self._refresher if background else None
                made = Provider(config, arguments, clock=self._clock, agenda=agenda)
                found = self._known.setdefault(config, made)
                self._made[id(found)] = found
            else:
                pin(found, arguments)
            self._recent[config] = found
            return found

    def reset(self) -> None:
        """Forget and close every provider."""
        with self._lock:
            providers = list(self._known.values())
            self._known.clear()
            self._recent.clear()
        self._refresher.pause()
        for each in providers:
            each.close()

    def before_fork(self) -> None:
        """Leave nothing half done that a child would inherit: no import, no sleeping thread."""
        quiesce(imports=_IMPORT_PATIENCE, connections=_CONNECT_PATIENCE)
        # Two threads may fork at once, and the first of them has ended the refresher for both.
        self._refresher_ran |= self._refresher.pause()

    def after_in_parent(self) -> None:
        """Go on; the next read starts the refresher again, or nobody's where it is kept warm."""
        ran, self._refresher_ran = self._refresher_ran, False
        engines = self._engines() if ran else []
        for engine in engines:
            engine.rouse()
        # Not ours where the wait was over before it was free: the lock itself knows whose it is.
        with contextlib.suppress(RuntimeError):
            IMPORT_LOCK.release()
        for engine in engines:
            if engine.keep_warm:
                engine.tick()

    def after_in_child(self) -> None:
        """Make the providers the child's own."""
        IMPORT_LOCK.reset_after_fork()
        CONNECTING.reset_after_fork()
        self._lock = threading.RLock()
        self._refresher_ran = False
        self._refresher.reset_after_fork()
        for engine in self._engines():
            engine.reset_after_fork()

    def _engines(self) -> list[Engine]:
        made = [each() for each in self._made.valuerefs()]
        return [engine_of(each) for each in made if each is not None]


REGISTRY = Registry(SystemClock())

if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(
        before=REGISTRY.before_fork,
        after_in_parent=REGISTRY.after_in_parent,
        after_in_child=REGISTRY.after_in_child,
    )


def issuer_of_file(path: str) -> str | None:
    """Return who issued the token in a file; None where there is none to be read."""
    try:
        claims = TokenFile(path).read().claims or {}
    except TokenError:
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def provider(
    *,
    role_arn: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    token: Callable[[], str] | None = None,
    session_name: str | None = None,
    duration_seconds: int | None = None,
    policy: str | Mapping[str, Any] | None = None,
    policy_arns: Sequence[str] | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    profile: str | None = None,
    keep_warm: bool = False,
) -> Provider:
    """Return the process's shared provider for these arguments and this environment.

    Args:
        role_arn: the role to assume; None: `AWS_ROLE_ARN` or the profile's.
        token_file: the path of the web identity token; None: `AWS_WEB_IDENTITY_TOKEN_FILE` or the
            profile's.
        token: a callable that returns the token (a JWT), in place of a file; it is part of the
            identity, so pass the same object each time.
        session_name: 2 to 64 characters; None: `AWS_ROLE_SESSION_NAME`, the profile's, or the
            host's name.
        duration_seconds: the lifetime to ask for, 900 to 43200 at AWS's endpoints.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
        region: the region whose STS is asked.
        endpoint_url: an STS endpoint in place of AWS's own.
        profile: a profile to read; like in botocore it switches the variables off.
        keep_warm: fetch at once, and refresh in the background even while nobody reads.

    Raises:
        ConfigError: a value is malformed, or IRSA is not configured.
    """
    given = {k: v for k, v in locals().items() if v is not None and v is not False}
    arguments = {k: v for k, v in given.items() if k not in {"profile", "keep_warm"}}
    settings = EnvironSettings(os.environ, profile)
    config = Config.resolve(settings, **arguments, issuer=issuer_of_file, strict=True)
    # Under `strict` it raises instead of returning None.
    found = REGISTRY.of(cast("Config", config), given)
    if keep_warm:
        engine_of(found).keep_warm = True
        # At once: nobody may ever read it, but for a probe that looks at its status.
        engine_of(found).tick()
    return found


def reset() -> None:
    """Forget every provider of the process, for tests."""
    REGISTRY.reset()
