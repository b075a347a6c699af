"""How many background flights are in the air at once, and whose turn is next."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest

from irsa_creds._flight import Flight
from irsa_creds._tower import MOST, Tower
from kit import FakeClock, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._tower import Ticking

HOUR = 3600.0


class Plane:
    """Somebody whose flight waits; when called, it asks once more and takes off.

    Args:
        field: where it flies.
        left: seconds to the end of what it serves.
    """

    def __init__(self, field: Field, left: float, *, failures: int = 0) -> None:
        self.field = field
        self.key = float(failures), field.clock.now() + left
        self.left = left
        self.called: list[bool] = []
        self.then: Callable[[], object] = lambda: None
        self.still_due = True
        self.flight: Flight | None = None

    def ask(self, *, warming: bool = False) -> bool:
        """Take off if that may be."""
        now = self.field.clock.now()
        flight = Flight.for_readers(now) if warming else Flight.in_background(now, self.left)
        if self.field.tower.clear(self, flight, self.key):
            self.flight = flight
        return self.flight is flight

    def take_turn(self, *, warming: bool) -> None:
        self.called.append(warming)
        self.then()
        if self.still_due:
            assert self.ask(warming=warming), "who is called may take off"

    def land(self) -> None:
        """End the flight."""
        assert self.flight is not None
        if self.field.tower.landed(self.flight):
            self.field.tower.hand_over()
        self.flight = None


class Field:
    """A tower on a fake clock with two turns; who is to be woken is written down."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tower = Tower(self.clock)
        self.tower.most = 2
        self.tower.agenda = self
        self.woken_at: list[float] = []

    def schedule(self, engine: Ticking, at: float) -> None:
        assert engine is self.tower
        self.woken_at.append(at - self.clock.now())

    def busy(self, *, left: float = HOUR) -> list[Plane]:
        """Return planes in the air, as many as may be."""
        planes = [Plane(self, left) for _ in range(self.tower.most)]
        assert all(plane.ask() for plane in planes)
        return planes


@pytest.fixture
def field() -> Field:
    return Field()


def test_eight_may_fly_at_once_unless_somebody_says_otherwise() -> None:
    assert Tower(FakeClock()).most == MOST == 8


def test_so_many_take_off_at_once_and_the_next_when_one_has_landed(field: Field) -> None:
    first, _ = field.busy()
    third = Plane(field, HOUR)
    assert not third.ask()
    assert third.flight is None
    first.land()
    assert third.flight is not None
    assert third.called == [False]


def test_the_one_with_the_least_time_left_is_next(field: Field) -> None:
    first, second = field.busy()
    relaxed, urgent = Plane(field, 900), Plane(field, 30)
    assert not relaxed.ask()
    assert not urgent.ask()
    first.land()
    assert (urgent.flight is None, relaxed.flight is None) == (False, True)
    second.land()
    assert relaxed.flight is not None


def test_who_failed_oftener_is_behind_whoever_failed_less(field: Field) -> None:
    first, second = field.busy()
    failing, sound = Plane(field, 30, failures=2), Plane(field, 900)
    assert not failing.ask()
    assert not sound.ask()
    first.land()
    assert (sound.flight is None, failing.flight is None) == (False, True)
    second.land()
    assert failing.flight is not None


def test_a_turn_that_is_not_needed_any_more_goes_to_the_next(field: Field) -> None:
    first, _ = field.busy()
    planes = [Plane(field, left) for left in (10, 20, 30)]
    assert [plane.ask() for plane in planes] == [False] * 3
    planes[0].still_due = planes[1].still_due = False
    first.land()
    assert [plane.called for plane in planes] == [[False]] * 3
    assert planes[2].flight is not None


def test_who_is_called_is_overtaken_by_nobody(field: Field) -> None:
    first, _ = field.busy()
    waiting, newcomer = Plane(field, HOUR), Plane(field, 1)
    waiting.then = newcomer.ask
    assert not waiting.ask()
    first.land()
    assert (waiting.flight is None, newcomer.flight is None) == (False, True)


def test_a_turn_is_not_lost_with_who_fails_to_take_it(field: Field) -> None:
    first, _ = field.busy()
    broken, sound = Plane(field, 10), Plane(field, 20)

    def fail() -> None:
        raise MemoryError

    broken.then = fail
    assert not broken.ask()
    assert not sound.ask()
    with pytest.raises(MemoryError):
        first.land()
    field.tower.hand_over()
    assert sound.flight is not None


def test_who_waits_is_kept_alive_by_nobody_here(field: Field) -> None:
    first, _ = field.busy()
    gone, there = Plane(field, 10), Plane(field, 20)
    assert not gone.ask()
    assert not there.ask()
    del gone
    gc.collect()
    first.land()
    assert there.flight is not None


def test_one_that_vanishes_at_the_last_moment_leaves_nobody_to_call(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = field.busy()
    waiting = Plane(field, 10)
    assert not waiting.ask()
    monkeypatch.setattr(field.tower._refreshing.line, "take", lambda: None)
    first.land()
    assert waiting.flight is None
    assert Plane(field, HOUR).ask(), "and the turn is anybody's"


def test_who_asks_twice_waits_once(field: Field) -> None:
    first, second = field.busy()
    waiting = Plane(field, HOUR)
    assert not waiting.ask()
    assert not waiting.ask()
    first.land()
    second.land()
    assert waiting.called == [False]


def test_who_took_off_by_itself_is_not_called_any_more(field: Field) -> None:
    first, _ = field.busy()
    waiting = Plane(field, HOUR)
    assert not waiting.ask()
    assert first.flight is not None
    field.tower.landed(first.flight)
    assert waiting.ask(), "a turn was free before anybody was called"
    field.tower.hand_over()
    assert waiting.called == []


def test_a_flight_that_had_no_turn_gives_none_back(field: Field) -> None:
    planes = field.busy()
    assert not field.tower.landed(Flight.in_background(field.clock.now(), HOUR))
    assert not Plane(field, HOUR).ask()
    planes[0].land()
    assert Plane(field, HOUR).ask()


def test_a_larger_number_counts_from_the_next_question_on(field: Field) -> None:
    field.busy()
    field.tower.most = 3
    assert Plane(field, HOUR).ask()
    assert not Plane(field, HOUR).ask()


# -- flights that hang ---------------------------------------------------------------------------


def test_one_that_hangs_loses_its_turn_and_the_tower_is_woken_for_that(field: Field) -> None:
    field.busy()
    field.clock.advance(5)
    waiting = [Plane(field, HOUR) for _ in range(3)]
    assert [plane.ask() for plane in waiting] == [False] * 3
    assert field.woken_at[-1] == 10.25, "15 s from its start, and the grace"
    field.clock.advance(10.25)
    field.tower.tick()
    assert [plane.flight is None for plane in waiting] == [False, False, True]
    assert field.woken_at[-1] == 15.25, "those that took off now may hang as well"
    field.clock.advance(15.25)
    field.tower.tick()
    assert waiting[2].flight is not None
    assert len(field.woken_at) == 4, "nobody waits: nobody is to be woken"


def test_whoever_asks_after_that_takes_off_though_nothing_wakes_the_tower(field: Field) -> None:
    field.tower.agenda = None
    field.busy()
    waiting = Plane(field, HOUR)
    assert not waiting.ask()
    field.clock.advance(15.25)
    assert waiting.ask()
    field.tower.tick()
    assert waiting.called == []


def test_one_that_lands_late_gives_no_second_turn(field: Field) -> None:
    late, _ = field.busy()
    field.clock.advance(15.25)
    field.busy()
    late.land()
    assert not Plane(field, HOUR).ask()


# -- two lanes -----------------------------------------------------------------------------------


def test_fetching_ahead_of_any_reader_holds_up_no_refresh(field: Field) -> None:
    warming = [Plane(field, HOUR) for _ in range(3)]
    assert [plane.ask(warming=True) for plane in warming] == [True, True, False]
    field.busy()
    warming[0].land()
    assert warming[2].called == [True]
    assert warming[2].flight is not None


def test_the_tower_is_woken_for_the_lane_that_is_free_first(field: Field) -> None:
    for warming in (True, False):
        for _ in range(2):
            assert Plane(field, HOUR).ask(warming=warming)
        assert not Plane(field, HOUR).ask(warming=warming)
    waiting = [Plane(field, HOUR), Plane(field, HOUR)]
    assert not waiting[0].ask(warming=True)
    assert not waiting[1].ask()
    assert not waiting[0].ask(warming=True)
    assert field.woken_at[-1] == 15.25, "30.25 is the other lane's"


# -- threads and forks -----------------------------------------------------------------------------


def test_a_crowd_gets_all_its_turns_and_never_too_many_at_once(field: Field) -> None:
    planes = [Plane(field, 10 + number) for number in range(100)]
    begin = threading.Barrier(10)

    def fly(some: list[Plane]) -> None:
        begin.wait(10)
        for plane in some:
            plane.ask()
            eventually(lambda plane=plane: plane.flight)  # type: ignore[misc]
            lane = field.tower._refreshing
            assert len(lane.aloft) + len(lane.called) <= 2
            plane.land()

    threads = [threading.Thread(target=fly, args=(planes[n::10],)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not field.tower._refreshing.aloft
    assert not field.tower._refreshing.line


def test_a_child_has_all_turns_and_a_free_lock(field: Field) -> None:
    field.busy()
    waiting = Plane(field, HOUR)
    assert not waiting.ask()
    holder = threading.Thread(target=field.tower._lock.acquire)
    holder.start()
    holder.join(10)
    field.tower.reset_after_fork()
    field.tower.hand_over()
    assert waiting.called == []
    field.busy()
