"""One refresh for all processes of a pod: a pilot that looks first at what another one brought."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from irsa_creds import _freshness as fresh
from irsa_creds._entry import VERSION, Entry, EntryError, Refusal, boot_id, dump, load, mark_of
from irsa_creds._errors import Failure, IrsaError
from irsa_creds._store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._channel import Channel
    from irsa_creds._clock import Clock
    from irsa_creds._config import Config
    from irsa_creds._flight import Flight
    from irsa_creds._freshness import Snapshot
    from irsa_creds._pilot import Pilot
    from irsa_creds._token import Token

__all__ = ["Sharing"]

#: Whoever has waited that long for who holds the lock goes to STS as well: one for each such time.
_PATIENCE = 5.0
#: As many may be stopped for ever before one of them is waited for again.
_UNDERSTUDIES = 16
_POLL = 0.03, 0.1
#: Where the token is found makes no identity: what it says does.
_ELSEWHERE = {"token", "token_file"}
#: Claims that a renewed token has anew; the trust policy and session tags may depend on all others.
_RENEWED = {"exp", "iat", "jti", "nbf"}
#: The kubelet's own claim, and what of it changes with each renewal. Source: Kubernetes,
#: pkg/serviceaccount/claims.go.
_KUBERNETES, _KUBERNETES_RENEWED = "kubernetes.io", {"warnafter"}
#: Long after that it says nothing any more.
_REFUSAL_LASTS = 3_600.0


class Sharing:
    """What one provider shares with the other processes of its pod.

    Nothing here ever fails a refresh: where the place is no good, each process asks STS itself.

    Args:
        config: the identity.
        pilot: asks STS.
        clock: this process's clocks.
        channel: hears of what others brought.
        place: a directory; None: the container's own for temporary files.
    """

    def __init__(
        self, config: Config, pilot: Pilot, clock: Clock, channel: Channel, place: str | None
    ) -> None:
        self.given = place
        self._config = config
        self._store = Store.at(place)
        self._pilot = pilot
        self._clock = clock
        self._channel = channel
        # The keys that this process gave up: the place may not take note of them.
        self._buried: set[str] = set()
        self._name: str | None = None
        self._fingerprint = ""

    @property
    def works(self) -> bool:
        """Whether others see what this process brings, as far as is known."""
        return self._name is not None and not self._store.ailing

    def fly(self, flight: Flight, held: Snapshot) -> Snapshot | Failure:
        """Bring credentials that another process has, or ask STS for all of them.

        Args:
            flight: its deadline bounds all, waiting for others included.
            held: what this process has already.
        """
        locks = contextlib.ExitStack()
        try:
            found = None
            with self._store.tolerant():
                found = self._wait(flight, held, locks)
            if found is not None:
                self._tell(found, flight)
                return found
            outcome = self._pilot.fly(flight, held)
            with self._store.tolerant():
                self._leave(outcome, flight, held)
            return outcome
        finally:
            with self._store.tolerant():
                locks.close()

    def bury(self, access_key_id: str) -> None:
        """Let nobody take that key from the place any more."""
        if not access_key_id:
            # That of before the first answer.
            return
        mark = mark_of(access_key_id)
        self._buried.add(mark)
        with self._store.tolerant():
            name = self._name or self._name_of(self._pilot.peek)
            if name is not None:
                self._store.bury(name, mark)

    def purge(self) -> None:
        """Remove what is in the place of this identity."""
        with self._store.tolerant():
            name = self._name or self._name_of(self._pilot.peek)
            if name is not None:
                self._store.remove(name)

    # -- whose turn it is ------------------------------------------------------------------------

    def _wait(
        self, flight: Flight, held: Snapshot, locks: contextlib.ExitStack
    ) -> Snapshot | Failure | None:
        """Return what another process left, or None when it is this one's turn to ask STS.

        One process has the lock. Where it brings nothing for 5 s, it may be stopped for good: one
        of those who wait becomes its understudy, and after 5 s more another.
        """
        self._name = name = self._name_of(self._pilot.token)
        if name is None:
            return None
        patience = _patience(flight) * fresh.DRAW(0.8, 1.0)
        while True:
            now = self._clock.now()
            found = self._found(name, flight, held)
            if found is not None or now >= flight.deadline:
                return found
            mine = self._store.lock(name, locks)
            if not mine and now - flight.started_at >= patience:
                # One lock for each such time: another understudy may be stopped for good as well.
                turn = int(now / _PATIENCE) % _UNDERSTUDIES
                mine = self._store.lock(f"{name}.{turn}", locks)
            if mine:
                # Who had it before may just have left something.
                return self._found(name, flight, held)
            self._clock.sleep(fresh.DRAW(*_POLL))

    def _found(self, name: str, flight: Flight, held: Snapshot) -> Snapshot | Failure | None:
        """Return what is there and better than what this process holds."""
        entry = self._read(name)
        if entry is None:
            return None
        now = self._clock.now()
        snapshot = self._usable(entry, name, fresh.shared_delay(entry.lifetime, fresh.DRAW))
        if (
            snapshot is not None
            and snapshot.end_of_use > now + flight.min_ttl
            # Not which lasts longer: a role's maximum may have been cut meanwhile.
            and snapshot.sent_at > held.sent_at
            # What was given up just now may not have been buried yet.
            and snapshot.credentials.access_key_id != held.credentials.access_key_id
        ):
            return snapshot
        refusal, token = entry.refusal, self._fingerprint
        answer = refusal and refusal.answer(now, blocking=flight.blocking, token=token)
        if refusal is None or answer is None:
            return None
        return answer._replace(told_at=self._clock.wall() - (now - refusal.told_at))

    # -- what is in the place ----------------------------------------------------------------------

    def _leave(self, outcome: Snapshot | Failure, flight: Flight, held: Snapshot) -> None:
        """Leave for the others what STS answered; what the network did is nobody else's."""
        name = self._name
        if name is None:
            return
        if isinstance(outcome, Failure) and not self._concerns_all(outcome, flight):
            return
        entry = self._read(name) or Entry(boot_id())
        if isinstance(outcome, Failure):
            refusal = self._refusal(outcome, entry.refusal, flight, held)
            lasts = max(entry.wall_at + entry.lifetime - self._clock.wall(), _REFUSAL_LASTS)
            self._store.write(name, dump(entry.refused(refusal), name), lasts)
            return
        there = self._usable(entry, name)
        # Who was stopped in mid-exchange may wake up late.
        if there is None or there.sent_at <= outcome.sent_at:
            self._store.write(name, dump(Entry.of(outcome), name), outcome.lifetime)

    def _concerns_all(self, failure: Failure, flight: Flight) -> bool:
        """Whether a failure tells others anything."""
        return (
            failure.status is not None
            # Of a role before this one, which has an entry of its own.
            and failure.again_in is None
            # Of that role's key, which is not the others'.
            and not (failure.bad_token and self._pilot.is_chained)
            # Of a process that was stopped in between.
            and self._clock.now() < flight.overdue_at
        )

    def _refusal(
        self, failure: Failure, before: Refusal | None, flight: Flight, held: Snapshot
    ) -> Refusal:
        now = self._clock.now()
        in_a_row = before.in_a_row + 1 if before else 1
        blocking = (before.blocking_in_a_row if before else 0) + flight.blocking
        if flight.blocking:
            pause = fresh.record_seconds(failure, blocking, fresh.DRAW)
        else:
            pause = fresh.background_pause(failure, in_a_row, held.left(now), fresh.DRAW)
        token = self._fingerprint if failure.bad_token else None
        return Refusal(failure, in_a_row, blocking, now, now + pause, token)

    def _usable(self, entry: Entry, name: str, later: float = 0.0) -> Snapshot | None:
        """Return the credentials of an entry that nobody gave up."""
        snapshot = entry.snapshot(self._clock.now(), self._clock.wall(), later)
        if snapshot is None:
            return None
        mark = mark_of(snapshot.credentials.access_key_id)
        given_up = mark in self._buried or self._store.is_buried(name, mark)
        return None if given_up else snapshot

    def _read(self, name: str) -> Entry | None:
        data = self._store.read(name)
        if data is None:
            return None
        try:
            entry = load(data, name, self._pilot.role_arn)
        except EntryError as error:
            reason = f"{error}"
        else:
            # The instants of another boot mean nothing.
            return entry if entry.boot_id == boot_id() else None
        self._store.complain(reason, name)
        return None

    def _tell(self, found: Snapshot | Failure, flight: Flight) -> None:
        """Tell subscribers; no attempt of this process's own it was."""
        role, latency = self._pilot.role_arn, self._clock.now() - flight.started_at
        if isinstance(found, Failure):
            self._channel.failed(role, found.code, 0, latency)
        else:
            self._channel.succeeded(role, 0, latency, found.credentials.expiration)

    def _name_of(self, look: Callable[[], Token]) -> str | None:
        """Return the name for the token as it is now; None where nothing can be shared."""
        try:
            token = look()
        except IrsaError:
            # The pilot meets it as well, and says so.
            return None
        self._fingerprint = token.fingerprint
        # Asked first: a system that does not say it has no instants to share.
        boot_id()
        name = _name(self._config, token)
        if name is None:
            self._store.complain("the token does not name its iss, sub and aud")
        return name


def _name(config: Config, token: Token) -> str | None:
    """Return the name of an identity's entry; None for a token that does not say whose it is.

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
    """Return the fields that tell a dataclass: its `repr` hides what makes two differ."""
    return {
        name: getattr(value, name)
        for name, field in value.__dataclass_fields__.items()
        if field.compare and name not in _ELSEWHERE
    }


def _patience(flight: Flight) -> float:
    """Return the seconds to wait for another process: a flight of little time has less."""
    return min(_PATIENCE, (flight.deadline - flight.started_at) / 3)
