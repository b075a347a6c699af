"""The state machine of one identity: a snapshot, the flight under way, and what failed."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from irsa_creds import _freshness as fresh, _refusals
from irsa_creds._errors import Failure
from irsa_creds._flight import Flight, Hangar
from irsa_creds._freshness import Snapshot, State
from irsa_creds._lazy import load_late
from irsa_creds._lock import CountedLock
from irsa_creds._muffle import logging_is_held_here
from irsa_creds._outage import Outage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from irsa_creds._channel import Channel
    from irsa_creds._clock import Clock
    from irsa_creds._events import Status
    from irsa_creds._pilot import Pilot

    class Agenda(Protocol):
        """What the engine asks of the refresher."""

        def schedule(self, engine: Engine, at: float) -> None: ...


__all__ = ["Engine"]


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
        self.snapshot = Snapshot.nothing()
        self.keep_warm = False
        self.now = clock.now
        self.role_arn = pilot.role_arn
        self._pilot = pilot
        self._clock = clock
        self._agenda = agenda
        self._channel = channel
        self._draw = draw
        self._lock = CountedLock()
        self._hangar = Hangar(clock)
        self._outage = Outage(pilot.role_arn, draw)
        self._last_demand = fresh.NEVER

    # -- reads ---------------------------------------------------------------------------------

    def look(self, min_ttl: float = 0.0, *, inline: bool = True) -> Snapshot | Flight:
        """Return credentials that may be used now, or the flight to wait for.

        Args:
            min_ttl: seconds that must be left to the end of use.
            inline: whether the caller can run a flight itself where no thread can start.

        Raises:
            IrsaError: a failure that answers for STS for now.
        """
        with self._turn() as now:
            snapshot = self.snapshot
            if now >= snapshot.end_of_use:
                if self._hangar.is_flown_here():
                    raise _refusals.own_flight(self.role_arn)
                # The thread of a flight could not go on while this one holds what it needs.
                if inline and (self._lock.depth > 1 or logging_is_held_here()):
                    return self._fly_here(now)
                return self._block(now, inline=inline)
            snapshot.was_read = True
            state = self._see_to(snapshot, now)
            flight = self._hangar.current
            if state is State.EXPIRED and flight is not None:
                # Past by the wall alone: this one flight decides, and if it fails BOOTTIME does.
                return flight
            return snapshot if snapshot.left(now) >= min_ttl else self._demand(now, min_ttl)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[float]:
        """Hold the lock for one change, at the instant that this yields; log when it is free."""
        # A look at the token is I/O.
        token_changed = self._outage.bad_token and self._pilot.token_changed()
        try:
            with self._lock:
                now = self._clock.now()
                # Asked again: what failed meanwhile may be something else.
                if token_changed and self._outage.bad_token:
                    self._outage.retry_now(now)
                self._settle_overdue(now)
                yield now
        finally:
            self._outage.report()

    def _see_to(self, snapshot: Snapshot, now: float) -> State:
        """See that the flight that is due takes off, and that this is looked at again in time."""
        wall = self._clock.wall()
        state = fresh.state(snapshot, now, wall)
        if snapshot.wall_ahead(now, wall):
            snapshot.refresh_at = min(snapshot.refresh_at, now)
        # What the wall calls expired may well be: that flight waits for no back-off.
        due = state is State.EXPIRED or (state is State.STALE and now >= self._outage.not_before)
        if due and self._hangar.current is None:
            self._background(snapshot, now)
        self._arrange(snapshot, now)
        if state is State.EXPIRED and self._hangar.current is not None:
            # All readers leave the hot path, and wait.
            snapshot.check_at = fresh.NEVER
        return state

    def _block(self, now: float, *, inline: bool) -> Flight:
        """Nothing is valid: join the flight under way, answer with the record, or start one."""
        if self._hangar.current is not None:
            return self._hangar.current
        self._raise_recorded(now)
        if not self._hangar.may_start():
            raise _refusals.earlier_ones_hang()
        flight = Flight.for_readers(now)
        if not self._hangar.start(flight, self.fly):
            if not inline:
                raise _refusals.no_thread()
            self._hangar.board_here(flight)
        return flight

    def _fly_here(self, now: float) -> Flight:
        """Nothing is valid, and only this very thread can bring something: in no one's company."""
        self._raise_recorded(now)
        flight = Flight.for_readers(now)
        self._hangar.board_here(flight)
        return flight

    def _raise_recorded(self, now: float) -> None:
        recorded = self._outage.recorded(now)
        if recorded is not None:
            raise recorded.error()

    def _demand(self, now: float, min_ttl: float) -> Flight:
        """Valid, but not for as long as this caller wants; nobody else waits for it."""
        snapshot = self.snapshot
        if self._hangar.current is not None:
            return self._hangar.current
        backed_off = self._outage.backed_off(now)
        if backed_off is not None:
            raise backed_off.error()
        if now - self._last_demand > fresh.DEMAND_INTERVAL:
            self._last_demand = now
            self._background(snapshot, now)
            self._arrange(snapshot, now)
            if self._hangar.current is not None:
                return self._hangar.current
        raise _refusals.too_short(snapshot.left(now), min_ttl)

    # -- flights -------------------------------------------------------------------------------

    def _background(self, snapshot: Snapshot, now: float) -> None:
        self._launch(Flight.in_background(now, snapshot.left(now)))

    def _launch(self, flight: Flight) -> None:
        """Start a flight that nobody needs yet; where it cannot be, the next try is soon."""
        if not self._hangar.may_start() or not self._hangar.start(flight, self.fly):
            self._outage.postpone(flight.started_at + 1)

    def _arrange(self, snapshot: Snapshot, now: float) -> None:
        """Say until when reads stay on the hot path, and when the refresher looks here."""
        at = self._next_look(snapshot, now)
        snapshot.check_at = min(snapshot.end_of_use, at)
        if self._agenda is not None and (now < snapshot.end_of_use or self.keep_warm):
            self._agenda.schedule(self, at)

    def _next_look(self, snapshot: Snapshot, now: float) -> float:
        if self._hangar.current is not None:
            return self._hangar.current.overdue_at
        valid = now < snapshot.end_of_use
        at = max(snapshot.refresh_at if valid else self._outage.record_until, now)
        at = max(at, self._outage.not_before)
        return min(at, now + fresh.TOKEN_WATCH_INTERVAL) if self._outage.bad_token else at

    def fly(self, flight: Flight) -> None:
        """Run `flight` to its end: on a thread of its own, or on that of who was told to."""
        # Once: a token callable may read credentials itself.
        flight.pilot, flight.flown_by = None, threading.get_ident()
        outcome: Snapshot | Failure = Failure(
            kind="exchange", code="Interrupted", message="The refresh was interrupted."
        )
        self._channel.started(self.role_arn, blocking=flight.blocking)
        try:
            outcome = self._pilot.fly(flight, first=self.snapshot.empty)
        finally:
            self._land(flight, outcome)
        self._outage.report()
        self._channel.deliver()

    def _land(self, flight: Flight, outcome: Snapshot | Failure) -> None:
        with self._lock:
            now = self._clock.now()
            timely = self._hangar.land(flight)
            if isinstance(outcome, Snapshot):
                # The late answer of a disowned flight counts only if it is fresher.
                if timely or outcome.end_of_use > self.snapshot.end_of_use:
                    self._accept(outcome, now)
            elif timely and not flight.cut_at(now):
                self._record(flight, outcome, now)
        flight.settle(outcome)

    def _accept(self, snapshot: Snapshot, now: float) -> None:
        self.snapshot = snapshot
        self._outage.end()
        if self._hangar.current is not None:
            # It took over from the one that is late: nobody waits for it any more.
            self._hangar.current.settle(snapshot)
            self._hangar.current = None
        self._arrange(snapshot, now)

    def _record(self, flight: Flight, failure: Failure, now: float) -> None:
        snapshot, wall = self.snapshot, self._clock.wall()
        left = snapshot.left(now)
        self._outage.begin(failure, left=left, blocking=flight.blocking, now=now, wall=wall)
        if snapshot.wall_past_end(now, wall):
            snapshot.wall_tried = True
        self._arrange(snapshot, now)

    def _settle_overdue(self, now: float) -> None:
        flight = self._hangar.current
        failure = self._hangar.disown_overdue()
        if flight is None or failure is None:
            return
        if flight.cut:
            self._arrange(self.snapshot, now)
        else:
            self._record(flight, failure, now)
        # A finalizer of the last moment can neither import an event nor start a thread.
        if not sys.is_finalizing():
            self._channel.failed(self.role_arn, failure.code, 1, now - flight.started_at)
            self._channel.deliver_apart()

    # -- the refresher, the user and the services -----------------------------------------------

    def tick(self) -> None:
        """Do what is due, as the refresher asks: nothing if nobody has read since the last time."""
        with self._turn() as now:
            if not (self.snapshot.was_read or self.keep_warm):
                # Dormant: the next read looks here, and wakes it.
                self.rouse()
            elif now < self.snapshot.end_of_use:
                self._see_to(self.snapshot, now)
            elif self.keep_warm:
                self._warm_up(now)

    def prefetch(self) -> None:
        """Start a flight where nothing is valid or a refresh is due; wait for nothing."""
        with self._turn() as now:
            if now < self.snapshot.end_of_use:
                self._see_to(self.snapshot, now)
            else:
                self._warm_up(now)

    def _warm_up(self, now: float) -> None:
        """Start the flight that a reader would wait for, before there is one."""
        if self._hangar.current is None and self._outage.recorded(now) is None:
            self._launch(Flight.for_readers(now))
        self._arrange(self.snapshot, now)

    def invalidate(self, access_key_id: str | None) -> None:
        """Let nobody use that key any more (None: whichever is in use)."""
        with self._turn() as now:
            if access_key_id in (None, self.snapshot.credentials.access_key_id):
                self.snapshot.give_up()
                self._arrange(self.snapshot, now)

    def distrust(self, access_key_id: str) -> None:
        """Refresh soon because a service called the key expired; go on serving meanwhile."""
        with self._turn() as now:
            snapshot = self.snapshot
            if (
                access_key_id != snapshot.credentials.access_key_id
                # A service whose clock is wrong would make us hammer STS.
                or now - snapshot.sent_at < fresh.DEMAND_INTERVAL
                or now >= snapshot.end_of_use
            ):
                return
            # That counts once for each key: it stays stale until another takes its place.
            snapshot.refresh_at = min(now, snapshot.refresh_at)
            self._see_to(snapshot, now)

    def rouse(self) -> None:
        """Make the next read look here: the refresher was stopped and must be told again."""
        self.snapshot.check_at = fresh.NEVER

    def reset_after_fork(self) -> None:
        """Make this the child's own: its lock, its flights and its instants; keep the snapshot."""
        self._lock = CountedLock()
        self._hangar.forget()
        self._pilot.reset_after_fork()
        self._channel.reset_after_fork()
        if self.snapshot.lifetime:
            self.snapshot = fresh.after_fork(self.snapshot, self._clock.now(), self._draw)
        self.rouse()

    def close(self) -> None:
        """Forget the credentials and let go of the connection; the next read starts anew.

        A flight under way still counts: others may wait for it.
        """
        with self._lock:
            self.keep_warm = False
            self.snapshot.give_up()
            self.snapshot = Snapshot.nothing()
        self._pilot.close()

    def last_failure(self) -> Failure | None:
        """Return why the last flight failed; None after one that did not."""
        return self._outage.failure

    def status(self) -> Status:
        """Return what the engine is doing, without starting anything."""
        load_late("irsa_creds._status")
        from irsa_creds._status import status_of  # noqa: PLC0415 - most programs never ask

        with self._lock:
            return status_of(
                self.snapshot,
                self._outage,
                self._clock,
                flights=self._hangar.started,
                sts_calls=self._pilot.calls,
            )
