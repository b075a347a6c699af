"""The process's providers, one per identity, their timer, and what a fork does to them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._clock import SystemClock
from irsa_creds._config import Config, EnvironSettings
from irsa_creds._errors import TokenError
from irsa_creds._forks import FORKS
from irsa_creds._lazy import load_certificates, load_exchange_modules, load_signer
from irsa_creds._locks import locked
from irsa_creds._provider import Provider, arguments_of, engine_of, pin, share
from irsa_creds._slots import MOST_IN_BACKGROUND, Slots
from irsa_creds._switches import number, switch
from irsa_creds._timer import Timer, warn_of_late_gevent
from irsa_creds._token import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachetools import LRUCache

    from irsa_creds._clock import Clock
    from irsa_creds._engine import Engine
    from irsa_creds._hops import RoleConfig

__all__ = ["REGISTRY", "Registry", "issuer_of_file", "provider", "reset"]

#: The default of `IRSA_CREDS_MAX_PROVIDERS`.
_MOST_KEPT = 1024
# Arguments of `provider` that are not `Config`'s.
_NO_IDENTITY = {"profile", "keep_warm", "shared_cache"}
# With one of these the way through the profiles begins elsewhere.
_FIRST_ROLE = {"role_arn", "token_file", "token"}


class Registry:
    """Providers by identity: weakly, and strongly for those asked for lately."""

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
        before = self._before(config.source, arguments) if config.chain else None
        found = self._known_or_new(config, arguments, before)
        if engine_of(found).sharing is None:
            # Where a pod shares credentials, most processes need none of it for an hour.
            load_exchange_modules()
            if not (config.endpoint_url or "").startswith("http:"):
                load_certificates()
            if config.chain:
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
            pin(found, arguments)
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
        return Provider(
            config,
            arguments,
            clock=self._clock,
            timer=self._timer if background else None,
            slots=self._slots,
            before=before,
        )

    def _before(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        """Return the provider that a target role's stands on.

        Arguments do not say what it is, for it is not pickled on its own; and a place that was
        chosen for it stays, whatever others choose for theirs.
        """
        known = self._known.get(config)
        chosen = known is not None and arguments_of(known).get("shared_cache") is not None
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
        place = arguments_of(provider).get("shared_cache")
        if place is None:
            place = self._shared_place or os.environ.get("IRSA_CREDS_CACHE_DIR")
        share(provider, place)

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
    assume: Sequence[RoleConfig | str] | None = None,
    keep_warm: bool = False,
    shared_cache: bool | str | os.PathLike[str] | None = None,
) -> Provider:
    """Return the process's shared provider for these arguments and this environment.

    It asks STS at the first read, and refreshes in the background as long as somebody reads:

        provider = irsa_creds.provider()
        credentials = provider.get()  # or, in a task: await provider.aget()
        print(credentials.access_key_id, credentials.expiration)

    Args:
        role_arn: the role to assume; None: `AWS_ROLE_ARN` or the profile's.
        token_file: the path of the web identity token; None: `AWS_WEB_IDENTITY_TOKEN_FILE` or the
            profile's.
        token: a callable that returns the token (a JWT), in place of a file; it is part of the
            identity, so pass the same object each time.
        session_name: 2 to 64 characters; None: `AWS_ROLE_SESSION_NAME`, the profile's, or the
            host's name.
        duration_seconds: the lifetime to ask for, 900 to 43200 at AWS's endpoints; None: the
            profile's, or STS's own default, an hour.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
        region: the region whose STS is asked; None: `AWS_REGION`, `AWS_DEFAULT_REGION`, the
            profile's, that of an EKS issuer's URL, or else AWS's global endpoint.
        endpoint_url: an STS endpoint in place of AWS's own.
        profile: a profile to read; like in botocore it switches the variables off. A profile (this
            one, or that of `AWS_PROFILE`) whose `source_profile` leads to a web identity stands for
            the roles on that way, unless arguments name role or token.
        assume: roles to assume from there on, each with the credentials of the one before: ARNs, or
            `RoleConfig`. The last one's credentials are those that the provider gives; what the
            other arguments say is of the first role, the one of the token.
        keep_warm: fetch at once, and refresh in the background even while nothing reads. Of more
            than 1,024 identities (`IRSA_CREDS_MAX_PROVIDERS`) only those that you hold yourself or
            asked for lately are sure to stay.
        shared_cache: share with the other processes of this pod: in a directory, or True: in the
            container's own one for temporary files; False: not. None: as `install(shared_cache=)`
            or `IRSA_CREDS_CACHE_DIR` say; else not, for it writes secrets, in files of mode 0600.

    Returns:
        A `Provider`: the same object each time for the same identity, safe in threads, tasks and
        after a fork.

    Raises:
        ConfigError: a value is malformed, or IRSA is not configured.
    """
    if shared_cache is not None and not isinstance(shared_cache, bool):
        shared_cache = os.fspath(shared_cache)
    if isinstance(assume, list):
        # The caller may change it: this pickles.
        assume = tuple(assume)
    given = {k: v for k, v in locals().items() if v is not None and (k, v) != ("keep_warm", False)}
    arguments = {k: v for k, v in given.items() if k not in _NO_IDENTITY}
    settings = EnvironSettings(os.environ, profile)
    # Who names role or token does not mean the profile's.
    route = None if arguments.keys() & _FIRST_ROLE else settings.route()
    config = Config.resolve(
        settings if route is None else settings.at_source(route.base),
        **arguments,
        roles=() if route is None else route.roles,
        issuer=issuer_of_file,
        strict=True,
    )
    # Under `strict` it raises instead of returning None.
    found = REGISTRY.of(cast("Config", config), given)
    if keep_warm:
        engine_of(found).keep_warm = True
        # At once: it may never be read, but for a probe that looks at its status.
        engine_of(found).prefetch()
    return found


def reset() -> None:
    """Forget every provider of the process, for tests."""
    REGISTRY.reset()
