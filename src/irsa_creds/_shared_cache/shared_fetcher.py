"""One refresh for all processes of a pod: a fetcher that looks into the shared cache first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._engine import policy
from irsa_creds._errors import Failure, IrsaError
from irsa_creds._shared_cache.entry import (
    VERSION,
    Entry,
    EntryError,
    Refusal,
    boot_id,
    dump,
    load,
    mark_of,
)
from irsa_creds._shared_cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.policy import Snapshot
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._exchange.fetcher import StsFetcher
    from irsa_creds._identity.config import Config
    from irsa_creds._identity.token import Token

__all__ = ["SharedFetcher"]

#: Seconds after which a lock holder counts as stopped, and another process takes its place.
_PATIENCE = 5.0
_POLL = 0.03, 0.1
#: The token's path is no part of the identity: the token's claims are.
_ELSEWHERE = {"token", "token_file"}
#: Claims that a renewed token has anew; the trust policy and session tags may depend on all others.
_RENEWED = {"exp", "iat", "jti", "nbf"}
#: The kubelet's own claim, and what of it changes with each renewal. Source: Kubernetes,
#: pkg/serviceaccount/claims.go.
_KUBERNETES, _KUBERNETES_RENEWED = "kubernetes.io", {"warnafter"}
#: Seconds for which a failure can be of use to another process.
_REFUSAL_LASTS = 3_600.0


class _Named(NamedTuple):
    """An entry's name, and the fingerprint of the token that it was made of."""

    name: str
    token: str


class SharedFetcher:
    """What one provider shares with the other processes of its pod.

    Nothing about the cache makes a refresh fail: without it, each process calls STS itself.

    Args:
        config: the identity.
        pilot: calls STS.
        clock: this process's clocks.
        place: a directory; None: the container's directory for temporary files.
    """

    def __init__(self, config: Config, pilot: StsFetcher, clock: Clock, place: str | None) -> None:
        self.given = place
        self._config = config
        self._store = Store.at(place)
        self._pilot = pilot
        self._clock = clock
        # The keys that this process revoked: the directory may not have kept that.
        self._revoked: set[str] = set()
        # The entry's name for the token that was read last.
        self._name: str | None = None
        # The process whose refresh is in the cache at this moment, and when that is overdue.
        self._inside = 0, 0.0

    @property
    def works(self) -> bool:
        """Whether other processes see what this one fetches, as far as is known."""
        return self._name is not None and not self._store.ailing

    def fetch(self, refresh: Refresh, held: Snapshot) -> Snapshot | Failure:
        """Return what another process has fetched, or call STS for all of them.

        Args:
            refresh: its deadline bounds all, waiting for other processes included.
            held: the credentials that this process has already.
        """
        if self._hangs():
            return self._pilot.fetch(refresh, held)
        locks = contextlib.ExitStack()
        try:
            found = named = None
            with self._in_cache(refresh):
                named = self._named(self._pilot.token)
                found = named and self._wait(named, refresh, held, locks)
            if found is not None:
                self._tell(found, refresh)
                return found
            outcome = self._pilot.fetch(refresh, held)
            # The token may have changed since the entry's name was made of it: what STS gave for
            # the new one does not belong under that name.
            if named and (self._pilot.is_chained or refresh.sent == named.token):
                with self._in_cache(refresh):
                    self._leave(named, outcome, refresh, held)
            return outcome
        finally:
            with self._in_cache(refresh):
                locks.close()

    def revoke(self, access_key_id: str) -> None:
        """Revoke a key: no process takes it out of the cache any more."""
        if not access_key_id:
            # There were no credentials yet.
            return
        mark = mark_of(access_key_id)
        self._revoked.add(mark)
        if not self._hangs():
            self._store.revoke(mark)

    def purge(self) -> None:
        """Remove this identity's entry."""
        with self._store.tolerant():
            named = self._named(self._pilot.peek)
            if named is not None and not self._hangs():
                self._store.remove(named.name)

    # -- a file system that hangs ------------------------------------------------------------------

    @contextlib.contextmanager
    def _in_cache(self, refresh: Refresh) -> Iterator[None]:
        """Tolerate any error of the cache, and let the next refresh see if this one hangs there."""
        self._inside = os.getpid(), refresh.overdue_at
        try:
            with self._store.tolerant():
                yield
        finally:
            self._inside = 0, 0.0

    def _hangs(self) -> bool:
        """Whether an earlier, overdue refresh is still in the cache: the file system hangs.

        Each further one would hang there as well, and none would ever reach STS.
        """
        pid, overdue_at = self._inside
        # In a forked child the parent's refresh does not exist.
        if pid != os.getpid() or self._clock.now() < overdue_at:
            return False
        self._store.complain("an earlier look there does not come to an end")
        return True

    # -- the process that calls STS ----------------------------------------------------------------

    def _wait(
        self, named: _Named, refresh: Refresh, held: Snapshot, locks: contextlib.ExitStack
    ) -> Snapshot | Failure | None:
        """Return what another process left, or None when this process is to call STS.

        It waits while another process holds the lock. If that leaves nothing for 5 s, it may be
        stopped for good, and one waiting process gets a new lock. A process that has waited twice
        as long calls STS without one.
        """
        now = self._clock.now()
        # A refresh that has little time waits for a third of it.
        patience = min(_PATIENCE, (refresh.deadline - now) / 3)
        # The lock holder may be another thread of this process, which waits for this one.
        ends_at = now if refresh.alone else now + 2 * patience
        # Earlier, and by chance: a second stopped holder is replaced before all go without a lock.
        patience *= policy.DRAW(0.8, 1.0)
        while True:
            found = self._found(named, refresh, held)
            if found is not None or self._clock.now() >= ends_at:
                return found
            if self._store.lock(named.name, locks, patience):
                # The holder before may just have left something.
                return self._found(named, refresh, held)
            self._clock.sleep(policy.DRAW(*_POLL))

    def _found(self, named: _Named, refresh: Refresh, held: Snapshot) -> Snapshot | Failure | None:
        """Return what the entry has, if that is better than what this process has."""
        entry = self._read(named.name)
        if entry is None:
            return None
        now = self._clock.now()
        snapshot = self._usable(entry, policy.shared_delay(entry.lifetime, policy.DRAW))
        if (
            snapshot is not None
            and snapshot.end_of_use > now + refresh.min_ttl
            # The newer one, not the one that lasts longer: a role's maximum may have been cut.
            and snapshot.sent_at > held.sent_at
            # Its revocation may be under way.
            and snapshot.credentials.access_key_id != held.credentials.access_key_id
        ):
            return snapshot
        if entry.refusal is None:
            return None
        wall = self._clock.wall()
        return entry.refusal.answer(now, wall, blocking=refresh.blocking, token=named.token)

    # -- the entry ---------------------------------------------------------------------------------

    def _leave(
        self, named: _Named, outcome: Snapshot | Failure, refresh: Refresh, held: Snapshot
    ) -> None:
        """Leave STS's answer for the other processes; network failures are each process's own."""
        name = named.name
        if isinstance(outcome, Failure) and not self._concerns_all(outcome, refresh):
            return
        entry = self._read(name) or Entry(boot_id())
        if isinstance(outcome, Failure):
            refusal = self._refusal(outcome, entry.refusal, refresh, held)
            entry = entry._replace(
                refusal=refusal._replace(token=named.token if outcome.bad_token else None)
            )
            lasts = max(entry.wall_at + entry.lifetime - self._clock.wall(), _REFUSAL_LASTS)
            self._store.write(name, dump(entry, name), lasts)
            return
        there = self._usable(entry)
        # A process that was stopped during its call to STS replaces nothing newer.
        if there is None or there.sent_at <= outcome.sent_at:
            self._store.write(name, dump(Entry.of(outcome), name), outcome.lifetime)

    def _concerns_all(self, failure: Failure, refresh: Refresh) -> bool:
        """Whether a failure means anything to other processes."""
        return (
            failure.status is not None
            # A failure of the source role, which has an entry of its own.
            and failure.again_in is None
            # A failure of the source role's key: another process may have another key.
            and not (failure.bad_token and self._pilot.is_chained)
            # This process was stopped meanwhile.
            and self._clock.now() < refresh.overdue_at
        )

    def _refusal(
        self, failure: Failure, before: Refusal | None, refresh: Refresh, held: Snapshot
    ) -> Refusal:
        now = self._clock.now()
        in_a_row = before.in_a_row + 1 if before else 1
        blocking = (before.blocking_in_a_row if before else 0) + refresh.blocking
        if refresh.blocking:
            pause = policy.record_seconds(failure, blocking, policy.DRAW)
        else:
            pause = policy.background_pause(failure, in_a_row, held.left(now), policy.DRAW)
        return Refusal(failure, in_a_row, blocking, now, now + pause)

    def _usable(self, entry: Entry, later: float = 0.0) -> Snapshot | None:
        """Return the credentials of an entry, if no process revoked them."""
        snapshot = entry.snapshot(self._clock.now(), self._clock.wall(), later)
        if snapshot is None:
            return None
        mark = mark_of(snapshot.credentials.access_key_id)
        if self._store.is_revoked(mark):
            return None
        if mark in self._revoked:
            # The disk was full, or another user moved the directory away and back.
            self._store.revoke(mark)
            return None
        return snapshot

    def _read(self, name: str) -> Entry | None:
        data = self._store.read(name)
        if data is None:
            return None
        try:
            entry = load(data, name, self._pilot.role_arn)
        except EntryError as error:
            self._store.complain(str(error), name)
            return None
        # The instants of another boot mean nothing.
        return entry if entry.boot_id == boot_id() else None

    def _tell(self, found: Snapshot | Failure, refresh: Refresh) -> None:
        """Tell subscribers: attempt 0, for this process did not call STS."""
        role, latency = self._pilot.role_arn, self._clock.now() - refresh.started_at
        if isinstance(found, Failure):
            refresh.note("RefreshFailed", role, found.code, 0, latency)
        else:
            refresh.note("RefreshSucceeded", role, 0, latency, found.credentials.expiration)

    def _named(self, read: Callable[[], Token]) -> _Named | None:
        """Return the entry's name for the token as it is now; None if nothing can be shared."""
        try:
            token = read()
        except IrsaError:
            # The pilot meets it as well, and reports it.
            return None
        # First: without a boot id there are no instants to share.
        boot_id()
        self._name = _name(self._config, token)
        if self._name is None:
            self._store.complain("the token does not name its iss, sub and aud")
            return None
        return _Named(self._name, token.fingerprint)


def _name(config: Config, token: Token) -> str | None:
    """Return the name of an identity's entry; None for a token that does not tell whose it is.

    It is a hash over the identity and all claims that STS could tell two tokens apart by.
    """
    claims = token.claims or {}
    if not all(claims.get(name) for name in ("iss", "sub", "aud")):
        return None
    claims = {claim: value for claim, value in claims.items() if claim not in _RENEWED}
    pod = claims.get(_KUBERNETES)
    if isinstance(pod, dict):
        known = {name: value for name, value in pod.items() if name not in _KUBERNETES_RENEWED}
        claims[_KUBERNETES] = known
    text = json.dumps([VERSION, _plain(config), claims], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> dict[str, Any]:
    """Return the fields that tell two identities apart: a `repr` hides what makes them differ."""
    fields = value._replace(region=None)._asdict()
    return {name: found for name, found in fields.items() if name not in _ELSEWHERE}
