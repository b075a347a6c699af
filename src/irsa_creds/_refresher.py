"""The timer: one daemon thread a process that wakes each engine when its refresh is due."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING

from irsa_creds._freshness import WALL_TOLERANCE
from irsa_creds._greenlets import THREADS
from irsa_creds._line import Line
from irsa_creds._lock import inside

if TYPE_CHECKING:
    from irsa_creds._clock import Clock
    from irsa_creds._tower import Ticking


__all__ = ["Refresher"]

_log = logging.getLogger("irsa_creds")

# A paused VM stops the timer as well: it looks at the clocks this often, and not oftener.
_LONGEST_SLEEP = 60.0
_FORK_PATIENCE = 0.05


class Refresher:
    """Nothing depends on its being alive: a read past the refresh starts the flight as well."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Re-entrant: a signal's handler may read credentials in the middle of `schedule`.
        self._condition = threading.Condition()
        self._agenda: Line[Ticking] = Line()
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")
        # The wall's lead over `now`: a jump means that the machine was paused or set.
        self._lead = clock.wall() - clock.now()

    def schedule(self, engine: Ticking, at: float) -> None:
        """Wake `engine` at the instant `at`, instead of when it was to be woken before."""
        with inside(self._condition):
            self._agenda.put(engine, (at,))
            if self._thread is None or not self._thread.is_alive():
                self._start()
            elif at < self._wakes_at:
                self._condition.notify()

    def _start(self) -> None:
        if sys.is_finalizing():
            # Before Python 3.12 `Thread.start` waits for ever here: no other thread runs any more.
            return
        thread = threading.Thread(target=self._run, name="irsa-creds-refresher", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:
            # No thread to be had: reads alone start flights until one can start.
            self._thread = None

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with inside(self._condition):
                if self._thread is not me:
                    return
                due = self.take_due()
                if not due:
                    self._sleep()
                    continue
            if THREADS.renew_if_patched():
                # A greenlet that this native thread starts would end with its hub.
                return
            for engine in due:
                self._tick(engine)
            # No reference is kept while asleep: a provider that nobody holds may go.
            del due, engine

    @staticmethod
    def _tick(engine: Ticking) -> None:
        try:
            engine.tick()
        except Exception as error:  # noqa: BLE001 - a log handler that raises ends nobody's refresh
            with contextlib.suppress(Exception):
                _log.warning("A refresh could not be started: %s.", type(error).__name__)

    def take_due(self) -> list[Ticking]:
        """Take from the agenda who is due; all are when the wall clock jumped."""
        now = self._clock.now()
        lead = self._clock.wall() - now
        jumped = abs(lead - self._lead) > WALL_TOLERANCE
        if jumped:
            # Not otherwise: many small steps are a jump as well.
            self._lead = lead
            due = self._agenda.members()
            self._agenda = Line()
            return due
        due = []
        while (engine := self._agenda.take((now,))) is not None:
            due.append(engine)
        return due

    def _sleep(self) -> None:
        first = self._agenda.first()
        self._wakes_at = float("inf") if first is None else first[0]
        seconds = min(_LONGEST_SLEEP, self._wakes_at - self._clock.now())
        # With an empty agenda there is nothing to look at: no timeout, no CPU.
        self._condition.wait(None if first is None else max(0.0, seconds))

    def pause(self) -> bool:
        """End the thread before a fork, which a second thread makes a DeprecationWarning.

        Returns:
            whether it was running; the next `schedule` starts another.
        """
        with inside(self._condition):
            thread, self._thread = self._thread, None
            self._condition.notify_all()
        if thread is None:
            return False
        with contextlib.suppress(RuntimeError):
            # The refresher itself may fork, in a subscriber of an inline flight: no joining then.
            thread.join(_FORK_PATIENCE)
        return True

    def reset_after_fork(self) -> None:
        """Make this the child's own."""
        self._condition = threading.Condition()
        self._agenda = Line()
        self._thread = None
