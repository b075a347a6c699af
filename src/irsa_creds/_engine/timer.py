"""The timer: one daemon thread a process that wakes each engine when its refresh is due."""

from __future__ import annotations

import contextlib
import functools
import heapq
import logging
import queue
import threading
import weakref
from itertools import count
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.policy import WALL_TOLERANCE
from irsa_creds._engine.slots import start
from irsa_creds._locks import locked

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.slots import Slots

    class Ticking(Protocol):
        """An engine, as the timer sees it.

        Attributes:
            wakes_at: the instant that it was scheduled for last; other entries say nothing.
        """

        wakes_at: float

        def tick(self) -> None: ...

    _Entry = tuple[float, int, weakref.ref[Ticking]]

__all__ = ["Timer", "warn_of_late_gevent"]

_log = logging.getLogger("irsa_creds")

# gevent replaces it when it patches threads.
_GET_IDENT = threading.get_ident
# A paused VM stops the timer as well: it looks at the clocks this often, and not oftener.
_LONGEST_SLEEP = 60.0
_JOIN_PATIENCE = 0.05
# Entries that say nothing any more and that a short heap may have.
_SLACK = 64


class Timer:
    """Wakes engines, and starts background refreshes, so that no caller has to start a thread."""

    def __init__(self, clock: Clock, slots: Slots) -> None:
        self._clock = clock
        self._slots = slots
        # Held while its thread is started, and by that thread while it changes the heap.
        self._lock = threading.RLock()
        # The wall's lead over `now`: a jump means that the machine was paused or set.
        self._lead = clock.wall() - clock.now()
        self._numbers = count()
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Make this the child's own: it has no thread and no engine yet."""
        self._lock = threading.RLock()
        # Putting waits for nothing, in a signal handler as well: engines do it under their locks.
        self._news: queue.SimpleQueue[tuple[float, weakref.ref[Ticking]] | None] = (
            queue.SimpleQueue()
        )
        self._heap: list[_Entry] = []
        self._most = _SLACK
        self._thread: threading.Thread | None = None

    def schedule(self, engine: Ticking, at: float) -> None:
        """Wake `engine` at `at`, if that is still its `wakes_at`; `run` starts the thread."""
        self._news.put((at, weakref.ref(engine)))

    def run(self) -> bool:
        """Start the thread where there is none; return whether there is one. Hold no other lock."""
        if self._thread is not None:
            return True
        if not isinstance(self._news, queue.SimpleQueue):
            # A greenlet that waits for the news would block the whole process.
            warn_of_late_gevent()
            return False
        self._start()
        return self._thread is not None

    @locked
    def _start(self) -> None:
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._loop, name="irsa-creds-timer", daemon=True)
        started = False
        try:
            self._thread = thread
            started = start(thread)
        finally:
            if not started:
                self._thread = None

    def _loop(self) -> None:
        me = threading.current_thread()
        try:
            while self._thread is me:
                for engine in self.take_due():
                    self._tick(engine)
                    # No reference is kept while asleep, or an unused provider would never go.
                    del engine
                self._slots.pump()
                if self._thread is me:
                    self._sleep()
        finally:
            if self._thread is me:
                self._thread = None
            else:
                # It may have taken news that its successor is to look at.
                self._news.put(None)
            FORKS.end()

    @staticmethod
    def _tick(engine: Ticking) -> None:
        try:
            engine.tick()
        except Exception as error:  # noqa: BLE001 - one engine's defect must not stop the others
            with contextlib.suppress(Exception):
                _log.warning("A refresh could not be started: %s.", type(error).__name__)

    @locked
    def take_due(self) -> list[Ticking]:
        """Return the engines that are due; all are when the wall clock jumped."""
        now = self._clock.now()
        lead = self._clock.wall() - now
        until = now
        if abs(lead - self._lead) > WALL_TOLERANCE:
            # Not otherwise: many small steps are a jump as well.
            self._lead, until = lead, float("inf")
        due: dict[Ticking, None] = {}
        while self._heap and self._heap[0][0] <= until:
            engine = _engine_due(heapq.heappop(self._heap))
            if engine is not None:
                due[engine] = None
        return list(due)

    def _sleep(self) -> None:
        """Wait for the first instant or for news, and take the news over."""
        seconds = min(self._first_at(), self._slots.next_free_at()) - self._clock.now()
        # With nothing scheduled there is nothing to look at: no timeout, no CPU.
        timeout = None if seconds == float("inf") else max(0.0, min(_LONGEST_SLEEP, seconds))
        with contextlib.suppress(queue.Empty):
            self._take(self._news.get(timeout=timeout))
            while True:
                self._take(self._news.get_nowait())

    @locked
    def _first_at(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")

    @locked
    def _take(self, news: tuple[float, weakref.ref[Ticking]] | None) -> None:
        if news is None:
            return
        heapq.heappush(self._heap, (news[0], next(self._numbers), news[1]))
        if len(self._heap) > self._most:
            # Engines that are gone or that were rescheduled would fill it until their instant.
            self._heap = [each for each in self._heap if _engine_due(each) is not None]
            heapq.heapify(self._heap)
            self._most = 2 * len(self._heap) + _SLACK

    def pause(self) -> bool:
        """End the thread before a fork, which a second thread makes a DeprecationWarning.

        Returns:
            whether it was running; `run` starts another.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        self._news.put(None)
        with contextlib.suppress(RuntimeError):
            # The timer's own thread may fork in a finalizer: no joining then.
            thread.join(_JOIN_PATIENCE)
        return True


def warn_of_late_gevent() -> None:
    """Warn once where gevent has patched threads after this module was imported."""
    _warn(late=threading.get_ident is not _GET_IDENT)


@functools.cache
def _warn(*, late: bool) -> None:
    if late:
        _log.warning(
            "gevent has patched threads after irsa_creds was imported, which it does not support: "
            "call gevent.monkey.patch_all() before any other import; with gunicorn --preload, in "
            "gunicorn.conf.py."
        )


def _engine_due(entry: _Entry) -> Ticking | None:
    """Return the engine that is to be woken then; None where it is gone or was rescheduled."""
    at, _, reference = entry
    engine = reference()
    return engine if engine is not None and engine.wakes_at == at else None
