"""The state machine of one identity: a snapshot, the flight under way, and what failed."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from irsa_creds import _freshness as fresh
from irsa_creds._credentials import Credentials
from irsa_creds._errors import Failure, RefreshTimeout
from irsa_creds._events import Channel, RefreshStarted, Status
from irsa_creds._flight import Flight, Hangar
from irsa_creds._freshness import Snapshot, State
from irsa_creds._outage import Outage

if TYPE_CHECKING:
    from typing import Protocol

    from irsa_creds._clock import Clock
    from irsa_creds._pilot import Pilot

    class Agenda(Protocol):
        """What the engine asks of the refresher."""

        def schedule(self, engine: Engine, at: float) -> None: ...


__all__ = ["Engine"]

_NEVER = float("-inf")
_NAMES: dict[State, Literal["fresh", "stale", "expired"]] = {
    State.FRESH: "fresh",
    State.STALE: "stale",
    State.EXPIRED: "expired",
}


def _nothing() -> Snapshot:
    """Return the snapshot of before the first answer: expired since ever."""
    credentials = Credentials("", "", "", datetime.fromtimestamp(0, UTC))
    return Snapshot(credentials, sent_at=_NEVER, wall_at=_NEVER, lifetime=0.0, refresh_at=_NEVER)


class Engine:
    """One identity's credentials: reads take `snapshot` bare, all changes happen under one lock.

    The lock never spans I/O, and no call here blocks: what is to be waited for comes back as a
    flight, and who called waits in a colour of its own.
    """

    def __init__(
        self,
        pilot: Pilot,
        clock: Clock,
        agenda: Agenda | None,
        channel: Channel,
        draw: fresh.Draw,
    ) -> None:
        self.snapshot = _nothing()
        self.keep_warm = False
        self.now = clock.now
        self.role_arn = pilot.role_arn
        self._pilot = pilot
        self._clock = clock
        self._agenda = agenda
        self._channel = channel
        self._draw = draw
        self._lock = threading.Lock()
        self._hangar = Hangar(clock)
        self._outage = Outage(draw)
        self._last_demand = _NEVER
        self._distrusted = ""

    # -- reads ---------------------------------------------------------------------------------

    def look(self, min_ttl: float = 0.0, *, inline: bool = True) -> Snapshot | Flight:
        """Return credentials that may be used now, or the flight to wait for.

        Args:
            min_ttl: seconds that must be left to the end of use.
            inline: whether the caller can run a flight itself where no thread can start.

        Raises:
            IrsaError: a failure that answers for STS for now.
        """
        token_changed = self._token_changed()
        with self._lock:
            now = self._clock.now()
            self._settle_overdue(now)
            if token_changed:
                self._outage.retry_now(now)
            snapshot = self.snapshot
            found: Snapshot | Flight = snapshot
            match self._state(snapshot, now):
                case State.EXPIRED if now < snapshot.end_of_use:
                    # Past by the wall alone: one flight decides, and if it fails BOOTTIME does.
                    self._depart(snapshot, now)
                    found = self._hangar.current or snapshot
                case State.EXPIRED:
                    found = self._block(now, inline=inline)
                case State.STALE:
                    self._depart(snapshot, now)
            if found is snapshot and snapshot.left(now) < min_ttl:
                found = self._demand(snapshot, now, min_ttl)
            if found is snapshot:
                snapshot.was_read = True
                self._arrange(snapshot, now)
            return found

    def _state(self, snapshot: Snapshot, now: float) -> State:
        wall = self._clock.wall()
        state = fresh.state(snapshot, now, wall)
        if snapshot.wall_ahead(now, wall):
            snapshot.refresh_at = min(snapshot.refresh_at, now)
        return state

    def _block(self, now: float, *, inline: bool) -> Flight:
        """Nothing is valid: join the flight under way, answer with the record, or start one."""
        if self._hangar.current is not None:
            return self._hangar.current
        recorded = self._outage.recorded(now)
        if recorded is not None:
            raise recorded.error()
        if not self._hangar.may_start():
            raise RefreshTimeout(
                "Earlier refreshes of the credentials still hang, so no further one is started. "
                "Look for a hanging DNS server, proxy or token callable."
            )
        flight = Flight(blocking=True, started_at=now, deadline=now + fresh.BLOCKING_SECONDS)
        if not self._start(flight):
            if not inline:
                raise RefreshTimeout(
                    "No thread could be started for the refresh (a limit of threads, or the "
                    "interpreter is ending), and a task must not block its loop. "
                    "Raise the pod's limit of threads, or call get() from a thread."
                )
            flight.pilot = threading.get_ident()
            self._hangar.board(flight)
        return flight

    def _demand(self, snapshot: Snapshot, now: float, min_ttl: float) -> Flight:
        """Valid, but not for as long as this caller wants; nobody else waits for it."""
        if self._hangar.current is not None:
            return self._hangar.current
        backed_off = self._outage.backed_off(now)
        if backed_off is not None:
            raise backed_off.error()
        if now - self._last_demand > fresh.DEMAND_INTERVAL:
            self._last_demand = now
            self._background(snapshot, now)
            if self._hangar.current is not None:
                return self._hangar.current
        raise RefreshTimeout(
            f"The credentials last {snapshot.left(now):.0f} s and min_ttl={min_ttl:g} was asked "
            "for. Ask for less, or for a longer duration_seconds."
        )

    def _depart(self, snapshot: Snapshot, now: float) -> None:
        """See that the flight that is due takes off."""
        if self._hangar.current is None and now >= self._outage.not_before:
            self._background(snapshot, now)

    def _background(self, snapshot: Snapshot, now: float) -> None:
        seconds = fresh.background_seconds(snapshot.left(now))
        flight = Flight(blocking=False, started_at=now, deadline=now + seconds)
        if not self._hangar.may_start() or not self._start(flight):
            self._outage.postpone(now + 1)

    def _start(self, flight: Flight) -> bool:
        return self._hangar.start(flight, self.fly)

    def _arrange(self, snapshot: Snapshot, now: float) -> None:
        """Say until when reads stay on the hot path, and when the refresher looks here."""
        at = self._next_look(snapshot, now)
        snapshot.check_at = min(snapshot.end_of_use, at)
        if self._agenda is not None:
            self._agenda.schedule(self, at)

    def _next_look(self, snapshot: Snapshot, now: float) -> float:
        if self._hangar.current is not None:
            return self._hangar.current.deadline
        at = max(snapshot.refresh_at, self._outage.not_before)
        if self._outage.bad_token:
            at = min(at, now + fresh.TOKEN_WATCH_INTERVAL)
        return max(at, now)

    def _token_changed(self) -> bool:
        """Whether the token that is to blame for the failure has been replaced."""
        return self._outage.bad_token and self._pilot.token_changed()

    # -- flights -------------------------------------------------------------------------------

    def fly(self, flight: Flight) -> None:
        """Run `flight` to its end: on a thread of its own, or on that of who was told to."""
        outcome: Snapshot | Failure = Failure(
            kind="exchange", code="Interrupted", message="The refresh was interrupted."
        )
        self._channel.put(RefreshStarted(self.role_arn, flight.blocking))
        try:
            outcome = self._pilot.fly(flight, first=self.snapshot.sent_at == _NEVER)
        finally:
            self._land(flight, outcome)
        self._channel.deliver()

    def _land(self, flight: Flight, outcome: Snapshot | Failure) -> None:
        with self._lock:
            now = self._clock.now()
            timely = self._hangar.land(flight)
            if isinstance(outcome, Snapshot):
                # The late answer of a disowned flight counts only if it is fresher.
                if timely or outcome.end_of_use > self.snapshot.end_of_use:
                    self._accept(outcome, now)
            elif timely:
                self._record(flight, outcome, now)
        flight.settle(outcome)

    def _accept(self, snapshot: Snapshot, now: float) -> None:
        self.snapshot = snapshot
        self._outage.end()
        self._arrange(snapshot, now)

    def _record(self, flight: Flight, failure: Failure, now: float) -> None:
        snapshot, wall = self.snapshot, self._clock.wall()
        left = snapshot.left(now)
        self._outage.begin(failure, left=left, blocking=flight.blocking, now=now, wall=wall)
        if left > 0:
            snapshot.wall_tried = snapshot.wall_ahead(now, wall)
            self._arrange(snapshot, now)

    def _settle_overdue(self, now: float) -> None:
        flight = self._hangar.current
        failure = self._hangar.disown_overdue()
        if flight is not None and failure is not None:
            self._pilot.abandon()
            self._record(flight, failure, now)

    # -- the refresher, the user and the services -----------------------------------------------

    def tick(self) -> None:
        """Do what is due, as the refresher asks: nothing if nobody has read since the last time."""
        token_changed = self._token_changed()
        with self._lock:
            now = self._clock.now()
            self._settle_overdue(now)
            if token_changed:
                self._outage.retry_now(now)
            snapshot = self.snapshot
            wanted = snapshot.was_read or self.keep_warm
            if now >= snapshot.end_of_use or not wanted:
                return
            state = self._state(snapshot, now)
            if state is not State.FRESH:
                self._depart(snapshot, now)
            self._arrange(snapshot, now)
            if state is State.EXPIRED:
                # Past by the wall: readers leave the hot path and wait for that one flight.
                snapshot.check_at = _NEVER

    def prefetch(self) -> None:
        """Start a flight where nothing is valid or a refresh is due; wait for nothing."""
        with self._lock:
            now = self._clock.now()
            self._settle_overdue(now)
            if self._hangar.current is not None:
                return
            if now < self.snapshot.end_of_use:
                if now >= self.snapshot.refresh_at:
                    self._depart(self.snapshot, now)
            elif self._outage.recorded(now) is None and self._hangar.may_start():
                self._start(
                    Flight(blocking=True, started_at=now, deadline=now + fresh.BLOCKING_SECONDS)
                )

    def invalidate(self, access_key_id: str | None) -> None:
        """Let nobody use that key any more (None: whichever is in use)."""
        with self._lock:
            snapshot = self.snapshot
            if access_key_id in (None, snapshot.credentials.access_key_id):
                self.snapshot = replace(snapshot, lifetime=0.0, refresh_at=_NEVER)

    def distrust(self, access_key_id: str) -> None:
        """Refresh soon because a service called the key expired; go on serving meanwhile."""
        with self._lock:
            now = self._clock.now()
            snapshot = self.snapshot
            if (
                access_key_id != snapshot.credentials.access_key_id
                or access_key_id == self._distrusted
                # A service whose clock is wrong would make us hammer STS.
                or now - snapshot.sent_at < fresh.DEMAND_INTERVAL
                or now >= snapshot.end_of_use
            ):
                return
            self._distrusted = access_key_id
            self.snapshot = replace(snapshot, refresh_at=min(now, snapshot.refresh_at))
            self._depart(self.snapshot, now)
            self._arrange(self.snapshot, now)

    def rouse(self) -> None:
        """Make the next read look here: the refresher was stopped and must be told again."""
        self.snapshot.check_at = _NEVER

    def reset_after_fork(self) -> None:
        """Make this the child's own: its lock, its flights and its instants; keep the snapshot."""
        self._lock = threading.Lock()
        self._hangar.forget()
        self._pilot.reset_after_fork()
        self._channel.reset_after_fork()
        if self.snapshot.lifetime:
            self.snapshot = fresh.after_fork(self.snapshot, self._clock.now(), self._draw)
        self.rouse()

    def close(self) -> None:
        """Forget the credentials and let go of the connection; the next read starts anew."""
        with self._lock:
            self.snapshot = _nothing()
        self._pilot.close()

    def status(self) -> Status:
        """Return what the engine is doing, without starting anything."""
        with self._lock:
            now = self._clock.now()
            snapshot, outage = self.snapshot, self._outage
            left = snapshot.left(now)
            empty = snapshot.sent_at == _NEVER
            at = max(snapshot.refresh_at, outage.not_before) if left > 0 else outage.record_until
            return Status(
                state="empty" if empty else _NAMES[self._state(snapshot, now)],
                seconds_left=max(0.0, left),
                next_refresh_in=None if at == _NEVER else max(0.0, at - now),
                last_success_at=None if empty else datetime.fromtimestamp(snapshot.wall_at, UTC),
                last_failure=outage.last_failure,
                flights=self._hangar.started,
                sts_calls=self._pilot.calls,
            )
