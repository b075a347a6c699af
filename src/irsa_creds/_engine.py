"""The state machine of one identity: what readers, refresher, users and services bring about."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from irsa_creds import _freshness as fresh, _refusals
from irsa_creds._airfield import Airfield
from irsa_creds._flight import Flight
from irsa_creds._freshness import Snapshot, State
from irsa_creds._greenlets import THREADS
from irsa_creds._lazy import load_late
from irsa_creds._lock import CountedLock, LockedOutError, sections_here
from irsa_creds._muffle import logging_is_held_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds._errors import Failure
    from irsa_creds._events import Status


__all__ = ["Engine"]

# The next read sees to it as well: who was interrupted in the middle of a change may do without.
_LOCKED_OUT = contextlib.suppress(LockedOutError)


class Engine(Airfield):
    """One identity's credentials: reads take `snapshot` bare, all changes happen under one lock.

    The lock never spans I/O, and no call here blocks: what is to be waited for comes back as a
    flight, and who called waits in a colour of its own.
    """

    # Of the last flight that `min_ttl` started.
    _last_demand = fresh.NEVER

    # -- reads ---------------------------------------------------------------------------------

    def look(self, min_ttl: float = 0.0, *, inline: bool = True) -> Snapshot | Flight:
        """Return credentials that may be used now, or the flight to wait for.

        Args:
            min_ttl: seconds that must be left to the end of use.
            inline: whether the caller can run a flight itself where no thread can start.

        Raises:
            IrsaError: a failure that answers for STS for now.
        """
        # Not under the lock: in a chain those before have locks of their own.
        waits_for_itself = self._pilot.is_waited_for_here()
        try:
            return self._look(min_ttl, inline=inline, waits_for_itself=waits_for_itself)
        except LockedOutError:
            snapshot = self.snapshot
            left = snapshot.left(self._clock.now())
            if left > 0 and left >= min_ttl:
                return snapshot
        raise _refusals.interrupted(self.role_arn)

    def _look(self, min_ttl: float, *, inline: bool, waits_for_itself: bool) -> Snapshot | Flight:
        """Look under the lock."""
        with self._turn() as now:
            snapshot = self.snapshot
            if now >= snapshot.end_of_use:
                if waits_for_itself or self._hangar.is_flown_here():
                    raise _refusals.own_flight(self.role_arn)
                # The thread of a flight could not go on while this one holds what it needs.
                held = sections_here() > 1 or logging_is_held_here()
                if inline and (held or self._pilot.needs_this_thread()):
                    return self._fly_here(now)
                return self._block(now, inline=inline)
            snapshot.was_read = True
            state = self._see_to(snapshot, now, reader=True)
            flight = self._hangar.current
            if state is State.EXPIRED and flight is not None:
                # Past by the wall alone: this one flight decides, and if it fails BOOTTIME does.
                return flight
            return snapshot if snapshot.left(now) >= min_ttl else self._demand(now, min_ttl)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[float]:
        """Hold the lock for one change, at the instant that this yields; log when it is free."""
        THREADS.renew_if_patched()
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

    def _see_to(self, snapshot: Snapshot, now: float, *, reader: bool = False) -> State:
        """See that the flight that is due takes off, and that this is looked at again in time."""
        wall = self._clock.wall()
        state = fresh.state(snapshot, now, wall)
        if snapshot.wall_ahead(now, wall):
            snapshot.refresh_at = min(snapshot.refresh_at, now)
        # What the wall calls expired may well be: that flight waits for no back-off.
        due = state is State.EXPIRED or (state is State.STALE and now >= self._outage.not_before)
        waits = False
        if due and self._hangar.current is None:
            flight = Flight.in_background(now, snapshot.left(now))
            if reader and state is State.EXPIRED:
                self._launch(flight)
            else:
                waits = self._line_up(flight)
        self._arrange(snapshot, now, waits=waits)
        if state is State.EXPIRED and (waits or self._hangar.current is not None):
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
        flight = Flight.for_readers(now, self._outage.attempts)
        if not self._hangar.start(flight, self.fly):
            if not inline:
                raise _refusals.no_thread()
            self._hangar.board_here(flight)
        return flight

    def _fly_here(self, now: float) -> Flight:
        """Nothing is valid, and only this very thread can bring something: in no one's company."""
        self._raise_recorded(now)
        flight = Flight.for_readers(now, self._outage.attempts)
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
            flight = Flight.in_background(now, snapshot.left(now))
            flight.min_ttl = min_ttl
            self._launch(flight)
            self._arrange(snapshot, now)
            if self._hangar.current is not None:
                return self._hangar.current
        raise _refusals.too_short(snapshot.left(now), min_ttl)

    # -- the refresher, the user and the services -----------------------------------------------

    def tick(self) -> None:
        """Do what is due, as the refresher asks: nothing if nobody has read since the last time."""
        with _LOCKED_OUT, self._turn() as now:
            if not (self.snapshot.was_read or self._noted or self.keep_warm):
                # Dormant: the next read looks here, and wakes it.
                self.rouse()
            elif now < self.snapshot.end_of_use:
                self._see_to(self.snapshot, now)
            elif self.keep_warm:
                self._warm_up(now)

    def prefetch(self) -> None:
        """Start a flight where nothing is valid or a refresh is due; wait for nothing."""
        with _LOCKED_OUT, self._turn() as now:
            if now < self.snapshot.end_of_use:
                self._see_to(self.snapshot, now)
            else:
                self._warm_up(now)

    def take_turn(self, *, warming: bool) -> None:
        """Start the flight that was to wait for this moment, if it is still due.

        Args:
            warming: whether it was to fetch what is not valid; else that is left to a reader.
        """
        # No look at the token, which is I/O: others wait for their turn behind this.
        with _LOCKED_OUT, self._lock:
            now = self._clock.now()
            if now < self.snapshot.end_of_use:
                self._see_to(self.snapshot, now)
            elif warming or self.keep_warm:
                self._warm_up(now)

    def _warm_up(self, now: float) -> None:
        """Start the flight that a reader would wait for, before there is one."""
        waits = False
        if self._hangar.current is None and self._outage.recorded(now) is None:
            waits = self._line_up(Flight.for_readers(now, self._outage.attempts))
        self._arrange(self.snapshot, now, waits=waits)

    def invalidate(self, access_key_id: str | None) -> None:
        """Let nobody use that key any more (None: whichever is in use)."""
        with self._lock.regardless():
            now = self._clock.now()
            held = self.snapshot.credentials.access_key_id
            if access_key_id in (None, held):
                self.snapshot.give_up()
                self._arrange(self.snapshot, now)
        if self.sharing is not None:
            self.sharing.bury(access_key_id or held)

    def distrust(self, access_key_id: str) -> None:
        """Refresh soon because a service called the key expired; go on serving meanwhile."""
        with _LOCKED_OUT, self._turn() as now:
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

    # -- chains: those who assume another role with these, and those before ----------------------

    @property
    def is_chained(self) -> bool:
        """Whether another role's credentials assume this one's."""
        return self._pilot.is_chained

    @property
    def under_way(self) -> Flight | None:
        """The flight under way."""
        return self._hangar.current

    def record_left(self) -> float:
        """Return the seconds for which the last failure answers to who finds nothing valid."""
        return max(0.0, self._outage.record_until - self.now()) if self.last_failure() else 0.0

    def is_flown_here(self) -> bool:
        """Whether this very thread flies the flight under way, or one that this one waits for."""
        with self._lock.regardless():
            here = self._hangar.is_flown_here()
        return here or self._pilot.is_waited_for_here()

    def needs_this_thread(self) -> bool:
        """Whether this very thread holds what a flight on another one would wait for."""
        return self._lock.is_held_here() or self._pilot.needs_this_thread()

    # -- the process -----------------------------------------------------------------------------

    def rouse(self) -> None:
        """Make the next read look here: the refresher was stopped and must be told again."""
        self.snapshot.check_at = fresh.NEVER

    def renew(self) -> None:
        """Forget lock, flights and connection, which are another's; keep the snapshot."""
        self._lock = CountedLock()
        self._hangar.forget()
        self._pilot.reset_after_fork()
        self._channel.reset_after_fork()
        self.rouse()

    def reset_after_fork(self) -> None:
        """Make this the child's own, its instants included."""
        self.renew()
        if self.snapshot.lifetime:
            shared = self.sharing is not None and self.sharing.works
            redrawn = fresh.after_shared_fork if shared else fresh.after_fork
            self.snapshot = redrawn(self.snapshot, self._clock.now(), self._draw)
        self.rouse()

    def close(self) -> None:
        """Forget the credentials; the next read fetches others.

        A flight under way still counts: others may wait for it.
        """
        with self._lock.regardless():
            self.keep_warm = False
            self.snapshot.give_up()
            self.snapshot = Snapshot.nothing()
            ended = self._forget_failures()
        ended.report()

    def last_failure(self) -> Failure | None:
        """Return why the last flight failed; None after one that did not."""
        return self._outage.failure

    def status(self) -> Status:
        """Return what the engine is doing, without starting anything."""
        load_late("irsa_creds._status")
        from irsa_creds._status import status_of  # noqa: PLC0415 - most programs never ask

        with self._lock.regardless():
            return status_of(
                self.snapshot,
                self._outage,
                self._clock,
                flights=self._hangar.started,
                sts_calls=self._pilot.calls,
            )
