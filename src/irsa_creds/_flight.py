"""Single flight: one exchange under way, on a daemon thread that belongs to nobody."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from irsa_creds import _freshness as fresh
from irsa_creds._errors import Failure
from irsa_creds._freshness import Snapshot
from irsa_creds._lazy import EXITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._clock import Clock

__all__ = ["Flight", "Hangar"]

Outcome = Snapshot | Failure


def _shared_future() -> Future[Outcome]:
    future: Future[Outcome] = Future()
    # Else one cancelled task would cancel it for all who wait.
    future.set_running_or_notify_cancel()
    return future


class Flight:
    """One exchange: many wait on its future, which holds an outcome and never an exception.

    Args:
        blocking: whether readers wait for it.
        started_at: the instant that it takes off.
        deadline: the instant at which it is to be over.
        attempts: how often it calls STS at most.
    """

    __slots__ = (
        "attempts", "blocking", "cut", "deadline", "flown_by", "future", "min_ttl", "pilot",
        "started_at",
    )  # fmt: skip

    # No data class: making one takes three times as long, and every cold start pays for it.
    def __init__(
        self, *, blocking: bool, started_at: float, deadline: float, attempts: int = 1
    ) -> None:
        self.attempts: int = attempts
        self.blocking: bool = blocking
        self.started_at: float = started_at
        self.deadline: float = deadline
        self.future: Future[Outcome] = _shared_future()
        # The thread that is to run it itself, where none of ours could start.
        self.pilot: int | None = None
        # Whether that thread has less time than a flight has: its failure says nothing to others.
        self.cut: bool = False
        # The seconds that who asked for it needs: what lasts less is no help.
        self.min_ttl: float = 0.0
        # The thread that runs it, from the moment that it does.
        self.flown_by: int | None = None

    @classmethod
    def for_readers(cls, now: float, attempts: int = fresh.BLOCKING_ATTEMPTS) -> Flight:
        """Return the flight of whoever finds nothing valid."""
        deadline = now + fresh.BLOCKING_SECONDS
        return cls(blocking=True, started_at=now, deadline=deadline, attempts=attempts)

    @classmethod
    def in_background(cls, now: float, left: float) -> Flight:
        """Return the flight that nobody needs yet: what is being served has `left` seconds."""
        return cls(blocking=False, started_at=now, deadline=now + fresh.background_seconds(left))

    @property
    def overdue_at(self) -> float:
        """The instant from which it hangs."""
        return self.deadline + fresh.OVERDUE_GRACE

    def cut_at(self, now: float) -> bool:
        """Whether it ended because who runs it had no more time: that says nothing to others."""
        return self.cut and now >= self.deadline

    def overdue(self) -> Failure:
        """Return the failure of not having ended in time."""
        seconds = max(0.0, self.deadline - self.started_at)
        return Failure(
            kind="timeout",
            code="RefreshTimeout",
            message=f"The refresh of the credentials did not end within {seconds:.0f} s.",
            advice="Look for a hanging DNS server, proxy or token callable.",
        )

    def settle(self, outcome: Outcome) -> None:
        """Release all waiters; a flight that was disowned has released its own already."""
        if not self.future.done():
            self.future.set_result(outcome)


def _run(body: Callable[[Flight], None], flight: Flight) -> None:
    """Be the thread of a flight."""
    try:
        body(flight)
    finally:
        EXITS.note()


class Hangar:
    """A provider's flights: the one under way, and the overdue ones whose threads still hang.

    Nothing here takes a lock: the provider calls it under its own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads: dict[Flight, threading.Thread] = {}
        self.current: Flight | None = None
        self.started = 0
        self._last_start = -fresh.OVERDUE_INTERVAL

    def disown_overdue(self) -> Failure | None:
        """Let go of a flight past its deadline: a hung DNS or a header drip blocks nobody."""
        flight = self.current
        if flight is None or self._clock.now() < flight.overdue_at:
            return None
        self.current = None
        failure = flight.overdue()
        flight.settle(failure)
        return failure

    def may_start(self) -> bool:
        """Whether one more thread is bearable, given how many hang."""
        hanging = sum(thread.is_alive() for thread in self._threads.values())
        if hanging >= fresh.OVERDUE_LIMIT:
            return False
        return (
            hanging < fresh.OVERDUE_FEW
            or self._clock.now() - self._last_start >= fresh.OVERDUE_INTERVAL
        )

    def start(self, flight: Flight, body: Callable[[Flight], None]) -> bool:
        """Start `flight` on a daemon thread; False where no thread can start."""
        if sys.is_finalizing():
            # Before Python 3.12 `Thread.start` waits for ever here: no other thread runs any more.
            return False
        self._threads = {f: t for f, t in self._threads.items() if t.is_alive()}
        thread = threading.Thread(
            target=_run, args=(body, flight), name="irsa-creds-refresh", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # The limit of threads, or the interpreter's exit: neither is ours to raise.
            return False
        # It cannot have landed yet: that takes the lock under which this is called.
        self._threads[flight] = thread
        self.board(flight)
        return True

    def board(self, flight: Flight) -> None:
        """Make `flight` the one under way, whoever's thread runs it."""
        self.current = flight
        self.started += 1
        self._last_start = flight.started_at

    def is_flown_here(self) -> bool:
        """Whether this very thread flies the one under way: it could wait for ever."""
        return self.current is not None and self.current.flown_by == threading.get_ident()

    def board_here(self, flight: Flight) -> None:
        """Let this thread run `flight`; another under way is late from now on."""
        flight.pilot = threading.get_ident()
        self.board(flight)

    def land(self, flight: Flight) -> bool:
        """Take note that `flight` has ended; False where it was disowned before."""
        self._threads.pop(flight, None)
        if self.current is not flight:
            return False
        self.current = None
        return True

    def forget(self) -> None:
        """Drop all: in a forked child none of these threads exists."""
        self._threads = {}
        self.current = None
        self.started = 0
