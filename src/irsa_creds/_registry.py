"""The process's providers, one per identity, their timer, and what a fork does to them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._engine import policy
from irsa_creds._engine.clock import SystemClock
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.slots import MOST_IN_BACKGROUND, Slots
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.timer import Timer, warn_of_late_gevent
from irsa_creds._exchange.fetcher import StsFetcher
from irsa_creds._exchange.preload import load_certificates, load_exchange_modules, load_signer
from irsa_creds._exchange.sts import StsClient
from irsa_creds._flags import number, switch
from irsa_creds._identity.token import TokenCall, TokenFile
from irsa_creds._locks import locked
from irsa_creds._provider import Provider, engine_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachetools import LRUCache

    from irsa_creds._engine.clock import Clock
    from irsa_creds._identity.config import Config

__all__ = ["REGISTRY", "Registry"]

#: The default of `IRSA_CREDS_MAX_PROVIDERS`.
_MOST_KEPT = 1024
# Arguments of `provider()` that name no identity.
_ASIDE = {"keep_warm", "shared_cache"}


class Registry:
    """Providers by identity: weakly, and strongly for the ones asked for lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Re-entrant: a signal handler may make a session in the middle of `of`.
        self._lock = threading.RLock()
        # Made with the first provider: gevent may patch threads and queues until then.
        self._slots: Slots | None = None
        self._timer: Timer | None = None
        # All that live, those of before a `reset` too: their users go on using them. By id, to be
        # listed in one step: a fork hook must not fail.
        self._made: weakref.WeakValueDictionary[int, Provider] = weakref.WeakValueDictionary()
        self._known: weakref.WeakValueDictionary[Config, Provider] = weakref.WeakValueDictionary()
        # By id as well: to hash a whole identity costs more than all the rest of it.
        self._kept: LRUCache[int, Provider] | None = None
        # The only one so far: it needs no order.
        self._first: Provider | None = None
        self._shared_place: bool | str | None = None

    def of(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        """Return the provider of that identity; the first one asked for makes it."""
        warn_of_late_gevent()
        # It imports what a refresh needs: a child that is forked in the middle of an import of
        # another thread would never have these modules.
        return FORKS.during(lambda: self._of(config, arguments))

    def _of(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        # A target role's provider holds its source's: they are shared by all chains.
        before = self._before(config.source, arguments) if config.chained_roles else None
        found = self._known_or_new(config, arguments, before)
        if engine_of(found).shared_fetcher is None:
            # Where a pod shares credentials, most processes need none of it for an hour.
            load_exchange_modules()
            if not (config.endpoint_url or "").startswith("http:"):
                load_certificates()
            if config.chained_roles:
                load_signer()
        return found

    @locked
    def _known_or_new(
        self, config: Config, arguments: Mapping[str, Any], before: Provider | None
    ) -> Provider:
        found = self._known.get(config)
        if found is None:
            # A signal handler may have asked for it in between.
            found = self._known.setdefault(config, self._new(config, arguments, before))
            self._made[id(found)] = found
        else:
            _pin(found, arguments)
        self._equip(found)
        self._keep(found)
        return found

    def _new(
        self, config: Config, arguments: Mapping[str, Any], before: Provider | None
    ) -> Provider:
        if self._slots is None:
            self._slots = Slots(self._clock)
        self._slots.most_in_background = number(
            "IRSA_CREDS_MAX_REFRESHES", default=MOST_IN_BACKGROUND
        )
        background = switch("IRSA_CREDS_BACKGROUND", default=True)
        if background and self._timer is None:
            self._timer = Timer(self._clock, self._slots)
        engine = Engine(
            _fetcher(config, before, self._clock),
            self._clock,
            self._timer if background else None,
            Subscribers(),
            policy.DRAW,
            slots=self._slots,
        )
        return Provider(config, engine, before, arguments)

    def _before(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        """Return the provider that a target role's stands on.

        Arguments do not say what it is, for it is not pickled on its own; and a place that was
        chosen for it stays, whatever others choose for theirs.
        """
        known = self._known.get(config)
        chosen = known is not None and known._arguments.get("shared_cache") is not None
        place = None if chosen else arguments.get("shared_cache")
        return self.of(config, {} if place is None else {"shared_cache": place})

    def _keep(self, provider: Provider) -> None:
        """Hold a provider though no user does; the one asked for least recently goes for it."""
        if self._kept is None:
            if self._first in {None, provider}:
                self._first = provider
                return
            from cachetools import LRUCache  # noqa: PLC0415 - most processes have one identity

            self._kept = LRUCache(number("IRSA_CREDS_MAX_PROVIDERS", default=_MOST_KEPT))
            self._kept[id(self._first)] = self._first
            self._first = None
        self._kept[id(provider)] = provider

    @locked
    def share(self, place: bool | str | None) -> None:  # noqa: FBT001 - a place, or the usual one
        """Let all providers share in that place; None: in the environment's, if it names one."""
        self._shared_place = place
        for provider in self.living():
            self._equip(provider)

    def _equip(self, provider: Provider) -> None:
        place = provider._arguments.get("shared_cache")
        if place is None:
            place = self._shared_place or os.environ.get("IRSA_CREDS_CACHE_DIR")
        _share(provider, place)

    def reset(self) -> None:
        """Forget and close every provider."""
        providers, timer = self._forget()
        if timer is not None:
            timer.pause()
        for each in providers:
            each.close()

    @locked
    def _forget(self) -> tuple[list[Provider], Timer | None]:
        providers, timer = list(self._known.values()), self._timer
        self._known.clear()
        self._kept = self._first = self._slots = self._timer = None
        return providers, timer

    def before_fork(self) -> None:
        """End the timers' threads, which a child would not have."""
        for timer in self._timers():
            timer.pause()

    def after_in_parent(self) -> None:
        """Go on: the next read starts the timer again; kept warm ones have no read."""
        for engine in self._engines():
            engine.resume()

    def after_in_child(self) -> None:
        """Make the providers the child's own."""
        self._lock = threading.RLock()
        engines = self._engines()
        for timer in self._timers():
            timer.reset_after_fork()
        for slots in {self._slots, *(engine.slots for engine in engines)}:
            if slots is not None:
                slots.reset_after_fork()
        for engine in engines:
            engine.reset_after_fork()
        # Only now: the first one that is kept warm starts the timer.
        for engine in engines:
            engine.resume()

    def _timers(self) -> set[Timer]:
        """Return the timer, and those of providers of before a `reset` that are still in use."""
        timers = [self._timer, *(each.timer for each in self._engines())]
        return {each for each in timers if isinstance(each, Timer)}

    def living(self) -> list[Provider]:
        made = [each() for each in self._made.valuerefs()]
        return [each for each in made if each is not None]

    def _engines(self) -> list[Engine]:
        return [engine_of(each) for each in self.living()]


REGISTRY = Registry(SystemClock())
FORKS.call(
    before=REGISTRY.before_fork,
    in_parent=REGISTRY.after_in_parent,
    in_child=REGISTRY.after_in_child,
)


def _fetcher(config: Config, source: Provider | None, clock: Clock) -> StsFetcher:
    """Return what gets the credentials of an identity from STS."""
    common: dict[str, Any] = {
        "ceiling": config.lifetime_ceiling,
        "clock": clock,
        "draw": policy.DRAW,
    }
    if source is None:
        token = TokenCall(config.token) if config.token else TokenFile(config.token_file or "")
        return StsFetcher(config.final_role_arn, token, StsClient(config), **common)
    # Most programs have no chain of roles.
    from irsa_creds._exchange.assume_role import SignedStsClient  # noqa: PLC0415
    from irsa_creds._exchange.chained_fetcher import AssumeRoleFetcher, SourceRole  # noqa: PLC0415

    role = SourceRole(engine_of(source))
    return AssumeRoleFetcher(config.final_role_arn, role, SignedStsClient(config), **common)


def _pin(provider: Provider, arguments: Mapping[str, Any]) -> None:
    """Let a provider that was asked for once more pickle as it was asked for.

    In words of one call: those of two may name a third identity together. The first that has some
    counts, for a worker's environment may name something else.
    """
    known = provider._arguments
    aside = {name: value for name, value in arguments.items() if name in _ASIDE}
    words = known if known.keys() - _ASIDE else arguments
    provider._arguments = {**known, **words, **aside}


def _share(provider: Provider, place: bool | str | None) -> None:  # noqa: FBT001 - a place, or the usual
    """Let a provider look first for what other processes have.

    Args:
        provider: whose credentials they are.
        place: a directory; True: the container's own directory for temporary files; None or
            False: nowhere.
    """
    engine = engine_of(provider)
    if not place:
        engine.shared_fetcher = None
        return
    from irsa_creds._shared_cache.shared_fetcher import SharedFetcher  # noqa: PLC0415 - it is off for most

    directory = None if place is True else place
    if engine.shared_fetcher is None or engine.shared_fetcher.given != directory:
        engine.shared_fetcher = SharedFetcher(
            provider._config, cast("StsFetcher", engine.fetcher), engine.clock, directory
        )
