"""One refresh for all processes of a pod: a fetcher that looks into the shared cache first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from irsa_creds._engine import timing
from irsa_creds._errors import Failure, IrsaError
from irsa_creds._record import Record
from irsa_creds._shared_cache.entry import FORMAT, Entry, SharedFailure, boot_id, dump, load
from irsa_creds._shared_cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
    from irsa_creds._identity.identity import Identity
    from irsa_creds._identity.token import Token

__all__ = ["SharedFetcher"]

#: Seconds after which a lock holder counts as suspended, and another process replaces its lock. The
#: system releases the lock of one that ends.
_PATIENCE = 5.0
_POLL = 0.03, 0.1
#: The claims of the token identify it, wherever the token comes from.
_NOT_IN_NAME = {"region", "token", "token_file", "user_agent"}
#: Claims that differ in a renewed token; the trust policy and session tags may use all others.
_RENEWED = {"exp", "iat", "jti", "nbf"}
#: The kubelet's own claim, and the field in it that each renewal changes. Source: Kubernetes,
#: pkg/serviceaccount/claims.go.
_KUBERNETES, _KUBERNETES_RENEWED = "kubernetes.io", {"warnafter"}
#: Seconds for which a failure is useful to another process.
_FAILURE_SECONDS = 3_600.0


class _EntryId(Record):
    """The name of an entry, and the fingerprint of the token that the name was made from."""

    __slots__ = ()

    name: str
    token: str


class SharedFetcher:
    """Get credentials from the shared cache, or from STS for all processes of the pod.

    Args:
        identity: a hash of it names the entry.
        fetcher: calls STS.
        clock: this process's clocks.
        directory: None: the container's directory for temporary files.
    """

    def __init__(
        self, identity: Identity, fetcher: WebIdentityFetcher, clock: Clock, directory: str | None
    ) -> None:
        self.directory = directory
        self._identity = identity
        self._store = Store.at(directory)
        self._fetcher = fetcher
        self._clock = clock
        # The keys that this process revoked: the directory may have lost their files.
        self._revoked: set[str] = set()
        # Whether the last token could be shared.
        self._is_shared = False
        # Process id and overdue time of the refresh that uses the directory now.
        self._access = 0, 0.0

    @property
    def is_sharing(self) -> bool:
        """Whether other processes see this one's credentials, as far as is known."""
        return self._is_shared and not self._store.failing

    def fetch(self, refresh: Refresh, current: Snapshot) -> Snapshot | Failure:
        """Return the outcome of another process, or call STS for all of them.

        Args:
            refresh: its deadline includes the time to wait for other processes.
            current: the credentials that this process has already.
        """
        if self._is_hanging():
            return self._fetcher.fetch(refresh, current)
        locks = contextlib.ExitStack()
        try:
            found = entry_id = None
            with self._using_cache(refresh):
                entry_id = self._entry_id(self._fetcher.token)
                if entry_id is not None:
                    found = self._wait_or_lock(entry_id, refresh, current, locks)
            if found is not None:
                self._note(found, refresh)
                return found
            outcome = self._fetcher.fetch(refresh, current)
            # If the token has changed meanwhile, the outcome does not belong under that name.
            if entry_id and (self._fetcher.is_chained or refresh.sent == entry_id.token):
                with self._using_cache(refresh):
                    self._share(entry_id, outcome, refresh, current)
            return outcome
        finally:
            with self._using_cache(refresh):
                locks.close()

    def revoke(self, access_key_id: str) -> None:
        """Revoke a key: no process takes it from the cache again."""
        # Empty: there were no credentials yet.
        if access_key_id:
            self._revoked.add(access_key_id)
            if not self._is_hanging():
                self._store.revoke(access_key_id)

    def purge(self) -> None:
        """Remove this identity's entry."""
        with self._store.catch_errors():
            entry_id = self._entry_id(self._fetcher.token_source.read)
            if entry_id is not None and not self._is_hanging():
                self._store.remove(entry_id.name)

    # -- a file system that hangs ------------------------------------------------------------------

    @contextlib.contextmanager
    def _using_cache(self, refresh: Refresh) -> Iterator[None]:
        """Catch any error of the cache, and let the next refresh see whether this one hangs."""
        self._access = os.getpid(), refresh.overdue_at
        try:
            with self._store.catch_errors():
                yield
        finally:
            self._access = 0, 0.0

    def _is_hanging(self) -> bool:
        """Whether an earlier, overdue refresh is still in the cache: the file system hangs.

        Every further refresh would hang there as well and never reach STS.
        """
        pid, overdue_at = self._access
        # In a forked child the parent's refresh does not exist.
        if pid != os.getpid() or self._clock.now() < overdue_at:
            return False
        self._store.warn("an earlier access to it has not returned")
        return True

    # -- waiting for the process that calls STS ----------------------------------------------------

    def _wait_or_lock(
        self,
        entry_id: _EntryId,
        refresh: Refresh,
        current: Snapshot,
        locks: contextlib.ExitStack,
    ) -> Snapshot | Failure | None:
        """Return the outcome of another process, or None if this process is to call STS.

        If a lock holder shares nothing within 5 s, it counts as suspended, and one waiting process
        takes a new lock. After 10 s a waiting process calls STS without a lock.
        """
        now = self._clock.now()
        # If a refresh has little time, the holder counts as suspended after a third of it.
        patience = min(_PATIENCE, (refresh.deadline - now) / 3)
        # The lock holder may be another thread of this process, which waits for this one.
        ends_at = now if refresh.must_not_wait else now + 2 * patience
        # Not all processes replace a lock at the same time, and if the second holder is suspended
        # too, it is replaced before all call STS without a lock.
        patience *= self._clock.uniform(0.8, 1.0)
        while True:
            found = self._look_up(entry_id, refresh, current)
            if found is not None or self._clock.now() >= ends_at:
                return found
            if self._store.lock(entry_id.name, locks, patience):
                # The previous lock holder may have just written the entry.
                return self._look_up(entry_id, refresh, current)
            self._clock.sleep(self._clock.uniform(*_POLL))

    def _look_up(
        self, entry_id: _EntryId, refresh: Refresh, current: Snapshot
    ) -> Snapshot | Failure | None:
        """Return the outcome in the entry if it is better than this process's own."""
        entry = self._read(entry_id)
        if entry is None:
            return None
        now = self._clock.now()
        snapshot = self._usable(entry, timing.shared_delay(entry.lifetime, self._clock.uniform))
        if (
            snapshot is not None
            and snapshot.end_of_use > now + refresh.min_ttl
            # The newer one, not the one that lasts longer: a role's maximum may have been cut.
            and snapshot.sent_at > current.sent_at
            # The current key may be about to be revoked.
            and snapshot.credentials.access_key_id != current.credentials.access_key_id
        ):
            return snapshot
        if entry.failure is None:
            return None
        wall, token = self._clock.wall(), entry_id.token
        return entry.failure.as_cached(now, wall, blocking=refresh.blocking, token=token)

    # -- the entry ---------------------------------------------------------------------------------

    def _share(
        self, entry_id: _EntryId, outcome: Snapshot | Failure, refresh: Refresh, current: Snapshot
    ) -> None:
        """Write STS's outcome for the other processes."""
        if isinstance(outcome, Failure) and not self._concerns_other_processes(outcome, refresh):
            return
        entry = self._read(entry_id) or Entry(boot_id())
        if isinstance(outcome, Failure):
            token = entry_id.token if outcome.bad_token else None
            failure = self._shared_failure(outcome, entry.failure, refresh, current)
            entry = entry._replace(failure=failure._replace(token=token))
            left = entry.wall_at + entry.lifetime - self._clock.wall()
            lifetime = max(left, _FAILURE_SECONDS)
        else:
            newest = self._usable(entry)
            # A process that was suspended during its call to STS replaces nothing newer.
            if newest is not None and newest.sent_at > outcome.sent_at:
                return
            entry, lifetime = Entry.from_snapshot(outcome), outcome.lifetime
        self._store.write(entry_id.name, dump(entry), lifetime)

    def _concerns_other_processes(self, failure: Failure, refresh: Refresh) -> bool:
        return (
            # Another process may reach STS where this one does not.
            failure.status is not None
            # The failure of a source role, which its own engine caches and its own entry has.
            and not failure.is_cached
            # A failure of the source role's key: another process may have another key.
            and not (failure.bad_token and self._fetcher.is_chained)
            # This process was suspended meanwhile.
            and self._clock.now() < refresh.overdue_at
        )

    def _shared_failure(
        self, failure: Failure, last: SharedFailure | None, refresh: Refresh, current: Snapshot
    ) -> SharedFailure:
        now, uniform = self._clock.now(), self._clock.uniform
        in_a_row = last.in_a_row + 1 if last else 1
        blocking = (last.blocking_in_a_row if last else 0) + refresh.blocking
        if refresh.blocking:
            pause = timing.cached_failure_seconds(failure, blocking, uniform)
        else:
            pause = timing.background_pause(failure, in_a_row, current.left(now), uniform)
        return SharedFailure(failure, in_a_row, blocking, now, now + pause)

    def _usable(self, entry: Entry, later: float = 0.0) -> Snapshot | None:
        """Return the credentials of an entry, if no process revoked them."""
        snapshot = entry.snapshot(self._clock.now(), self._clock.wall(), later)
        if snapshot is None:
            return None
        key = snapshot.credentials.access_key_id
        if self._store.is_revoked(key):
            return None
        if key in self._revoked:
            # The disk was full, or another user moved the directory away and back.
            self._store.revoke(key)
            return None
        return snapshot

    def _read(self, entry_id: _EntryId) -> Entry | None:
        content = self._store.read(entry_id.name)
        try:
            entry = None if content is None else load(content)
        except (AttributeError, LookupError, TypeError, ValueError):
            # Another version of irsa-creds wrote it, with other fields.
            return None
        # The instants of another boot mean nothing.
        return entry if entry and entry.boot_id == boot_id() else None

    def _note(self, found: Snapshot | Failure, refresh: Refresh) -> None:
        """Keep the event for subscribers, as attempt 0: this process did not call STS."""
        role, latency = self._fetcher.name, self._clock.now() - refresh.started_at
        if isinstance(found, Failure):
            refresh.add_event("RefreshFailed", role, found.code, 0, latency)
        else:
            refresh.add_event("RefreshSucceeded", role, 0, latency, found.credentials.expiration)

    def _entry_id(self, read: Callable[[], Token]) -> _EntryId | None:
        """Return the id of the current token's entry; None if the token cannot be shared."""
        try:
            token = read()
        except IrsaError:
            # `self._fetcher` reads the token again, and reports the error.
            return None
        # First: without a boot id no instants can be shared.
        boot_id()
        name = _entry_name(self._identity, token)
        self._is_shared = name is not None
        if name is None:
            self._store.warn("the token lacks the claim iss, sub or aud")
            return None
        return _EntryId(name, token.fingerprint)


def _entry_name(identity: Identity, token: Token) -> str | None:
    """Return a hash of the identity and of all claims that STS could tell two tokens apart by.

    None: the token does not identify its subject.
    """
    claims = token.claims or {}
    if not all(claims.get(name) for name in ("iss", "sub", "aud")):
        return None
    claims = {claim: value for claim, value in claims.items() if claim not in _RENEWED}
    pod = claims.get(_KUBERNETES)
    if isinstance(pod, dict):
        known = {name: value for name, value in pod.items() if name not in _KUBERNETES_RENEWED}
        claims[_KUBERNETES] = known
    text = json.dumps([FORMAT, _fields(identity), claims], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields that name an identity; not its `repr`, which hides values that differ."""
    fields: dict[str, Any] = value._asdict()
    return {name: found for name, found in fields.items() if name not in _NOT_IN_NAME}
