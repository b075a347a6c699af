"""The timer: one daemon thread of the process that calls each engine when its refresh is due."""

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
from irsa_creds._engine.slots import start_thread
from irsa_creds._engine.snapshot import WALL_TOLERANCE
from irsa_creds._locks import locked

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.slots import Slots

    class Ticking(Protocol):
        """The part of an engine that the timer uses.

        Attributes:
            wakes_at: the instant that it was scheduled for last. Entries with another one are void.
        """

        wakes_at: float

        def tick(self) -> None: ...

    class Schedule(Protocol):
        """The part of the timer that an engine uses."""

        def schedule(self, engine: Ticking, at: float) -> None: ...
        def ensure_running(self) -> bool: ...

    _Entry = tuple[float, int, weakref.ref[Ticking]]

__all__ = ["Timer", "warn_of_late_gevent"]

_log = logging.getLogger("irsa_creds")

# gevent replaces it when it patches threads.
_GET_IDENT = threading.get_ident
# Seconds. The pause of a VM stops the timer as well, so it looks at the clocks this often.
_LONGEST_SLEEP = 60.0
_JOIN_PATIENCE = 0.05
# Void entries that even a short heap may have.
_SLACK = 64


class Timer:
    """Calls engines and starts background refreshes, so that no caller has to start a thread."""

    def __init__(self, clock: Clock, slots: Slots) -> None:
        self._clock = clock
        self._slots = slots
        # The wall clock's lead over `now`. It jumps after a pause of the VM, and when it is set.
        self._lead = clock.wall() - clock.now()
        self._numbers = count()
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Give the child a timer without a thread and without engines."""
        # Held while the thread is started, and by that thread while it changes the heap.
        self._lock = threading.RLock()
        # Engines put entries while they hold their locks: `put` never waits, not even in a signal
        # handler.
        self._new: queue.SimpleQueue[tuple[float, weakref.ref[Ticking]] | None] = (
            queue.SimpleQueue()
        )
        self._heap: list[_Entry] = []
        self._most = _SLACK
        self._thread: threading.Thread | None = None

    def schedule(self, engine: Ticking, at: float) -> None:
        """Call `engine.tick` at `at`, if that is still its `wakes_at`.

        `ensure_running` starts the thread.
        """
        self._new.put((at, weakref.ref(engine)))

    def ensure_running(self) -> bool:
        """Start the thread if there is none; return whether there is one. Hold no other lock."""
        if self._thread is not None:
            return True
        if not isinstance(self._new, queue.SimpleQueue):
            # A greenlet that waits for this queue would block the whole process.
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
            started = start_thread(thread)
        finally:
            if not started:
                self._thread = None

    def _loop(self) -> None:
        me = threading.current_thread()
        try:
            while self._thread is me:
                for engine in self.take_due():
                    self._tick(engine)
                    # Asleep with a reference, the timer would keep an unused provider alive.
                    del engine
                self._slots.pump()
                if self._thread is me:
                    self._sleep()
        finally:
            if self._thread is me:
                self._thread = None
            else:
                # It may have taken an entry that its successor is to wait for.
                self._new.put(None)
            FORKS.mark_ending()

    @staticmethod
    def _tick(engine: Ticking) -> None:
        try:
            engine.tick()
        except Exception as error:  # noqa: BLE001 - a bug in one engine must not stop the others
            with contextlib.suppress(Exception):
                _log.warning("A refresh could not be started: %s.", type(error).__name__)

    @locked
    def take_due(self) -> list[Ticking]:
        """Return the engines that are due: all of them after a jump of the wall clock."""
        now = self._clock.now()
        lead = self._clock.wall() - now
        until = now
        if abs(lead - self._lead) > WALL_TOLERANCE:
            # Only then, so that many small steps count as a jump as well.
            self._lead, until = lead, float("inf")
        due: dict[Ticking, None] = {}
        while self._heap and self._heap[0][0] <= until:
            engine = _engine_due(heapq.heappop(self._heap))
            if engine is not None:
                due[engine] = None
        return list(due)

    def _sleep(self) -> None:
        """Wait for the first instant or for new entries, and push the new ones on the heap."""
        seconds = min(self._first_at(), self._slots.next_free_at()) - self._clock.now()
        # Without an entry it sleeps until there is one, and uses no CPU.
        timeout = None if seconds == float("inf") else max(0.0, min(_LONGEST_SLEEP, seconds))
        with contextlib.suppress(queue.Empty):
            self._push(self._new.get(timeout=timeout))
            while True:
                self._push(self._new.get_nowait())

    @locked
    def _first_at(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")

    @locked
    def _push(self, new: tuple[float, weakref.ref[Ticking]] | None) -> None:
        if new is None:
            return
        heapq.heappush(self._heap, (new[0], next(self._numbers), new[1]))
        if len(self._heap) > self._most:
            # Without this, void entries would stay in it until their instants.
            self._heap = [each for each in self._heap if _engine_due(each) is not None]
            heapq.heapify(self._heap)
            self._most = 2 * len(self._heap) + _SLACK

    def pause(self) -> bool:
        """End the thread before a fork: Python warns about a fork beside a second thread.

        Returns:
            whether it was running; `ensure_running` starts another one.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        self._new.put(None)
        # RuntimeError: a finalizer on the timer's own thread forks, and cannot join that thread.
        with contextlib.suppress(RuntimeError):
            thread.join(_JOIN_PATIENCE)
        return True


def warn_of_late_gevent() -> None:
    """Warn once if gevent has patched threads after this module was imported."""
    if threading.get_ident is not _GET_IDENT:
        _warn()


@functools.cache
def _warn() -> None:
    _log.warning(
        "gevent has patched threads after irsa_creds was imported, which it does not support: "
        "call gevent.monkey.patch_all() before any other import; with gunicorn --preload, in "
        "gunicorn.conf.py."
    )


def _engine_due(entry: _Entry) -> Ticking | None:
    """Return the engine of an entry; None if the entry is void."""
    at, _, reference = entry
    engine = reference()
    return engine if engine is not None and engine.wakes_at == at else None
