"""Where one identity's flights take off and land: its snapshot, and what has failed."""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from irsa_creds import _freshness as fresh
from irsa_creds._errors import Failure
from irsa_creds._flight import Flight, Hangar
from irsa_creds._freshness import Snapshot
from irsa_creds._lock import CountedLock
from irsa_creds._outage import Outage
from irsa_creds._tower import Tower

if TYPE_CHECKING:
    from irsa_creds._channel import Channel
    from irsa_creds._clock import Clock
    from irsa_creds._pilot import Pilot
    from irsa_creds._sharing import Sharing
    from irsa_creds._tower import Agenda

__all__ = ["Airfield"]

# Whoever waits for a turn is called, and looks as well before half of what is left is over.
_SHORTEST_WAIT = 0.2
# Seconds: the longest pause that STS may ask for, and a minute for the try itself.
_TRIED_AT_LEAST_EVERY = 360.0


class Airfield(ABC):
    """What an engine's readers stand on: one snapshot, one flight, and the lock for all changes."""

    def __init__(
        self,
        pilot: Pilot,
        clock: Clock,
        agenda: Agenda | None,
        channel: Channel,
        draw: fresh.Draw,
        *,
        tower: Tower | None = None,
    ) -> None:
        self.snapshot = Snapshot.nothing()
        self.keep_warm = False
        #: Where other processes' answers are looked for first; None: nowhere.
        self.sharing: Sharing | None = None
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
        # The instant of the last failure since the last success.
        self._failed_at = fresh.NEVER
        self._tower = tower or Tower(clock)
        # What `was_read` of the snapshot said when the registry looked, and that of those before.
        self._noted = self._read_before = False

    # -- taking off ------------------------------------------------------------------------------

    def _launch(self, flight: Flight) -> bool:
        """Start a flight that somebody waits for; where it cannot be, the next try is soon."""
        if self._hangar.may_start() and self._hangar.start(flight, self.fly):
            return True
        self._outage.postpone(flight.started_at + 1)
        return False

    def _line_up(self, flight: Flight) -> bool:
        """Start a flight that nobody waits for; return whether its turn is still to come."""
        # Who failed oftener comes later: those whose STS hangs hold up nobody whose STS does not.
        key = float(self._outage.in_a_row), self.snapshot.end_of_use
        if not self._tower.clear(self, flight, key):
            return True
        if not self._launch(flight):
            self._tower.landed(flight)
        return False

    @abstractmethod
    def tick(self) -> None:
        """Do what is due, as the refresher asks."""

    @abstractmethod
    def take_turn(self, *, warming: bool) -> None:
        """Start the flight that was to wait for this moment, if it is still due.

        Args:
            warming: whether it was to fetch what is not valid.
        """

    def _arrange(self, snapshot: Snapshot, now: float, *, waits: bool = False) -> None:
        """Say until when reads stay on the hot path, and when the refresher looks here.

        Args:
            snapshot: what is being served.
            now: this instant.
            waits: whether a flight is due whose turn is still to come.
        """
        at = _while_waiting(snapshot, now) if waits else self._next_look(snapshot, now)
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
            kind="exchange",
            code="Interrupted",
            message="The refresh was interrupted.",
            role_arn=self.role_arn,
        )
        self._channel.board(flight)
        self._channel.started(self.role_arn, blocking=flight.blocking)
        try:
            outcome = (self.sharing or self._pilot).fly(flight, self.snapshot)
        finally:
            attempt = self._channel.failures_of(flight) + 1
            self._channel.leave()
            if self._land(flight, outcome) and isinstance(outcome, Snapshot):
                # It was told as failed, and of what it has told since nobody has heard.
                latency, expiration = self.now() - flight.started_at, outcome.credentials.expiration
                self._channel.succeeded(self.role_arn, attempt, latency, expiration)
            if self._tower.landed(flight):
                # Before a log's handler or a subscriber can take its time.
                self._tower.hand_over()
        self._outage.report()
        self._channel.deliver()

    def _land(self, flight: Flight, outcome: Snapshot | Failure) -> bool:
        """Take what a flight brought; return whether that is of use though it was disowned."""
        late = False
        with self._lock.regardless():
            now = self._clock.now()
            timely = self._hangar.land(flight)
            if isinstance(outcome, Snapshot):
                # The late answer of a disowned flight counts only if it is fresher.
                late = not timely and outcome.end_of_use > self.snapshot.end_of_use
                if timely or late:
                    self._accept(outcome, now)
            elif timely and not flight.cut_at(now):
                self._record(flight, outcome, now)
        flight.settle(outcome)
        return late

    def _accept(self, snapshot: Snapshot, now: float) -> None:
        self._read_before |= self.snapshot.was_read
        self._noted = False
        self.snapshot = snapshot
        self._failed_at = fresh.NEVER
        self._outage.end()
        if self._hangar.current is not None:
            # It took over from the one that is late: nobody waits for it any more.
            self._hangar.current.settle(snapshot)
            self._hangar.current = None
        self._arrange(snapshot, now)

    def _record(self, flight: Flight, failure: Failure, now: float) -> None:
        snapshot, wall = self.snapshot, self._clock.wall()
        left = snapshot.left(now)
        self._failed_at = now
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
            self._channel.overdue(self.role_arn, failure.code, flight, now - flight.started_at)
            self._channel.deliver_apart()

    def is_failing(self) -> bool:
        """Whether what is read, or kept warm, fails: what nobody reads is not tried again."""
        return self._clock.now() - self._failed_at <= _TRIED_AT_LEAST_EVERY

    def _forget_failures(self) -> Outage:
        """Begin anew; return what is over, which may have something to log."""
        ended, self._outage = self._outage, Outage(self.role_arn, self._draw)
        self._failed_at = fresh.NEVER
        return ended

    # -- who is in use ----------------------------------------------------------------------------

    def was_read_lately(self) -> bool:
        """Return whether anybody has read since this was asked last; without the lock.

        A read that comes in between may count twice or not at all: one is among many.
        """
        snapshot = self.snapshot
        read = snapshot.was_read
        if read:
            # In this order: a tick in between must not take it for idle.
            self._noted = True
            snapshot.was_read = False
        read, self._read_before = read or self._read_before, False
        return read


def _while_waiting(snapshot: Snapshot, now: float) -> float:
    """Return when to look again at what waits for its turn, though nobody called."""
    left = snapshot.left(now)
    return now + (max(_SHORTEST_WAIT, left / 2) if left > 0 else fresh.MINUTE)
