"""How many flights that nobody waits for are in the air at once, and who is next."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from irsa_creds._line import Line
from irsa_creds._lock import inside

if TYPE_CHECKING:
    from typing import Protocol

    from irsa_creds._clock import Clock
    from irsa_creds._flight import Flight
    from irsa_creds._line import Key

    class Ticking(Protocol):
        """What the refresher wakes."""

        def tick(self) -> None: ...

    class Agenda(Protocol):
        """The refresher, as those see it who are to be woken."""

        def schedule(self, engine: Ticking, at: float) -> None: ...

    class Departing(Protocol):
        """Whose flight waits for its turn."""

        def take_turn(self, *, warming: bool) -> None: ...


__all__ = ["Tower"]

#: The default of `IRSA_CREDS_MAX_REFRESHES`.
MOST = 8


class _Lane:
    """Flights of one kind: who flies, who was called and has not taken off yet, who waits."""

    def __init__(self) -> None:
        self.aloft: set[Flight] = set()
        self.called: set[Departing] = set()
        self.line: Line[Departing] = Line()

    def is_free(self, now: float, most: int) -> bool:
        """Whether one more may take off."""
        # What hangs is not waited for: its thread costs memory, but nobody's turn.
        self.aloft = {flight for flight in self.aloft if now < flight.overdue_at}
        return len(self.aloft) + len(self.called) < most


class Tower:
    """Gives background flights their turn; those that a reader waits for do not ask for one.

    Refreshes of what is valid have one lane, fetches of what is not, ahead of any reader, another:
    these may last twice as long, and hold up no refresh.

    Under its lock none is taken but the refresher's, and engines are called without it and without
    any engine's: nobody holds the locks of two identities.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.most = MOST
        #: Wakes it when a flight that hangs has lost its place; None: those who read look.
        self.agenda: Agenda | None = None
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget all: in a child none of these threads exists."""
        # Re-entrant: a signal's handler may read credentials in the middle of this.
        self._lock = threading.RLock()
        self._refreshing, self._warming = _Lane(), _Lane()

    def clear(self, engine: Departing, flight: Flight, key: Key) -> bool:
        """Return whether `flight` may take off now; else its engine is called when it may.

        Args:
            engine: whose flight it is; its lock is held.
            flight: tell of its end in `landed`, also where it could not be started.
            key: the smallest goes first.
        """
        lane = self._warming if flight.blocking else self._refreshing
        with inside(self._lock):
            if engine in lane.called:
                lane.called.discard(engine)
            elif lane.is_free(self._clock.now(), self.most):
                lane.line.leave(engine)
            else:
                lane.line.put(engine, key)
                self._wake_in_time()
                return False
            lane.aloft.add(flight)
            return True

    def landed(self, flight: Flight) -> bool:
        """Take note that `flight` has ended; return whether `hand_over` should come next."""
        lane = self._warming if flight.blocking else self._refreshing
        with inside(self._lock):
            had_turn = flight in lane.aloft
            lane.aloft.discard(flight)
        return had_turn

    def hand_over(self) -> None:
        """Call those whose turn it is; no engine's lock may be held."""
        for lane in (self._refreshing, self._warming):
            while (engine := self._next(lane)) is not None:
                try:
                    engine.take_turn(warming=lane is self._warming)
                finally:
                    # It may need none any more: then the next one does.
                    with inside(self._lock):
                        lane.called.discard(engine)

    def tick(self) -> None:
        """Give away the turns of those that hang by now, as the refresher asks."""
        self.hand_over()
        with inside(self._lock):
            self._wake_in_time()

    def _next(self, lane: _Lane) -> Departing | None:
        with inside(self._lock):
            if not lane.line or not lane.is_free(self._clock.now(), self.most):
                return None
            engine = lane.line.take()
            if engine is not None:
                # Nobody else gets this turn meanwhile.
                lane.called.add(engine)
            return engine

    def _wake_in_time(self) -> None:
        """Come back when a turn is free at the latest, though nothing lands."""
        ends = [
            flight.overdue_at
            for lane in (self._refreshing, self._warming)
            if lane.line
            for flight in lane.aloft
        ]
        if self.agenda is not None and ends:
            self.agenda.schedule(self, min(ends))
