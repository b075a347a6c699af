"""The timer thread."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from irsa_creds import _refresher
from irsa_creds._clock import SystemClock
from irsa_creds._refresher import Refresher
from kit import FakeClock, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOUR = 3600.0


class Ticked:
    """An engine that counts, and may do something, when it is woken."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.ticks = 0
        self.threads: set[threading.Thread] = set()
        self.then = then

    def tick(self) -> None:
        self.ticks += 1
        self.threads.add(threading.current_thread())
        self.then()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def refresher(clock: FakeClock) -> Iterator[Refresher]:
    made = Refresher(clock)
    yield made
    made.pause()


def wake(refresher: Refresher) -> None:
    """Let it look at the clocks, as it does every minute."""
    with refresher._condition:
        refresher._condition.notify_all()


def asleep(refresher: Refresher) -> bool:
    return bool(refresher._condition._waiters)  # type: ignore[attr-defined]


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


# -- whom it wakes ---------------------------------------------------------------------------------


def test_it_wakes_who_is_due_and_nobody_else(clock: FakeClock, refresher: Refresher) -> None:
    soon, later = Ticked(), Ticked()
    refresher.schedule(soon, clock.now() + 10)
    refresher.schedule(later, clock.now() + 20)
    eventually(lambda: asleep(refresher))
    clock.advance(10)
    wake(refresher)
    eventually(lambda: soon.ticks)
    eventually(lambda: asleep(refresher))
    assert (soon.ticks, later.ticks) == (1, 0)
    assert {thread.daemon for thread in soon.threads} == {True}


def test_it_wakes_at_once_who_is_due_sooner_than_all(
    clock: FakeClock, refresher: Refresher
) -> None:
    later, now = Ticked(), Ticked()
    refresher.schedule(later, clock.now() + HOUR)
    eventually(lambda: asleep(refresher))
    refresher.schedule(now, clock.now())
    eventually(lambda: now.ticks)
    assert later.ticks == 0


def test_it_sleeps_on_while_others_come_that_are_due_later(
    clock: FakeClock, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = [Ticked() for _ in range(4)]
    refresher.schedule(first, clock.now() + 30)
    eventually(lambda: asleep(refresher))
    notified: list[float] = []
    with monkeypatch.context() as patch:
        patch.setattr(refresher._condition, "notify", lambda: notified.append(clock.now()))
        for engine in others:
            refresher.schedule(engine, clock.now() + 30)
        assert notified == []
        refresher.schedule(others[0], clock.now() + 29)
    assert len(notified) == 1


def test_what_it_does_for_one_is_as_little_among_ten_thousand(clock: FakeClock) -> None:
    looks = 0

    class Sleeper(Ticked):
        def __hash__(self) -> int:
            nonlocal looks
            looks += 1
            return id(self)

    refresher, engine = Refresher(clock), Ticked()
    others = [Sleeper() for _ in range(10_000)]
    for other in others:
        refresher._agenda.put(other, (clock.now() + HOUR,))
    looks = 0
    for _ in range(100):
        refresher._agenda.put(engine, (clock.now(),))
        assert refresher.take_due() == [engine]
    assert looks == 0


def test_the_last_word_counts(clock: FakeClock, refresher: Refresher) -> None:
    engine = Ticked()
    refresher.schedule(engine, clock.now() + 10)
    refresher.schedule(engine, clock.now() + HOUR)
    clock.advance(10)
    assert refresher.take_due() == []
    clock.advance(HOUR)
    assert refresher.take_due() == [engine]
    assert refresher.take_due() == [], "who is woken says when to be woken again"


def test_it_wakes_by_itself_when_the_time_has_come() -> None:
    clock = SystemClock()
    refresher, engine = Refresher(clock), Ticked()
    refresher.schedule(engine, clock.now() + 0.02)
    eventually(lambda: engine.ticks == 1)
    refresher.pause()


def test_an_engine_may_come_again_at_once(clock: FakeClock, refresher: Refresher) -> None:
    def again() -> None:
        if engine.ticks < 3:
            refresher.schedule(engine, clock.now())

    engine = Ticked(again)
    refresher.schedule(engine, clock.now())
    eventually(lambda: engine.ticks == 3)


# -- the clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [5.1, -5.1, HOUR])
def test_all_are_woken_when_the_wall_clock_jumps(step: float, clock: FakeClock) -> None:
    refresher, engine = Refresher(clock), Ticked()
    refresher._agenda.put(engine, (clock.now() + HOUR,))
    clock.step_wall(step)
    assert refresher.take_due() == [engine]
    refresher._agenda.put(engine, (clock.now() + HOUR,))
    assert refresher.take_due() == [], "a jump is one jump"


def test_many_small_steps_are_a_jump_as_well(clock: FakeClock) -> None:
    refresher, engine = Refresher(clock), Ticked()
    refresher._agenda.put(engine, (clock.now() + HOUR,))
    clock.step_wall(5)
    assert refresher.take_due() == []
    clock.step_wall(1)
    assert refresher.take_due() == [engine]


def test_it_sleeps_until_the_next_is_due_but_looks_at_the_clocks_every_minute(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresher, engine = Refresher(clock), Ticked()
    slept: list[float | None] = []
    monkeypatch.setattr(refresher._condition, "wait", slept.append)
    for seconds in (HOUR, 30, -1):
        refresher._agenda.put(engine, (clock.now() + seconds,))
        refresher._sleep()
    refresher._agenda.leave(engine)
    refresher._sleep()
    assert slept == [60, 30, 0, None], "with nobody to wake it does not even look"
    assert _refresher._LONGEST_SLEEP == 60


# -- the thread ------------------------------------------------------------------------------------


def test_it_starts_with_the_first_engine_and_only_once(
    clock: FakeClock, refresher: Refresher
) -> None:
    engines = [Ticked() for _ in range(5)]
    before = names().count("irsa-creds-refresher")
    for engine in engines:
        refresher.schedule(engine, clock.now() + HOUR)
        eventually(lambda: asleep(refresher))
    assert names().count("irsa-creds-refresher") == before + 1


def test_where_no_thread_can_start_the_next_schedule_tries_again(
    clock: FakeClock, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Ticked()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        refresher.schedule(engine, clock.now())
    assert refresher._thread is None
    refresher.schedule(engine, clock.now())
    eventually(lambda: engine.ticks == 1)


def test_while_the_interpreter_ends_no_thread_is_tried(
    clock: FakeClock, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    engine = Ticked()
    refresher.schedule(engine, clock.now())
    assert refresher._thread is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_raises_keeps_nobody_else_waiting(
    clock: FakeClock, refresher: Refresher, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("a log handler's")

    broken, sound = Ticked(fail), Ticked()
    for engine in (broken, sound):
        refresher.schedule(engine, clock.now())
    eventually(lambda: sound.ticks == 1)
    assert "A refresh could not be started: ValueError." in caplog.messages


def test_a_refresher_that_died_is_replaced(clock: FakeClock, refresher: Refresher) -> None:
    def die() -> None:
        raise SystemError("a defect")

    killer, engine = Ticked(die), Ticked()
    refresher.schedule(killer, clock.now())
    dead = refresher._thread
    assert dead is not None
    dead.join(10)
    refresher.schedule(engine, clock.now())
    eventually(lambda: engine.ticks == 1)


def test_an_engine_that_nobody_holds_may_go_while_it_sleeps(
    clock: FakeClock, refresher: Refresher
) -> None:
    gone = weakref.ref(ticked_once(clock, refresher))
    gc.collect()
    assert gone() is None


def ticked_once(clock: FakeClock, refresher: Refresher) -> Ticked:
    """Return an engine that was woken, and is to be woken again much later."""
    engine = Ticked()
    refresher.schedule(engine, clock.now())
    eventually(lambda: engine.ticks == 1)
    refresher.schedule(engine, clock.now() + HOUR)
    eventually(lambda: asleep(refresher))
    return engine


# -- forks -----------------------------------------------------------------------------------------


def test_before_a_fork_the_sleeping_thread_is_ended_and_joined(
    clock: FakeClock, refresher: Refresher
) -> None:
    engine = Ticked()
    refresher.schedule(engine, clock.now() + HOUR)
    thread = refresher._thread
    assert thread is not None
    assert refresher.pause()
    eventually(lambda: not thread.is_alive())
    assert not refresher.pause(), "it was not running"


def test_after_a_fork_the_parents_next_schedule_starts_another_that_knows_all(
    clock: FakeClock, refresher: Refresher
) -> None:
    first, second = Ticked(), Ticked()
    refresher.schedule(first, clock.now() + 10)
    refresher.pause()
    clock.advance(10)
    refresher.schedule(second, clock.now())
    eventually(lambda: first.ticks == second.ticks == 1)


def test_a_thread_that_is_busy_is_not_waited_for_long(
    clock: FakeClock, refresher: Refresher
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        assert go_on.wait(10)

    engine = Ticked(work)
    refresher.schedule(engine, clock.now())
    assert inside.wait(10)
    thread = refresher._thread
    assert thread is not None
    assert refresher.pause()
    assert thread.is_alive()
    go_on.set()
    thread.join(10)
    assert not thread.is_alive(), "it ends when it sees that it was replaced"


def test_the_refresher_itself_may_fork(clock: FakeClock, refresher: Refresher) -> None:
    engine = Ticked(refresher.pause)
    refresher.schedule(engine, clock.now())
    eventually(lambda: engine.ticks == 1)
    (thread,) = engine.threads
    thread.join(10)
    assert not thread.is_alive()


def test_a_child_begins_with_an_empty_agenda_and_no_thread(
    clock: FakeClock, refresher: Refresher
) -> None:
    old, new = Ticked(), Ticked()
    refresher.schedule(old, clock.now() + HOUR)
    eventually(lambda: asleep(refresher))
    condition = refresher._condition
    refresher.reset_after_fork()
    assert refresher._thread is None
    refresher.schedule(new, clock.now())
    eventually(lambda: new.ticks == 1)
    clock.advance(HOUR)
    assert refresher.take_due() == []
    with condition:
        condition.notify_all()
