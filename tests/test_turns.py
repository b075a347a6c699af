"""Background flights of many identities: eight at once, the others in turn, readers never."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from irsa_creds._freshness import OVERDUE_GRACE, Snapshot
from irsa_creds._lock import CountedLock
from irsa_creds._tower import Tower
from kit import FakeAgenda, FakeClock, Rig, eventually, failure, flights, high, land_all, rig

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE, HOUR = 60.0, 3600.0
HANGS = 15 + OVERDUE_GRACE


@dataclass
class Fleet:
    """Engines of one process, on one clock, with a tower that has eight turns."""

    clock: FakeClock
    tower: Tower
    rigs: list[Rig] = field(default_factory=list)

    def add(self, number: int, *, lifetime: float = HOUR) -> list[Rig]:
        """Return further ones whose credentials are there and were read."""
        made = [
            rig(draw=high, agenda=FakeAgenda(), clock=self.clock, tower=self.tower)
            for _ in range(number)
        ]
        self.rigs += made
        for each in made:
            each.sts.lifetime = lifetime
            each.joined()
        land_all()
        for each in made:
            each.served()
        return made

    def hang(self, *rigs: Rig) -> None:
        for each in rigs:
            each.sts.hold.clear()

    def tick(self, *rigs: Rig) -> None:
        for each in rigs:
            each.engine.tick()

    def aloft(self) -> int:
        return len(self.tower._refreshing.aloft) + len(self.tower._warming.aloft)

    def release(self) -> None:
        for each in self.rigs:
            each.sts.hold.set()
        land_all()


@pytest.fixture
def fleet(clock: FakeClock) -> Iterator[Fleet]:
    made = Fleet(clock, Tower(clock))
    made.tower.agenda = FakeAgenda()
    yield made
    made.release()


def refreshed(each: Rig) -> bool:
    return each.sts.calls == 2 and each.engine.snapshot.credentials.access_key_id[-1] == "2"


def test_eight_refreshes_at_once_and_the_others_as_soon_as_one_lands(fleet: Fleet) -> None:
    rigs = fleet.add(12)
    fleet.hang(*rigs)
    fleet.clock.advance(2700)
    fleet.tick(*rigs)
    assert [each.flight is None for each in rigs] == [False] * 8 + [True] * 4
    assert len(flights()) == 8, "who waits has no thread"
    rigs[3].sts.hold.set()
    eventually(lambda: rigs[8].flight)
    eventually(lambda: len(flights()) == 8)
    assert fleet.aloft() == 8
    fleet.release()
    assert all(map(refreshed, rigs))
    assert fleet.aloft() == 0


def test_whoever_has_the_least_time_left_is_next(fleet: Fleet) -> None:
    slow, (urgent,) = fleet.add(8), fleet.add(1)
    fleet.clock.advance(MINUTE)
    (relaxed,) = fleet.add(1)
    fleet.hang(*slow, relaxed, urgent)
    fleet.clock.advance(2640)
    fleet.tick(*slow)
    relaxed.engine.distrust(relaxed.engine.snapshot.credentials.access_key_id)
    urgent.engine.tick()
    slow[0].sts.hold.set()
    eventually(lambda: urgent.flight)
    assert relaxed.flight is None


def test_eight_tenants_whose_sts_hangs_keep_no_ninth_from_its_refresh(fleet: Fleet) -> None:
    hung, (ninth,) = fleet.add(8), fleet.add(1)
    fleet.hang(*hung)
    fleet.clock.advance(2700)
    waited = []
    for _ in range(5):
        # Theirs is due earlier, each time.
        fleet.tick(*hung)
        before = ninth.engine.snapshot
        # Its own answer comes when this test has looked: else it may be there by then.
        fleet.hang(ninth)
        ninth.engine.tick()
        assert ninth.served() is before, "nobody waits"
        waited.append(ninth.flight is None)
        ninth.sts.hold.set()
        fleet.clock.advance(HANGS)
        fleet.tower.tick()
        land_one(ninth, before)
        assert ninth.engine.snapshot.left(fleet.clock.now()) > 2_500
        assert ninth.served()
        # On to the next time that it is due, with those that hang due before it again.
        fleet.tick(*hung)
        fleet.clock.advance(20)
        ninth.engine.snapshot.refresh_at = fleet.clock.now()
    # Whoever has two threads that hang starts no third for a minute, and takes no turn meanwhile.
    assert waited == [True, True, False, True, False]


def land_one(each: Rig, before: Snapshot) -> None:
    eventually(lambda: each.engine.snapshot is not before)
    eventually(lambda: each.flight is None)


def test_those_that_fail_wait_behind_those_that_do_not(fleet: Fleet) -> None:
    failing, sound = fleet.add(20), fleet.add(1)[0]
    for each in failing:
        each.sts.down = failure("ConnectTimeoutError")
    fleet.clock.advance(2700)
    fleet.tick(*failing)
    land_all()
    fleet.clock.advance(10)
    fleet.hang(*failing, sound)
    fleet.tick(*failing, sound)
    assert sound.flight is None, "all turns were taken before it came"
    failing[0].sts.hold.set()
    eventually(lambda: sound.flight)


def test_a_reader_with_nothing_valid_waits_for_no_turn(fleet: Fleet) -> None:
    slow = fleet.add(8)
    (waiting,) = fleet.add(1)
    fleet.hang(*slow)
    fleet.clock.advance(2700)
    fleet.tick(*slow, waiting)
    assert waiting.flight is None
    fresh = rig(clock=fleet.clock, tower=fleet.tower)
    fresh.joined().future.result(10)
    waiting.engine.invalidate(None)
    waiting.joined().future.result(10)
    assert waiting.served()
    assert fleet.aloft() == 8


def test_a_reader_who_wants_more_time_than_there_is_waits_for_no_turn(fleet: Fleet) -> None:
    slow, (asked,) = fleet.add(8), fleet.add(1)
    fleet.hang(*slow)
    fleet.clock.advance(2700)
    fleet.tick(*slow)
    asked.joined(min_ttl=2_000).future.result(10)
    assert refreshed(asked)


def test_readers_that_the_wall_clock_sends_to_sts_wait_for_no_turn(fleet: Fleet) -> None:
    slow, (asked,) = fleet.add(8), fleet.add(1)
    fleet.hang(*slow)
    fleet.clock.advance(2700)
    fleet.tick(*slow)
    fleet.clock.step_wall(HOUR)
    asked.engine.tick()
    assert asked.flight is None, "it was not yet anybody's who reads"
    assert asked.engine.snapshot.check_at < fleet.clock.now(), "all readers leave the hot path"
    asked.joined().future.result(10)
    assert refreshed(asked)


def test_readers_stay_on_the_hot_path_while_a_refresh_waits_for_its_turn(fleet: Fleet) -> None:
    slow, (waiting,) = fleet.add(8), fleet.add(1)
    fleet.hang(*slow)
    fleet.clock.advance(2700)
    fleet.tick(*slow)
    made = waiting.served()
    assert made.check_at == fleet.clock.now() + made.left(fleet.clock.now()) / 2
    # Nothing wakes it, and nobody is called: it looks itself.
    fleet.clock.advance(made.check_at - fleet.clock.now())
    assert waiting.served() is made
    assert waiting.flight is not None


def test_who_waits_to_the_last_moment_does_not_look_all_the_time(fleet: Fleet) -> None:
    slow, (waiting,) = fleet.add(8), fleet.add(1)
    agenda = FakeAgenda()
    waiting.engine._agenda = agenda
    fleet.clock.advance(3594.9)
    fleet.hang(*slow)
    fleet.tick(*slow, waiting)
    assert waiting.flight is None
    assert agenda.at[-1] == pytest.approx(fleet.clock.now() + 0.2)


def test_what_ended_while_it_waited_is_left_to_the_next_reader(fleet: Fleet) -> None:
    slow, (waiting,) = fleet.add(8, lifetime=2 * HOUR), fleet.add(1)
    fleet.clock.advance(2700)
    fleet.hang(*slow)
    for each in slow:
        each.engine.distrust(each.engine.snapshot.credentials.access_key_id)
    waiting.engine.tick()
    waiting.engine.invalidate(None)
    fleet.release()
    assert waiting.sts.calls == 1
    assert waiting.flight is None


def test_what_is_kept_warm_is_fetched_though_it_ended_while_it_waited(fleet: Fleet) -> None:
    slow, (waiting,) = fleet.add(8), fleet.add(1)
    fleet.hang(*slow)
    fleet.clock.advance(2700)
    fleet.tick(*slow, waiting)
    waiting.engine.keep_warm = True
    waiting.engine.invalidate(None)
    fleet.release()
    assert refreshed(waiting)


def test_of_a_thousand_that_are_fetched_ahead_eight_fly_at_once(fleet: Fleet) -> None:
    agenda = FakeAgenda()
    rigs = [rig(clock=fleet.clock, tower=fleet.tower, agenda=agenda) for _ in range(1_000)]
    fleet.rigs += rigs
    fleet.hang(*rigs)
    for each in rigs:
        each.engine.keep_warm = True
        each.engine.prefetch()
    assert len(flights()) == fleet.aloft() == 8
    assert agenda.at[-1] == fleet.clock.now() + MINUTE, "the refresher would spin"
    rigs[500].joined()
    assert len(flights()) == 9, "a reader waits for no turn"
    fleet.release()
    assert {each.sts.calls for each in rigs} == {1}


def test_a_turn_that_no_thread_can_take_is_given_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here,) = fleet.add(1)
    fleet.clock.advance(2700)
    monkeypatch.setattr(here.engine._hangar, "start", lambda *_: False)
    here.engine.tick()
    assert fleet.aloft() == 0
    assert here.engine.status().next_refresh_in == 1


def test_one_that_may_not_start_takes_no_turn(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here,) = fleet.add(1)
    fleet.clock.advance(2700)
    monkeypatch.setattr(here.engine._hangar, "may_start", lambda: False)
    here.engine.tick()
    assert fleet.aloft() == 0
    assert not fleet.tower._refreshing.line


def test_no_thread_holds_the_locks_of_two_identities(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rigs = fleet.add(60)
    held = threading.local()
    wrong: list[int] = []
    enter, leave = CountedLock.__enter__, CountedLock.__exit__

    def entering(lock: CountedLock) -> None:
        mine: list[CountedLock] = held.__dict__.setdefault("locks", [])
        wrong.extend(id(other) for other in mine if other is not lock)
        enter(lock)
        mine.append(lock)

    def leaving(lock: CountedLock, *error: object) -> None:
        held.locks.remove(lock)
        leave(lock, *error)

    monkeypatch.setattr(CountedLock, "__enter__", entering)
    monkeypatch.setattr(CountedLock, "__exit__", leaving)
    fleet.clock.advance(2700)
    fleet.tick(*rigs)
    for each in rigs:
        each.served()
    land_all()
    fleet.tower.tick()
    assert all(map(refreshed, rigs))
    assert wrong == []


def test_a_read_waits_for_no_lock_of_another_identity(fleet: Fleet) -> None:
    slow, (stuck, here) = fleet.add(8), fleet.add(2)
    fleet.hang(*slow)
    fleet.clock.advance(2700)
    fleet.tick(*slow, stuck)
    fleet.clock.advance(HANGS)
    done = threading.Event()

    def hold() -> None:
        with stuck.engine._lock:
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    eventually(lambda: stuck.engine._lock.depth)
    # Turns are free by now, and `stuck` is the next to be called.
    reader = threading.Thread(target=here.read)
    reader.start()
    reader.join(10)
    assert not reader.is_alive()
    assert here.flight is not None or refreshed(here)
    done.set()
    holder.join(10)


def test_a_slow_log_handler_of_one_keeps_nobody_waiting_for_a_turn(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.tower.most = 1
    slow, waiting = fleet.add(2)
    go_on = threading.Event()
    slow.sts.script.append(failure())
    fleet.hang(slow)
    fleet.clock.advance(2700)
    fleet.tick(slow, waiting)
    monkeypatch.setattr(slow.engine._outage, "report", lambda: go_on.wait(10))
    slow.sts.hold.set()
    eventually(lambda: refreshed(waiting))
    go_on.set()
