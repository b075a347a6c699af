"""How many refreshes run at once, and in which order."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from engine_fakes import FakeClock, eventually, join_refreshes, refreshing
from irsa_creds._engine.forks import FORKS
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.slots import Slots, start_thread
from irsa_creds._engine.timing import OVERDUE_GRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 10.0


class Recorder:
    """An engine that notes its refreshes and deliveries; a refresh lasts until it is released.

    Attributes:
        ran: its refreshes, in the order in which they began.
        delivered: how often `deliver` was called.
        most_at_once: how many of its refreshes ran at the same time.
    """

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.ran: list[Refresh] = []
        self.delivered = 0
        self.most_at_once = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._then = then
        self._counting = threading.Lock()
        self._at_once = 0

    def run(self, refresh: Refresh) -> None:
        with self._counting:
            self.ran.append(refresh)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self._then()
        assert self.go_on.wait(10)
        with self._counting:
            self._at_once -= 1

    def deliver(self) -> None:
        with self._counting:
            self.delivered += 1


def made(count: int = 1) -> list[Refresh]:
    return [Refresh(blocking=True, created_at=0.0, seconds=SECONDS) for _ in range(count)]


@pytest.fixture
def slots(clock: FakeClock) -> Slots:
    return Slots(clock)


@pytest.fixture
def engine() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.go_on.set()
    join_refreshes()


def fail_to_start(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


# -- the order -------------------------------------------------------------------------------------


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_refresh_runs_on_a_daemon_thread_of_its_own(
    slots: Slots, engine: Recorder, *, waited_for: bool
) -> None:
    engine.go_on.clear()
    (refresh,) = made()
    # Refreshes of other tests.
    join_refreshes()
    slots.put(refresh, engine, waited_for=waited_for)
    assert slots.holds(refresh)
    assert not refreshing(), "putting starts nothing"
    slots.pump()
    (thread,) = refreshing()
    assert thread.daemon
    eventually(lambda: engine.ran == [refresh])
    assert refresh.is_claimed
    engine.go_on.set()
    join_refreshes()
    assert engine.delivered == 1
    assert not slots.holds(refresh)


@pytest.mark.parametrize("waited_for", [True, False])
def test_the_refresh_that_was_queued_first_starts_first(slots: Slots, *, waited_for: bool) -> None:
    engine = Recorder()
    slots._waited_for.most = slots.most_in_background = 1
    refreshes = made(20)
    for refresh in refreshes:
        slots.put(refresh, engine, waited_for=waited_for)
    slots.pump()
    eventually(lambda: engine.delivered == 20)
    assert engine.ran == refreshes
    assert engine.most_at_once == 1
    join_refreshes()


def test_callers_have_64_slots_and_the_background_has_8_others(
    slots: Slots, engine: Recorder
) -> None:
    background = Recorder()
    for recorder in (engine, background):
        recorder.go_on.clear()
    for refresh in made(200):
        slots.put(refresh, engine, waited_for=True)
    for refresh in made(20):
        slots.put(refresh, background, waited_for=False)
    slots.pump()
    assert len(refreshing()) == 72
    eventually(lambda: (len(engine.ran), len(background.ran)) == (64, 8))
    for recorder in (engine, background):
        recorder.go_on.set()
    eventually(lambda: (engine.delivered, background.delivered) == (200, 20))
    assert (engine.most_at_once, background.most_at_once) == (64, 8)
    join_refreshes()


def test_the_backgrounds_slots_can_be_more_or_fewer(slots: Slots, engine: Recorder) -> None:
    slots.most_in_background = 3
    engine.go_on.clear()
    for refresh in made(5):
        slots.put(refresh, engine, waited_for=False)
    slots.pump()
    assert len(refreshing()) == 3
    engine.go_on.set()
    eventually(lambda: engine.delivered == 5)
    assert engine.most_at_once == 3


def test_a_refresh_that_is_queued_twice_runs_once(slots: Slots, engine: Recorder) -> None:
    (refresh,) = made()
    for waited_for in (False, True, True):
        slots.put(refresh, engine, waited_for=waited_for)
    slots.pump()
    join_refreshes()
    slots.pump()
    assert engine.ran == [refresh]
    assert not slots.holds(refresh)


def test_a_background_refresh_that_a_caller_needs_does_not_wait_for_the_background(
    slots: Slots, engine: Recorder
) -> None:
    slots.most_in_background = 1
    engine.go_on.clear()
    first, second = made(2)
    for refresh in (first, second):
        slots.put(refresh, engine, waited_for=False)
    slots.pump()
    assert not second.is_claimed
    slots.put(second, engine, waited_for=True)
    slots.pump()
    eventually(lambda: engine.ran == [first, second])
    engine.go_on.set()
    join_refreshes()
    assert engine.ran == [first, second], "its entry in the background's queue no longer counts"


def test_a_refresh_that_another_thread_has_claimed_gets_no_thread(
    slots: Slots, engine: Recorder, clock: FakeClock
) -> None:
    refresh, next_one = made(2)
    slots.put(refresh, engine, waited_for=True)
    slots.put(next_one, engine, waited_for=True)
    assert refresh.claim(clock.now())
    slots.pump()
    join_refreshes()
    assert engine.ran == [next_one]
    assert not slots.holds(refresh)


def test_a_refresh_that_is_claimed_while_its_thread_starts_is_left_to_that_one(
    slots: Slots, engine: Recorder, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (refresh,) = made()

    def claimed_meanwhile(thread: threading.Thread) -> bool:
        assert refresh.claim(clock.now())
        return start_thread(thread)

    monkeypatch.setattr("irsa_creds._engine.slots.start_thread", claimed_meanwhile)
    slots.put(refresh, engine, waited_for=True)
    slots.pump()
    join_refreshes()
    assert engine.ran == []
    assert engine.delivered == 0
    refresh.ended = True
    assert not slots.holds(refresh)


# -- slots come free -------------------------------------------------------------------------------


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_refresh_that_hangs_loses_its_slot_when_it_is_overdue(
    slots: Slots, engine: Recorder, clock: FakeClock, *, waited_for: bool
) -> None:
    slots._waited_for.most = slots.most_in_background = 1
    engine.go_on.clear()
    hanging, queued = made(2)
    slots.put(hanging, engine, waited_for=waited_for)
    slots.pump()
    eventually(lambda: hanging.is_claimed)
    assert slots.next_free_at() == float("inf"), "no other one waits for the slot"
    slots.put(queued, engine, waited_for=waited_for)
    assert slots.next_free_at() == clock.now() + SECONDS + OVERDUE_GRACE
    clock.advance(SECONDS)
    slots.pump()
    assert not queued.is_claimed
    clock.advance(OVERDUE_GRACE)
    slots.pump()
    eventually(lambda: engine.ran == [hanging, queued])
    assert slots.next_free_at() == float("inf")


def test_a_log_handler_or_subscriber_that_takes_its_time_has_no_slot(slots: Slots) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow(Recorder):
        def deliver(self) -> None:
            inside.set()
            assert go_on.wait(10)
            super().deliver()

    slots.most_in_background = 1
    slow, engine = Slow(), Recorder()
    for each in (slow, engine):
        slots.put(made()[0], each, waited_for=False)
    slots.pump()
    assert inside.wait(10)
    eventually(lambda: engine.delivered)
    go_on.set()
    join_refreshes()
    assert slow.delivered == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_refresh_costs_no_slot(slots: Slots, engine: Recorder) -> None:
    def fail() -> None:
        raise SystemError("a bug")

    slots.most_in_background = 1
    slots.put(made()[0], Recorder(fail), waited_for=False)
    slots.put(made()[0], engine, waited_for=False)
    slots.pump()
    eventually(lambda: engine.delivered)


# -- no thread can start ---------------------------------------------------------------------------


def test_if_no_thread_can_start_all_stay_queued(
    slots: Slots, engine: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots.most_in_background = 1
    refreshes = made(3)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail_to_start)
        for refresh in refreshes:
            slots.put(refresh, engine, waited_for=False)
        assert not slots.pump()
    assert not any(each.is_claimed for each in refreshes)
    assert all(slots.holds(each) for each in refreshes)
    assert slots.pump()
    eventually(lambda: engine.delivered == 3)


def test_while_the_interpreter_ends_no_thread_is_tried(
    slots: Slots, engine: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (refresh,) = made()
    slots.put(refresh, engine, waited_for=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "is_finalizing", lambda: True)
        assert not slots.pump()
    assert not refresh.is_claimed
    assert slots.holds(refresh)
    assert not refreshing()


@pytest.mark.parametrize("begun", [True, False])
def test_an_exception_of_a_signal_handler_that_hits_the_start_costs_no_slot(
    slots: Slots,
    engine: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    begun: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    slots.most_in_background = 1
    refresh, next_one = made(2)
    begin = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if begun:
            begin(thread)
        raise KeyboardInterrupt

    slots.put(refresh, engine, waited_for=False)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            slots.pump()
    join_refreshes()
    assert engine.ran == [refresh] * begun
    slots.put(next_one, engine, waited_for=False)
    slots.pump()
    eventually(lambda: next_one in engine.ran)
    eventually(lambda: engine.ran.count(refresh) == 1)


def test_a_thread_that_never_begins_loses_its_slot_after_a_second(
    slots: Slots, engine: Recorder, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots.most_in_background = 1
    lost, queued = made(2)
    with monkeypatch.context() as patch:
        patch.setattr("irsa_creds._engine.slots.start_thread", lambda _: True)
        slots.put(lost, engine, waited_for=False)
        slots.pump()
    slots.put(queued, engine, waited_for=False)
    slots.pump()
    assert slots.holds(lost)
    assert not queued.is_claimed
    clock.advance(1)
    assert not slots.holds(lost)
    slots.pump()
    eventually(lambda: engine.ran == [queued])


def test_the_exception_of_a_signal_handler_is_raised_as_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def as_python_3_11_does(_: threading.Thread) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise KeyError("thread")

    monkeypatch.setattr(threading.Thread, "start", as_python_3_11_does)
    with pytest.raises(KeyboardInterrupt):
        start_thread(threading.Thread())


def test_a_key_error_of_another_cause_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise KeyError("thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(KeyError):
        start_thread(threading.Thread())


# -- forks -----------------------------------------------------------------------------------------


def test_a_fork_waits_for_the_thread_of_a_refresh_but_not_for_its_delivery(slots: Slots) -> None:
    seen: list[tuple[str, bool]] = []

    def note(what: str) -> None:
        seen.append((what, threading.get_native_id() in FORKS._busy))

    class Watched(Recorder):
        def deliver(self) -> None:
            note("deliver")

    slots.put(made()[0], Watched(lambda: note("run")), waited_for=True)
    slots.pump()
    join_refreshes()
    assert seen == [("run", True), ("deliver", False)]


def test_a_fork_waits_for_a_thread_that_ends(slots: Slots, engine: Recorder) -> None:
    engine.go_on.clear()
    slots.put(made()[0], engine, waited_for=True)
    slots.pump()
    (thread,) = refreshing()
    engine.go_on.set()
    join_refreshes()
    assert thread.native_id in FORKS._ending


def test_a_child_has_all_slots_and_an_empty_queue(slots: Slots, engine: Recorder) -> None:
    slots.most_in_background = 1
    engine.go_on.clear()
    parents, queued, own = made(3)
    for refresh in (parents, queued):
        slots.put(refresh, engine, waited_for=False)
    slots.pump()
    slots.reset_after_fork()
    assert not slots.holds(queued)
    slots.put(own, engine, waited_for=False)
    slots.pump()
    eventually(lambda: engine.ran == [parents, own])
    engine.go_on.set()
    join_refreshes()
    assert engine.ran == [parents, own]
