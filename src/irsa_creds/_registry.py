"""One engine per identity, assembled here with timer and slots; the fork hooks of engines.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    cachetools     1   _registry: a second identity
    _shared_cache  3   _registry: the shared cache is on
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from irsa_creds._engine.engine import Engine
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.slots import MOST_IN_BACKGROUND, Slots
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.timer import Timer, warn_of_late_gevent
from irsa_creds._exchange.sources import SOURCES
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
from irsa_creds._flags import number, switch
from irsa_creds._locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from irsa_creds._engine.clock import Clock
    from irsa_creds._identity.identity import Identity

__all__ = ["OPTIONS", "Registered", "Registry", "engine_of"]

#: The default of `IRSA_CREDS_MAX_PROVIDERS`.
_MAX_RECENT = 1024
#: Arguments of `provider()` that are not part of the identity.
OPTIONS = {"keep_warm", "shared_cache"}


class Registered:
    """One identity of a registry, with its engine.

    Args:
        identity: names the credentials.
        engine: refreshes its credentials.
        source: the source role, which this identity keeps alive; None without role chaining.
        arguments: of `provider()`, to pickle.
    """

    def __init__(
        self,
        identity: Identity,
        engine: Engine,
        source: Registered | None,
        arguments: Mapping[str, Any],
    ) -> None:
        self._identity = identity
        self._engine = engine
        self._source = source
        self._arguments = dict(arguments)
        # A read is one comparison, and binds no method.
        self._now = engine.now

    @property
    def role_arn(self) -> str:
        """The role of these credentials; with role chaining, the last one.

        Credentials without a role have the name of their source here, as in events.
        """
        return self._identity.name


_Provider = TypeVar("_Provider", bound=Registered)


class Registry(Generic[_Provider]):
    """Providers by identity: weak references, and strong ones to the most recently requested.

    Args:
        clock: this process's clocks.
        create: the class of the providers; it is defined above this module.
    """

    def __init__(
        self,
        clock: Clock,
        create: Callable[[Identity, Engine, _Provider | None, Mapping[str, Any]], _Provider],
    ) -> None:
        self._clock = clock
        self._create = create
        # Re-entrant: a signal handler may create a session in the middle of `of`.
        self._lock = threading.RLock()
        # Created with the first provider: gevent may patch threads and queues until then.
        self._slots: Slots | None = None
        self._timer: Timer | None = None
        # All providers with users, including providers from before a `reset`. The keys are ids, so
        # that a fork hook can list the values in one step, which cannot fail.
        self._alive: weakref.WeakValueDictionary[int, _Provider] = weakref.WeakValueDictionary()
        self._by_identity: weakref.WeakValueDictionary[Identity, _Provider]
        self._by_identity = weakref.WeakValueDictionary()
        # A dict for the first provider, then a `cachetools.LRUCache`. The keys are ids, because an
        # identity is hashed and compared by methods in Python.
        self._recent: MutableMapping[int, _Provider] = {}
        self._shared_cache: bool | str | None = None

    def of(self, identity: Identity, arguments: Mapping[str, Any]) -> _Provider:
        """Return the provider of an identity; the first call creates it."""
        warn_of_late_gevent()
        # It imports the modules that a refresh needs. A child that is forked while another thread
        # imports a module would have half of it, so the fork waits.
        return FORKS.during(lambda: self._of(identity, arguments))

    def _of(self, identity: Identity, arguments: Mapping[str, Any]) -> _Provider:
        source = self._source_of(identity.source, arguments) if identity.source else None
        provider = self._find_or_create(identity, arguments, source)
        if engine_of(provider).shared_fetcher is None:
            # With the shared cache, most processes do not call STS in their first hour.
            engine_of(provider).fetcher.prepare()
        return provider

    def _source_of(self, identity: Identity, arguments: Mapping[str, Any]) -> _Provider:
        """Return the provider of the source role, which all its target roles share."""
        known = self._by_identity.get(identity)
        chosen = known is not None and known._arguments.get("shared_cache") is not None
        location = None if chosen else arguments.get("shared_cache")
        # Source roles are never pickled, so they get no other arguments.
        return self.of(identity, {} if location is None else {"shared_cache": location})

    @locked
    def _find_or_create(
        self, identity: Identity, arguments: Mapping[str, Any], source: _Provider | None
    ) -> _Provider:
        provider = self._by_identity.get(identity)
        if provider is None:
            # A signal handler may have created it meanwhile.
            provider = self._by_identity.setdefault(
                identity, self._new(identity, arguments, source)
            )
            self._alive[id(provider)] = provider
        else:
            provider._arguments = _arguments_to_pickle(provider._arguments, arguments)
        self._set_shared_fetcher(provider)
        self._keep_recent(provider)
        return provider

    def _new(
        self, identity: Identity, arguments: Mapping[str, Any], source: _Provider | None
    ) -> _Provider:
        if self._slots is None:
            self._slots = Slots(self._clock)
        self._slots.most_in_background = number(
            "IRSA_CREDS_MAX_REFRESHES", default=MOST_IN_BACKGROUND
        )
        background = switch("IRSA_CREDS_BACKGROUND", default=True)
        if background and self._timer is None:
            self._timer = Timer(self._clock, self._slots)
        of_source = engine_of(source) if source else None
        engine = Engine(
            SOURCES[identity.method].fetcher(identity, of_source, self._clock),
            self._clock,
            self._timer if background else None,
            Subscribers(),
            slots=self._slots,
        )
        return self._create(identity, engine, source, arguments)

    def _keep_recent(self, provider: _Provider) -> None:
        """Keep a provider without users; the least recently requested one may be dropped."""
        recent = self._recent
        if isinstance(recent, dict) and recent and id(provider) not in recent:
            from cachetools import LRUCache  # noqa: PLC0415

            self._recent = LRUCache(number("IRSA_CREDS_MAX_PROVIDERS", default=_MAX_RECENT))
            self._recent.update(recent)
        self._recent[id(provider)] = provider

    @locked
    def set_shared_cache(self, location: bool | str | None) -> None:  # noqa: FBT001 - True: default directory
        """Set the shared cache of all providers; None: the one of the environment, if any."""
        self._shared_cache = location
        for provider in self.living():
            self._set_shared_fetcher(provider)

    def _set_shared_fetcher(self, provider: _Provider) -> None:
        location = provider._arguments.get("shared_cache")
        if location is None:
            location = self._shared_cache or os.environ.get("IRSA_CREDS_CACHE_DIR")
        engine = engine_of(provider)
        fetcher = engine.fetcher
        # The claims of the token are part of an entry's name.
        if not location or not isinstance(fetcher, WebIdentityFetcher):
            engine.shared_fetcher = None
            return
        from irsa_creds._shared_cache.shared_fetcher import SharedFetcher  # noqa: PLC0415

        directory = None if location is True else location
        if engine.shared_fetcher is None or engine.shared_fetcher.directory != directory:
            engine.shared_fetcher = SharedFetcher(
                provider._identity, fetcher, engine.clock, directory
            )

    def reset(self) -> None:
        """Drop and close every provider."""
        providers, timer = self._drop_all()
        if timer is not None:
            timer.pause()
        for each in providers:
            engine_of(each).close()

    @locked
    def _drop_all(self) -> tuple[list[_Provider], Timer | None]:
        providers, timer = list(self._by_identity.values()), self._timer
        self._by_identity.clear()
        self._recent = {}
        self._slots = self._timer = None
        return providers, timer

    def before_fork(self) -> None:
        """End the timers' threads, which a child does not inherit."""
        for timer in self._timers():
            timer.pause()

    def after_in_parent(self) -> None:
        """Let the next read restart the timer; restart it now for providers kept warm."""
        for engine in self._engines():
            engine.resume()

    def after_in_child(self) -> None:
        """Give the child its own lock, timer, slots and refreshes."""
        self._lock = threading.RLock()
        engines = self._engines()
        for timer in self._timers():
            timer.reset_after_fork()
        for slots in {self._slots, *(engine.slots for engine in engines)}:
            if slots is not None:
                slots.reset_after_fork()
        for engine in engines:
            engine.reset_after_fork()
        # After all resets, because the first provider that is kept warm starts the timer.
        for engine in engines:
            engine.resume()

    def _timers(self) -> set[Timer]:
        """Return the timer, and the timers of providers that are in use after a `reset`."""
        timers = [self._timer, *(each.timer for each in self._engines())]
        return {each for each in timers if isinstance(each, Timer)}

    def living(self) -> list[_Provider]:
        """Return all providers that have users."""
        found = [each() for each in self._alive.valuerefs()]
        return [each for each in found if each is not None]

    def _engines(self) -> list[Engine]:
        return [engine_of(each) for each in self.living()]


def engine_of(provider: Registered) -> Engine:
    """Return the engine behind a provider."""
    return provider._engine


def _arguments_to_pickle(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the arguments of one more `provider()` call into the ones to pickle.

    Arguments that are part of the identity come from one call, because arguments of two calls
    together may name a third identity. The first call that has any counts: where the provider is
    unpickled, the environment may name another identity.
    """
    options = {name: given[name] for name in OPTIONS & given.keys()}
    identity = known if known.keys() - OPTIONS else given
    return {**known, **identity, **options}
