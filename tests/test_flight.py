"""Single flight: who waits, who is overdue, and how many may hang."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from irsa_creds._flight import Flight, Hangar
from irsa_creds._freshness import OVERDUE_GRACE
from kit import FakeClock, eventually, failure, join_flights, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


class Runway:
    """A hangar on a fake clock whose flights hang until they are let go."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hangar = Hangar(self.clock)
        self.flown: list[Flight] = []
        self.go = threading.Event()

    def body(self, flight: Flight) -> None:
        self.flown.append(flight)
        assert self.go.wait(10)

    def start(self) -> Flight:
        flight = Flight.for_readers(self.clock.now())
        assert self.hangar.start(flight, self.body)
        return flight

    def hang(self) -> Flight:
        """Start one that stays past its deadline."""
        flight = self.start()
        self.clock.advance(30 + OVERDUE_GRACE)
        assert self.hangar.disown_overdue() is not None
        return flight


@pytest.fixture
def runway() -> Iterator[Runway]:
    made = Runway()
    yield made
    made.go.set()
    join_flights()


def test_a_flight_for_readers_has_thirty_seconds_and_one_in_the_background_a_quarter() -> None:
    blocking, background = Flight.for_readers(1000.0), Flight.in_background(1000.0, 40.0)
    assert (blocking.blocking, blocking.deadline) == (True, 1030)
    assert (background.blocking, background.deadline) == (False, 1010)


def test_a_flight_runs_on_a_daemon_thread_of_its_own(runway: Runway) -> None:
    flight = runway.start()
    eventually(lambda: runway.flown == [flight])
    thread = runway.hangar._threads[flight]
    assert thread.daemon
    assert thread is not threading.current_thread()
    assert runway.hangar.current is flight
    assert runway.hangar.started == 1


def test_nobody_who_gives_up_can_cancel_it_for_the_others() -> None:
    flight = Flight.for_readers(1000.0)
    assert not flight.future.cancel()
    made = snapshot()
    flight.settle(made)
    assert flight.future.result(0) is made


def test_a_settled_flight_keeps_its_first_outcome() -> None:
    flight, record = Flight.for_readers(1000.0), failure()
    flight.settle(record)
    flight.settle(snapshot())
    assert flight.future.result(0) is record


def test_a_flight_that_lands_leaves_the_place_to_the_next(runway: Runway) -> None:
    flight = runway.start()
    assert runway.hangar.land(flight)
    assert runway.hangar.current is None
    assert not runway.hangar.land(flight), "it was not under way any more"


def test_a_flight_is_overdue_just_after_its_deadline(runway: Runway) -> None:
    flight = runway.start()
    runway.clock.advance(30)
    assert runway.hangar.disown_overdue() is None, "an attempt may use up its time to the last"
    runway.clock.advance(OVERDUE_GRACE)
    record = runway.hangar.disown_overdue()
    assert record is not None
    assert (record.kind, record.code, record.retryable) == ("timeout", "RefreshTimeout", True)
    assert record.message == "The refresh of the credentials did not end within 30 s."
    assert flight.future.result(0) is record, "its waiters are released"
    assert runway.hangar.current is None
    assert not runway.hangar.land(flight)


def test_with_no_flight_under_way_nothing_is_overdue(runway: Runway) -> None:
    assert runway.hangar.disown_overdue() is None


def test_while_two_hang_one_a_minute_may_start_and_past_sixteen_none(runway: Runway) -> None:
    hangar = runway.hangar
    assert hangar.may_start()
    runway.hang()
    assert hangar.may_start(), "one that hangs holds nobody back"
    runway.hang()
    for hanging in range(2, 16):
        assert len(hangar._threads) == hanging
        assert not hangar.may_start()
        runway.clock.advance(60 - 30 - OVERDUE_GRACE - 0.1)
        assert not hangar.may_start(), "a minute from the last start, not less"
        runway.clock.advance(0.1)
        assert hangar.may_start()
        runway.hang()
    runway.clock.advance(3600)
    assert not hangar.may_start()
    runway.go.set()
    join_flights()
    assert hangar.may_start(), "they hang no more"


def test_flights_that_ended_without_landing_are_swept_away(runway: Runway) -> None:
    runway.hang()
    runway.go.set()
    join_flights()
    runway.start()
    assert len(runway.hangar._threads) == 1


def test_where_no_thread_can_start_nothing_is_under_way(
    runway: Runway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    flight = Flight.for_readers(runway.clock.now())
    assert not runway.hangar.start(flight, runway.body)
    assert runway.hangar.current is None
    assert runway.hangar.started == 0
    runway.hangar.board(flight)
    assert runway.hangar.current is flight
    assert runway.hangar.started == 1


def test_while_the_interpreter_ends_no_thread_is_tried(
    runway: Runway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert not runway.hangar.start(Flight.for_readers(runway.clock.now()), runway.body)
    assert runway.hangar.current is None


def test_a_child_knows_no_flight_of_its_parent(runway: Runway) -> None:
    runway.hang()
    runway.hang()
    runway.start()
    runway.hangar.forget()
    assert runway.hangar.current is None
    assert runway.hangar.started == 0
    assert runway.hangar.may_start()
