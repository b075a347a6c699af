"""The process's providers, one per identity, its refresher, and what a fork does to them."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._clock import SystemClock
from irsa_creds._config import Config, EnvironSettings
from irsa_creds._errors import TokenError
from irsa_creds._forks import FORKS
from irsa_creds._greenlets import THREADS
from irsa_creds._lazy import CONNECTING, EXITS, IMPORT_LOCK, quiesce
from irsa_creds._lock import forget_sections
from irsa_creds._provider import Provider, arguments_of, engine_of, pin, share
from irsa_creds._refresher import Refresher
from irsa_creds._switches import number, switch
from irsa_creds._token import TokenFile
from irsa_creds._tower import MOST, Tower

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
# Seconds that a fork waits at most: for imports, which take a fraction of that, and for TLS
# connections that are being opened, which an STS that is silent can make last.
_IMPORT_PATIENCE = 2.0
_CONNECT_PATIENCE = 0.5
_EXIT_PATIENCE = 0.05


class Registry:
    """Providers by identity: weakly, and strongly for those lately read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Re-entrant: a signal's handler may make a session in the middle of `of`.
        self._lock = threading.RLock()
        self._refresher = Refresher(clock)
        self._refresher_ran = False
        self._tower = Tower(clock)
        # All that live, those of before a `reset` too: who holds one goes on using it. By id, to
        # be listed in one step: a hook that fails would leave the import lock taken for ever.
        self._made: weakref.WeakValueDictionary[int, Provider] = weakref.WeakValueDictionary()
        self._known: weakref.WeakValueDictionary[Config, Provider] = weakref.WeakValueDictionary()
        # By id as well: to hash a whole identity costs more than all the rest of it.
        # An order is all that is needed of it: `cachetools` would be a thirtieth of a cold start.
        self._kept: OrderedDict[int, Provider] = OrderedDict()
        self._shared_place: bool | str | None = None

    def of(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        """Return the provider of that identity; the first one asked for makes it."""
        THREADS.renew_if_patched()
        # Whoever is further down a chain holds those before: they are shared by all chains.
        before = self._before(config.source, arguments) if config.chain else None
        with self._lock:
            found = self._known.get(config)
            if found is None:
                background = switch("IRSA_CREDS_BACKGROUND", default=True)
                agenda = self._refresher if background else None
                self._tower.agenda = agenda
                self._tower.most = number("IRSA_CREDS_MAX_REFRESHES", default=MOST)
                made = Provider(
                    config,
                    arguments,
                    clock=self._clock,
                    agenda=agenda,
                    tower=self._tower,
                    before=before,
                )
                found = self._known.setdefault(config, made)
                self._made[id(found)] = found
            else:
                pin(found, arguments)
            self._equip(found)
            let_go = self._keep(found)
        # Out here: with the last reference to one, its connection is closed.
        del let_go
        return found

    def _before(self, config: Config, arguments: Mapping[str, Any]) -> Provider:
        """Return the provider that one further down a chain stands on.

        What they are is no matter of arguments, for nobody else pickles them; and a place that
        somebody chose for this one stays, whatever others choose for theirs.
        """
        known = self._known.get(config)
        chosen = known is not None and arguments_of(known).get("shared_cache") is not None
        place = None if chosen else arguments.get("shared_cache")
        return self.of(config, {} if place is None else {"shared_cache": place})

    def _keep(self, provider: Provider) -> list[Provider]:
        """Hold a provider though nobody else does; return those that are let go for it."""
        let_go: list[Provider] = []
        if id(provider) in self._kept:
            # That it is asked for is no read.
            return let_go
        most = number("IRSA_CREDS_MAX_PROVIDERS", default=_MOST_KEPT)
        while len(self._kept) >= most:
            let_go.append(self._let_go())
        self._kept[id(provider)] = provider
        return let_go

    def _let_go(self) -> Provider:
        """Take out the first in line that nobody has read since it was passed over last.

        Reads leave a mark and nothing more, so those that were read go to the end of the line only
        here: each read pays at most once for that, and each that goes has been there for a round.
        """
        for _ in range(len(self._kept)):
            key, first = self._kept.popitem(last=False)
            if not engine_of(first).was_read_lately():
                return first
            self._kept[key] = first
        # All were read: the one for which that has been known longest.
        return self._kept.popitem(last=False)[1]

    def share(self, place: bool | str | None) -> None:  # noqa: FBT001 - a place, or the usual one
        """Let all providers share in that place; None: in the environment's, if it names one."""
        with self._lock:
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
        with self._lock:
            providers = list(self._known.values())
            self._known.clear()
            self._kept.clear()
        self._refresher.pause()
        for each in providers:
            each.close()

    def before_fork(self) -> None:
        """Leave nothing half done that a child would inherit: no import, no sleeping thread."""
        quiesce(imports=_IMPORT_PATIENCE, connections=_CONNECT_PATIENCE)
        # Two threads may fork at once, and the first of them has ended the refresher for both.
        self._refresher_ran |= self._refresher.pause()
        EXITS.wait(_EXIT_PATIENCE)

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
        self._renew_locks()
        for engine in self._engines():
            engine.reset_after_fork()

    def renew(self) -> None:
        """Let go of all locks and threads that were made before gevent came."""
        self._renew_locks()
        for engine in self._engines():
            engine.renew()
            if engine.keep_warm:
                # Nobody else may ever read it.
                engine.tick()

    def _renew_locks(self) -> None:
        forget_sections()
        IMPORT_LOCK.reset_after_fork()
        CONNECTING.reset_after_fork()
        EXITS.reset_after_fork()
        self._lock = threading.RLock()
        self._refresher_ran = False
        self._refresher.reset_after_fork()
        self._tower.reset_after_fork()

    def living(self) -> list[Provider]:
        made = [each() for each in self._made.valuerefs()]
        return [each for each in made if each is not None]

    def _engines(self) -> list[Engine]:
        return [engine_of(each) for each in self.living()]


REGISTRY = Registry(SystemClock())
THREADS.when_patched(REGISTRY.renew)

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
        keep_warm: fetch at once, and refresh in the background even while nobody reads. Of more
            than 1,024 identities (`IRSA_CREDS_MAX_PROVIDERS`) only those that you hold yourself or
            read are sure to stay.
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
        # At once: nobody may ever read it, but for a probe that looks at its status.
        engine_of(found).tick()
    return found


def reset() -> None:
    """Forget every provider of the process, for tests."""
    REGISTRY.reset()
