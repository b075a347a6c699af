"""How many refreshes run at once: slots for all identities, and a limit while refreshes hang."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine import timing
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.this_thread import HERE
from irsa_creds._locks import holding, locked

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh

    class RefreshRunner(Protocol):
        """The part of an engine that slots use."""

        def run(self, refresh: Refresh) -> None: ...
        def deliver(self) -> None: ...


__all__ = ["MOST_IN_BACKGROUND", "Overdue", "Slots", "start_thread"]

#: The default of `IRSA_CREDS_MAX_REFRESHES`.
MOST_IN_BACKGROUND = 8
_MOST_WAITED_FOR = 64
# Seconds after which a thread that has not begun never will.
_START_PATIENCE = 1.0


# The lock shows a read in a signal handler or a finalizer that it interrupted a method here.
_on_slow_path = holding(lambda _: HERE.slow_path)


class _Group:
    """The background refreshes, or the ones that callers wait for."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.queued: dict[Refresh, RefreshRunner] = {}
        #: Each with the instant at which its thread was started.
        self.started: dict[Refresh, float] = {}

    def drop_lost(self, now: float) -> None:
        """Free the slots of refreshes that ended or hang, and of threads that never began."""
        self.started = {
            refresh: at
            for refresh, at in self.started.items()
            if now < _ends_at(refresh, at) and not refresh.ended
        }


class Slots:
    """Start queued refreshes while slots are free, each on a thread, in the order they came.

    It holds no engine lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.most_in_background = MOST_IN_BACKGROUND
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Drop all refreshes: their threads do not exist in the child."""
        self._lock = threading.RLock()
        self._waited_for = _Group(_MOST_WAITED_FOR)
        self._background = _Group(self.most_in_background)

    @_on_slow_path
    @locked
    def put(self, refresh: Refresh, engine: RefreshRunner, *, waited_for: bool) -> None:
        """Queue a refresh in one of the two groups; one that is in both still runs once."""
        self._background.most = self.most_in_background
        group = self._waited_for if waited_for else self._background
        if refresh not in group.started:
            group.queued.setdefault(refresh, engine)

    @_on_slow_path
    @locked
    def holds(self, refresh: Refresh) -> bool:
        """Whether a refresh is queued or started."""
        groups = (self._waited_for, self._background)
        for group in groups:
            group.drop_lost(self._clock.now())
        return any(refresh in group.queued or refresh in group.started for group in groups)

    @_on_slow_path
    def pump(self) -> bool:
        """Start queued refreshes while slots are free; return False if no thread can start."""
        for group in (self._waited_for, self._background):
            while (taken := self._take(group)) is not None:
                if not self._start(group, *taken):
                    return False
        return True

    @_on_slow_path
    @locked
    def next_free_at(self) -> float:
        """Return the instant at which a hanging refresh loses its slot to a queued one."""
        ends = [
            _ends_at(refresh, at)
            for group in (self._waited_for, self._background)
            if group.queued
            for refresh, at in group.started.items()
        ]
        return min(ends, default=float("inf"))

    @locked
    def _take(self, group: _Group) -> tuple[Refresh, RefreshRunner] | None:
        """Give a slot to the first in the queue; None: the queue is empty, or no slot is free."""
        now = self._clock.now()
        group.drop_lost(now)
        if len(group.started) >= group.most:
            return None
        # A caller runs a refresh itself when no thread can start.
        while group.queued and (first := next(iter(group.queued))).is_claimed:
            del group.queued[first]
        for refresh, engine in group.queued.items():
            if refresh not in group.started:
                group.started[refresh] = now
                return refresh, engine
        return None

    def _start(self, group: _Group, refresh: Refresh, engine: RefreshRunner) -> bool:
        """Start the thread of a refresh; the refresh stays queued if none can start."""
        started = False
        try:
            work = functools.partial(self._work, refresh, engine)
            started = start_thread(
                threading.Thread(target=work, name="irsa-creds-refresh", daemon=True)
            )
        finally:
            self._record_start(group, refresh, started=started)
        return started

    @locked
    def _record_start(self, group: _Group, refresh: Refresh, *, started: bool) -> None:
        (group.queued if started else group.started).pop(refresh, None)

    def _work(self, refresh: Refresh, engine: RefreshRunner) -> None:
        """Run a refresh on its thread."""
        run = functools.partial(engine.run, refresh)
        try:
            try:
                ran = FORKS.during(lambda: refresh.run_once(self._clock.now(), run), imports=False)
            finally:
                # The next one does not wait for slow log handlers and subscribers of this one.
                self.pump()
            if ran:
                engine.deliver()
        finally:
            FORKS.mark_ending()


class Overdue:
    """Limits the refreshes of one identity while earlier ones hang. Their callers wait no longer.

    The engine calls it under its own lock.
    """

    def __init__(self) -> None:
        self._refreshes: list[Refresh] = []
        self._last_start = -timing.OVERDUE_INTERVAL

    def add(self, refresh: Refresh) -> None:
        """Count a refresh until its thread ends."""
        self._refreshes.append(refresh)

    def record_start(self, at: float) -> None:
        """Count the interval to the next refresh from here."""
        self._last_start = at

    def allows_start(self, now: float) -> bool:
        """Whether one more refresh may start, given how many hang."""
        self._refreshes = [each for each in self._refreshes if not each.ended]
        count = len(self._refreshes)
        if count >= timing.OVERDUE_LIMIT:
            return False
        return count < timing.OVERDUE_FEW or now - self._last_start >= timing.OVERDUE_INTERVAL


def _ends_at(refresh: Refresh, started_at: float) -> float:
    return refresh.overdue_at if refresh.is_claimed else started_at + _START_PATIENCE


def start_thread(thread: threading.Thread) -> bool:
    """Start a thread; return False if none can start."""
    # While the interpreter ends, `Thread.start` waits for ever before Python 3.12.
    if sys.is_finalizing():
        return False
    try:
        thread.start()
    except RuntimeError:
        # The limit of threads.
        return False
    except KeyError as error:
        # Python 3.11 raises it instead of the exception of a signal handler that interrupts this.
        raise error.__context__ or error from None
    return True
