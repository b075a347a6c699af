"""The timer thread."""

from __future__ import annotations

import gc
import logging
import queue
import sys
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from engine_fakes import FakeClock, eventually, join_refreshes
from irsa_creds._engine import timer as timer_module
from irsa_creds._engine.clock import SystemClock
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.slots import Slots
from irsa_creds._engine.snapshot import LONG_AGO
from irsa_creds._engine.timer import Timer
from irsa_creds._engine.timing import OVERDUE_GRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.timer import Ticking

HOUR = 3600.0


class Ticked:
    """An engine that counts its ticks, and may call a function in them."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.wakes_at = LONG_AGO
        self.ticks = 0
        self.threads: set[threading.Thread] = set()
        self.then = then

    def tick(self) -> None:
        self.wakes_at = LONG_AGO
        self.ticks += 1
        self.threads.add(threading.current_thread())
        self.then()


@pytest.fixture
def slots(clock: FakeClock) -> Slots:
    return Slots(clock)


@pytest.fixture
def timer(clock: FakeClock, slots: Slots) -> Iterator[Timer]:
    made = Timer(clock, slots)
    yield made
    thread = made._thread
    made.pause()
    if thread is not None:
        thread.join(10)
        assert not thread.is_alive()


def schedule(timer: Timer, engine: Ticked, at: float) -> None:
    """Schedule as an engine does, which keeps the instant."""
    engine.wakes_at = at
    timer.schedule(engine, at)


def book(timer: Timer, engine: Ticked, at: float) -> None:
    """Schedule, and let the timer push the entry on this thread, before it has its own."""
    schedule(timer, engine, at)
    timer._sleep()


def start(timer: Timer) -> threading.Thread:
    assert timer.ensure_running()
    assert timer._thread is not None
    return timer._thread


def look_again(timer: Timer, clock: FakeClock) -> None:
    """Let the thread look at the clocks, as it does every minute; wait for that."""
    seen = Ticked()
    schedule(timer, seen, clock.now())
    eventually(lambda: seen.ticks)


def timers() -> int:
    return [thread.name for thread in threading.enumerate()].count("irsa-creds-timer")


def fail_to_start(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


# -- the engines that it wakes ---------------------------------------------------------------------


def test_it_wakes_the_engines_that_are_due_and_no_others(clock: FakeClock, timer: Timer) -> None:
    soon, later = Ticked(), Ticked()
    schedule(timer, soon, clock.now() + 10)
    schedule(timer, later, clock.now() + 20)
    thread = start(timer)
    look_again(timer, clock)
    assert soon.ticks == 0
    clock.advance(10)
    look_again(timer, clock)
    eventually(lambda: soon.ticks)
    assert (soon.ticks, later.ticks) == (1, 0)
    assert soon.threads == {thread}
    assert thread.daemon
    assert thread.name == "irsa-creds-timer"


def test_an_engine_that_is_due_at_once_is_woken_at_once(clock: FakeClock, timer: Timer) -> None:
    later, now = Ticked(), Ticked()
    schedule(timer, later, clock.now() + HOUR)
    start(timer)
    look_again(timer, clock)
    schedule(timer, now, clock.now())
    eventually(lambda: now.ticks)
    assert later.ticks == 0


def test_engines_are_woken_in_the_order_of_their_instants(clock: FakeClock, timer: Timer) -> None:
    first, second, third = (Ticked() for _ in range(3))
    book(timer, third, clock.now() + 3)
    book(timer, first, clock.now() + 1)
    book(timer, second, clock.now() + 2)
    clock.advance(3)
    assert timer.take_due() == [first, second, third]


def test_the_last_instant_counts(clock: FakeClock, timer: Timer) -> None:
    engine = Ticked()
    book(timer, engine, clock.now() + 10)
    book(timer, engine, clock.now() + HOUR)
    clock.advance(10)
    assert timer.take_due() == []
    clock.advance(HOUR)
    assert timer.take_due() == [engine]
    assert timer.take_due() == [], "an engine schedules its next tick itself"


def test_an_engine_that_was_scheduled_twice_for_one_instant_is_woken_once(
    clock: FakeClock, timer: Timer
) -> None:
    engine = Ticked()
    for _ in range(2):
        book(timer, engine, clock.now() + 10)
    clock.advance(10)
    assert timer.take_due() == [engine]
    assert timer.take_due() == []


def test_it_wakes_by_itself_when_the_time_has_come() -> None:
    clock = SystemClock()
    timer, engine = Timer(clock, Slots(clock)), Ticked()
    schedule(timer, engine, clock.now() + 0.02)
    thread = start(timer)
    eventually(lambda: engine.ticks == 1)
    timer.pause()
    thread.join(10)


def test_an_engine_may_come_again_at_once(clock: FakeClock, timer: Timer) -> None:
    def again() -> None:
        if engine.ticks < 3:
            schedule(timer, engine, clock.now())

    engine = Ticked(again)
    schedule(timer, engine, clock.now())
    start(timer)
    eventually(lambda: engine.ticks == 3)


# -- what it costs ---------------------------------------------------------------------------------


def test_waking_one_costs_as_little_among_ten_thousand(clock: FakeClock, timer: Timer) -> None:
    looks = 0

    class Sleeper(Ticked):
        @property
        def wakes_at(self) -> float:
            nonlocal looks
            looks += 1
            return self.at

        @wakes_at.setter
        def wakes_at(self, at: float) -> None:
            self.at = at

    engine, others = Ticked(), [Sleeper() for _ in range(10_000)]
    for other in others:
        book(timer, other, clock.now() + HOUR)
    assert looks <= 2 * 10_000, "the heap is looked through each time it has doubled"
    looks = 0
    for _ in range(100):
        book(timer, engine, clock.now())
        assert timer.take_due() == [engine]
    assert looks == 0


def test_an_engine_that_is_rescheduled_often_does_not_fill_the_heap(
    clock: FakeClock, timer: Timer
) -> None:
    engine = Ticked()
    for number in range(10_000):
        book(timer, engine, clock.now() + HOUR + number)
    assert len(timer._heap) < 100
    clock.advance(HOUR + 9_998)
    assert timer.take_due() == []
    clock.advance(1)
    assert timer.take_due() == [engine]


def test_engines_that_are_gone_do_not_fill_the_heap(clock: FakeClock, timer: Timer) -> None:
    for _ in range(10_000):
        book(timer, Ticked(), clock.now() + HOUR)
    assert len(timer._heap) < 100
    clock.advance(HOUR)
    assert timer.take_due() == []


def test_the_heap_that_was_cleared_wakes_the_others_in_order(
    clock: FakeClock, timer: Timer
) -> None:
    engines = [Ticked() for _ in range(200)]
    for number in range(200):
        # In random order; each time another one is pushed in between.
        book(timer, engines[number * 77 % 200], clock.now() + 1 + number * 77 % 200)
        book(timer, Ticked(), clock.now() + 100)
    clock.advance(HOUR)
    assert timer.take_due() == engines


def test_an_unused_engine_is_collected_while_it_sleeps(clock: FakeClock, timer: Timer) -> None:
    gone = weakref.ref(ticked_once(clock, timer))
    gc.collect()
    assert gone() is None


def ticked_once(clock: FakeClock, timer: Timer) -> Ticked:
    """Return an engine that had a tick, and gets the next one much later."""
    engine = Ticked()
    schedule(timer, engine, clock.now())
    start(timer)
    eventually(lambda: engine.ticks == 1)
    schedule(timer, engine, clock.now() + HOUR)
    # Twice: the thread must have finished with the first one, too.
    look_again(timer, clock)
    look_again(timer, clock)
    eventually(timer._new.empty)
    return engine


# -- the clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [5.1, -5.1, HOUR])
def test_all_are_woken_when_the_wall_clock_jumps(
    step: float, clock: FakeClock, timer: Timer
) -> None:
    engine = Ticked()
    book(timer, engine, clock.now() + HOUR)
    clock.step_wall(step)
    assert timer.take_due() == [engine]
    book(timer, engine, clock.now() + HOUR)
    assert timer.take_due() == [], "a jump is one jump"


def test_many_small_steps_are_a_jump_as_well(clock: FakeClock, timer: Timer) -> None:
    engine = Ticked()
    book(timer, engine, clock.now() + HOUR)
    clock.step_wall(5)
    assert timer.take_due() == []
    clock.step_wall(1)
    assert timer.take_due() == [engine]


class Quiet(queue.SimpleQueue["tuple[float, weakref.ref[Ticking]] | None"]):
    """A queue without entries that notes the timeouts."""

    def __init__(self) -> None:
        self.waited: list[float | None] = []

    def get(self, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        self.waited.append(timeout)
        raise queue.Empty


def test_it_sleeps_until_the_next_is_due_but_looks_at_the_clocks_every_minute(
    clock: FakeClock, timer: Timer
) -> None:
    engine = Ticked()
    news, quiet = timer._new, Quiet()
    for seconds in (HOUR, 30, -1):
        book(timer, engine, clock.now() + seconds)
        timer._new = quiet
        timer._sleep()
        timer._new = news
    clock.advance(HOUR)
    timer.take_due()
    timer._new = quiet
    timer._sleep()
    timer._new = news
    assert quiet.waited == [60, 30, 0, None], "with nothing scheduled it does not even look"
    assert timer_module._LONGEST_SLEEP == 60


def test_it_starts_the_refresh_that_waits_for_the_slot_of_one_that_hangs(
    clock: FakeClock, slots: Slots, timer: Timer
) -> None:
    released, ran = threading.Event(), list[Refresh]()

    class Hanging:
        def run(self, refresh: Refresh) -> None:
            ran.append(refresh)
            assert released.wait(10)

        def deliver(self) -> None:
            """Do nothing: there are no subscribers."""

    slots.most_in_background = 1
    first, second = (Refresh(blocking=False, created_at=0.0, seconds=15.0) for _ in range(2))
    for refresh in (first, second):
        slots.put(refresh, Hanging(), waited_for=False)
    slots.pump()
    eventually(lambda: ran == [first])
    news, quiet = timer._new, Quiet()
    timer._new = quiet
    timer._sleep()
    timer._new = news
    assert quiet.waited == [15 + OVERDUE_GRACE]
    clock.advance(15 + OVERDUE_GRACE)
    start(timer)
    eventually(lambda: ran == [first, second])
    released.set()
    join_refreshes()


# -- the thread ------------------------------------------------------------------------------------


def test_scheduling_starts_no_thread_and_running_starts_one(clock: FakeClock, timer: Timer) -> None:
    before = timers()
    engines = [Ticked() for _ in range(5)]
    for engine in engines:
        schedule(timer, engine, clock.now() + HOUR)
    assert timers() == before
    for _ in range(3):
        assert timer.ensure_running()
        look_again(timer, clock)
    assert timers() == before + 1


def test_threads_that_run_it_at_once_start_one(timer: Timer) -> None:
    before, lock = timers(), Announced()
    timer._lock = lock  # type: ignore[assignment]
    lock.acquire(blocking=True)
    other = threading.Thread(target=timer.ensure_running)
    other.start()
    assert lock.asked_for.acquire(timeout=10)
    # The other thread has seen that there is no thread, and waits for the lock.
    start(timer)
    lock.release()
    other.join(10)
    assert timers() == before + 1


class Announced:
    """A re-entrant lock that notes when another thread is about to wait for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner = threading.get_ident()
        self.asked_for = threading.Semaphore(0)

    def acquire(self, blocking: bool) -> bool:  # noqa: FBT001 - as a lock has it
        if threading.get_ident() != self._owner:
            self.asked_for.release()
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()


def test_where_no_thread_can_start_the_next_run_tries_again(
    clock: FakeClock, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Ticked()
    schedule(timer, engine, clock.now())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail_to_start)
        assert not timer.ensure_running()
    assert timer.ensure_running()
    eventually(lambda: engine.ticks == 1)


def test_while_the_interpreter_ends_no_thread_is_tried(
    timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = timers()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "is_finalizing", lambda: True)
        assert not timer.ensure_running()
    assert timers() == before


def test_an_exception_of_a_signal_handler_that_hits_the_start_leaves_no_thread_behind(
    clock: FakeClock, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            timer.ensure_running()
    start(timer)
    look_again(timer, clock)


def test_an_engine_that_raises_does_not_stop_the_others(
    clock: FakeClock, timer: Timer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    broken, sound = Ticked(fail), Ticked()
    for engine in (broken, sound):
        schedule(timer, engine, clock.now())
    start(timer)
    eventually(lambda: sound.ticks == 1)
    assert "A refresh could not be started: ValueError." in caplog.messages
    assert "a bug" not in caplog.text


def test_a_log_handler_that_raises_does_not_stop_it_either(
    clock: FakeClock, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    broken, sound = Ticked(fail), Ticked()
    monkeypatch.setattr(logging.getLogger("irsa_creds"), "warning", fail)
    for engine in (broken, sound):
        schedule(timer, engine, clock.now())
    start(timer)
    eventually(lambda: sound.ticks == 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_replaced(clock: FakeClock, timer: Timer) -> None:
    killer, engine = Ticked(sys.exit), Ticked()
    schedule(timer, killer, clock.now())
    dead = start(timer)
    dead.join(10)
    assert not dead.is_alive()
    assert timer._thread is None
    schedule(timer, engine, clock.now())
    start(timer)
    eventually(lambda: engine.ticks == 1)


# -- forks -----------------------------------------------------------------------------------------


def test_before_a_fork_the_sleeping_thread_is_ended_and_joined(
    clock: FakeClock, timer: Timer
) -> None:
    schedule(timer, Ticked(), clock.now() + HOUR)
    thread = start(timer)
    look_again(timer, clock)
    assert timer.pause()
    eventually(lambda: not thread.is_alive())
    assert not timer.pause(), "it was not running"


def test_a_fork_waits_for_the_thread_that_ends(clock: FakeClock, timer: Timer) -> None:
    thread = start(timer)
    look_again(timer, clock)
    timer.pause()
    thread.join(10)
    assert thread.native_id in FORKS._ending


def test_after_a_fork_the_parents_next_run_starts_another_that_knows_all(
    clock: FakeClock, timer: Timer
) -> None:
    first, second = Ticked(), Ticked()
    schedule(timer, first, clock.now() + 10)
    start(timer)
    look_again(timer, clock)
    timer.pause()
    schedule(timer, second, clock.now() + 10)
    clock.advance(10)
    start(timer)
    eventually(lambda: first.ticks == second.ticks == 1)


def test_a_thread_that_is_busy_is_not_waited_for_long(clock: FakeClock, timer: Timer) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        assert go_on.wait(10)

    engine = Ticked(work)
    schedule(timer, engine, clock.now())
    thread = start(timer)
    assert inside.wait(10)
    assert timer.pause()
    assert thread.is_alive()
    go_on.set()
    thread.join(10)
    assert not thread.is_alive(), "it ends when it sees that it was replaced"


def test_a_thread_that_was_replaced_while_it_was_busy_leaves_its_successor_alone(
    clock: FakeClock, timer: Timer
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        assert go_on.wait(10)

    busy = Ticked(work)
    schedule(timer, busy, clock.now())
    old = start(timer)
    assert inside.wait(10)
    timer.pause()
    new = start(timer)
    go_on.set()
    old.join(10)
    assert not old.is_alive()
    assert timer._thread is new
    look_again(timer, clock)


def test_an_entry_that_a_replaced_thread_takes_is_not_lost() -> None:
    asleep, taken = threading.Event(), threading.Event()

    class OldFirst(queue.SimpleQueue["tuple[float, weakref.ref[Ticking]] | None"]):
        """A queue with an entry that the old thread gets before the new one."""

        def get(
            self,
            block: bool = True,  # noqa: FBT001, FBT002 - as the class has it
            timeout: float | None = None,
        ) -> tuple[float, weakref.ref[Ticking]] | None:
            if threading.current_thread() is old:
                asleep.set()
                news = super().get(block, timeout)
                taken.set()
                return news
            assert taken.wait(10)
            return super().get(block, timeout)

    clock = SystemClock()
    timer, engine = Timer(clock, Slots(clock)), Ticked()
    timer._new = OldFirst()
    old = threading.Thread(target=timer._loop, daemon=True)
    timer._thread = old
    old.start()
    assert asleep.wait(10)
    # It was busy when it was paused, and its successor took the entry that was to end it.
    timer._thread = None
    new = start(timer)
    schedule(timer, engine, clock.now() + 0.05)
    eventually(lambda: engine.ticks)
    assert engine.threads == {new}
    timer.pause()
    for thread in (old, new):
        thread.join(10)
        assert not thread.is_alive()


def test_the_timers_own_thread_may_fork(clock: FakeClock, timer: Timer) -> None:
    engine = Ticked(timer.pause)
    schedule(timer, engine, clock.now())
    start(timer)
    eventually(lambda: engine.ticks == 1)
    (thread,) = engine.threads
    thread.join(10)
    assert not thread.is_alive()


def test_a_child_begins_with_an_empty_heap_and_no_thread(clock: FakeClock, timer: Timer) -> None:
    old, new = Ticked(), Ticked()
    schedule(timer, old, clock.now() + HOUR)
    thread = start(timer)
    look_again(timer, clock)
    news = timer._new
    timer.reset_after_fork()
    assert timer._thread is None
    schedule(timer, new, clock.now())
    start(timer)
    eventually(lambda: new.ticks == 1)
    clock.advance(HOUR)
    look_again(timer, clock)
    assert old.ticks == 0
    # The parent's timer would continue to sleep.
    news.put(None)
    thread.join(10)


def test_on_gevent_that_patched_late_no_thread_is_started(
    timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would be a greenlet that blocks all others while it waits for entries.
    class Patched:
        """The queue that gevent patches in."""

    monkeypatch.setattr(queue, "SimpleQueue", Patched)
    assert not timer.ensure_running()
