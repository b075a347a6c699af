"""Slots: how many refreshes run at once, first come first served."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.this_thread import HERE
from irsa_creds._locks import holding, locked

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh

    class Refreshing(Protocol):
        """Whose refresh it is."""

        def run(self, refresh: Refresh) -> None: ...
        def deliver(self) -> None: ...


__all__ = ["MOST_IN_BACKGROUND", "Slots", "start"]

#: The default of `IRSA_CREDS_MAX_REFRESHES`.
MOST_IN_BACKGROUND = 8
_MOST_WAITED_FOR = 64
# Seconds after which a thread that has not begun never will.
_START_PATIENCE = 1.0


# A read in a signal handler or a finalizer must not come back here in the middle.
_on_slow_path = holding(lambda _: HERE.slow_path)


class _Group:
    """The refreshes of one kind: queued ones in the order they came, and started ones."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.queued: dict[Refresh, Refreshing] = {}
        #: Each with the instant at which its thread was started.
        self.started: dict[Refresh, float] = {}

    def drop_lost(self, now: float) -> None:
        """Free the slots of refreshes that ended or hang, and of starts that were interrupted."""
        self.started = {
            refresh: at
            for refresh, at in self.started.items()
            if now < _ends_at(refresh, at) and not refresh.ended
        }


class Slots:
    """Gives each refresh a thread while slots are free: some for the background, more for callers.

    No engine's lock is held when these methods are called: they start threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.most_in_background = MOST_IN_BACKGROUND
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget all: in a child none of these threads exists."""
        self._lock = threading.RLock()
        self._waited_for = _Group(_MOST_WAITED_FOR)
        self._background = _Group(self.most_in_background)

    @_on_slow_path
    @locked
    def put(self, refresh: Refresh, engine: Refreshing, *, waited_for: bool) -> None:
        """Queue a refresh; one that is queued for the background may be queued for callers too.

        Args:
            refresh: runs once, however often it is queued.
            engine: runs it.
            waited_for: whether a caller waits for it.
        """
        self._background.most = self.most_in_background
        group = self._waited_for if waited_for else self._background
        if refresh not in group.started:
            group.queued.setdefault(refresh, engine)

    @_on_slow_path
    @locked
    def holds(self, refresh: Refresh) -> bool:
        """Whether a refresh is queued, or its thread is just starting."""
        groups = (self._waited_for, self._background)
        for group in groups:
            group.drop_lost(self._clock.now())
        return any(refresh in group.queued or refresh in group.started for group in groups)

    @_on_slow_path
    def pump(self) -> bool:
        """Start queued refreshes while slots are free; return False where no thread can start."""
        for group in (self._waited_for, self._background):
            while (taken := self._take(group)) is not None:
                if not self._start(group, *taken):
                    return False
        return True

    @_on_slow_path
    @locked
    def next_free_at(self) -> float:
        """Return the instant at which a refresh that hangs frees a slot for a queued one."""
        ends = [
            _ends_at(refresh, at)
            for group in (self._waited_for, self._background)
            if group.queued
            for refresh, at in group.started.items()
        ]
        return min(ends, default=float("inf"))

    @locked
    def _take(self, group: _Group) -> tuple[Refresh, Refreshing] | None:
        """Give a slot to the first in the queue; None where there is none or no slot."""
        now = self._clock.now()
        group.drop_lost(now)
        if len(group.started) >= group.most:
            return None
        # A caller runs a refresh itself where no thread could start.
        while group.queued and (first := next(iter(group.queued))).is_claimed:
            del group.queued[first]
        for refresh, engine in group.queued.items():
            if refresh not in group.started:
                group.started[refresh] = now
                return refresh, engine
        return None

    def _start(self, group: _Group, refresh: Refresh, engine: Refreshing) -> bool:
        """Start the thread of a refresh, which stays in the queue where none can start."""
        started = False
        try:
            work = functools.partial(self._work, refresh, engine)
            started = start(threading.Thread(target=work, name="irsa-creds-refresh", daemon=True))
        finally:
            self._settle(group, refresh, started=started)
        return started

    @locked
    def _settle(self, group: _Group, refresh: Refresh, *, started: bool) -> None:
        (group.queued if started else group.started).pop(refresh, None)

    def _work(self, refresh: Refresh, engine: Refreshing) -> None:
        """Be the thread of a refresh."""
        try:
            FORKS.enter()
            try:
                # Another thread may have claimed it: a caller where no thread could start, say.
                if not refresh.claim(self._clock.now()):
                    return
                try:
                    engine.run(refresh)
                finally:
                    refresh.ended = True
            finally:
                FORKS.leave()
                # Before a log handler or a subscriber can take its time.
                self.pump()
            engine.deliver()
        finally:
            FORKS.end()


def _ends_at(refresh: Refresh, started_at: float) -> float:
    """Return the instant at which a refresh loses its slot."""
    return refresh.overdue_at if refresh.is_claimed else started_at + _START_PATIENCE


def start(thread: threading.Thread) -> bool:
    """Start a thread; return False where none can start."""
    # Before Python 3.12 `Thread.start` waits for ever at the interpreter's end.
    if sys.is_finalizing():
        return False
    try:
        thread.start()
    except RuntimeError:
        # The limit of threads.
        return False
    except KeyError as error:
        # Python 3.11 raises it in place of the exception of a signal handler that hit the start.
        raise error.__context__ or error from None
    return True
