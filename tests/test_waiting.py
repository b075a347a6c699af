"""Waiting for a flight as a thread, as an asyncio task and as a trio task."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import time
from concurrent.futures import Future
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import trio

from irsa_creds import ExchangeError, Failure, IrsaError, RefreshTimeout
from irsa_creds._flight import Flight
from irsa_creds._freshness import OVERDUE_GRACE, WAITER_SECONDS, Snapshot
from irsa_creds._waiting import aacquire, acquire
from kit import ROLE, FakeClock, Rig, eventually, failure, rig, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Acquire = Callable[..., Snapshot]


def on_asyncio(*arguments: Any) -> Snapshot:
    return asyncio.run(aacquire(*arguments))


def on_trio(*arguments: Any) -> Snapshot:
    found: Snapshot = trio.run(functools.partial(aacquire, *arguments))
    return found


COLOURS = [acquire, on_asyncio, on_trio]
every_colour = pytest.mark.parametrize("get", COLOURS)


@pytest.fixture
def here() -> Iterator[Rig]:
    made = rig()
    yield made
    made.finish()


# -- on the engine ---------------------------------------------------------------------------------


@every_colour
def test_every_colour_gets_the_first_credentials(get: Acquire, here: Rig) -> None:
    found = get(here.engine)
    assert found is here.engine.snapshot
    assert found.credentials.access_key_id == "ASIA0000000000000001"
    assert get(here.engine) is found
    assert here.sts.calls == 1


@every_colour
def test_every_colour_gets_the_typed_error_with_its_cause(get: Acquire, here: Rig) -> None:
    here.sts.down = failure("AccessDenied", retryable=False)
    with pytest.raises(ExchangeError, match="AccessDenied") as caught:
        get(here.engine)
    assert caught.value.failure is here.sts.down
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@every_colour
def test_every_colour_waits_for_a_flight_that_another_thread_started(
    get: Acquire, here: Rig
) -> None:
    here.sts.hold.clear()
    here.joined()

    def release() -> None:
        waiting(here)
        here.sts.hold.set()

    releaser = threading.Thread(target=release)
    releaser.start()
    assert get(here.engine).credentials.access_key_id == "ASIA0000000000000001"
    releaser.join(10)


def waiting(here: Rig) -> None:
    """Wait until somebody waits for the flight under way."""
    flight = here.flight
    assert flight is not None
    future: Any = flight.future
    eventually(lambda: future._condition._waiters or future._done_callbacks)


@every_colour
def test_who_runs_out_of_time_hears_why_the_last_refresh_failed(get: Acquire) -> None:
    script = Script(Flight(blocking=True, started_at=0, deadline=0))
    script.failed = failure("Unavailable")
    with pytest.raises(RefreshTimeout, match="The last one failed: STS said Unavailable") as caught:
        get(script, 0.0, 0.0)
    assert caught.value.failure is script.failed
    assert str(caught.value).splitlines()[0].endswith("s, and the refresh goes on.")


@every_colour
def test_nobody_waits_longer_than_they_said(get: Acquire, here: Rig) -> None:
    here.sts.hold.clear()
    # The engine's clock stands still: only this deadline can end the wait.
    here.engine.now = time.monotonic
    here.engine._hangar._clock = here.clock
    started = time.monotonic()
    here.clock._now = started
    with pytest.raises(RefreshTimeout, match=rf"No credentials for {ROLE} came within 0.05 s"):
        get(here.engine, 0.0, 0.05)
    assert 0.05 <= time.monotonic() - started < 5
    here.sts.hold.set()
    here.settle()
    assert here.served(), "the refresh went on"


# -- step by step ----------------------------------------------------------------------------------


class PatientFuture(Future[Any]):
    """A future on the fake clock: waiting for it lets that time pass."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._clock = clock

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            assert timeout is not None, "nobody waits without a deadline"
            self.waited.append(timeout)
            self._clock.advance(timeout)
            timeout = 0
        return super().result(timeout)


class Script:
    """An engine whose looks are written down before."""

    role_arn = ROLE

    def __init__(self, *looks: Snapshot | Flight | IrsaError) -> None:
        self.clock = FakeClock()
        self.now = self.clock.now
        self.looks = list(looks)
        self.flown: list[Flight] = []
        self.failed: Failure | None = None

    def last_failure(self) -> Failure | None:
        return self.failed

    def look(self, min_ttl: float = 0.0, *, inline: bool = True) -> Snapshot | Flight:
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, IrsaError):
            raise found
        return found

    def flight(self, *, blocking: bool = True, seconds: float = 30.0) -> Flight:
        now = self.now()
        flight = Flight(blocking=blocking, started_at=now, deadline=now + seconds)
        flight.future = PatientFuture(self.clock)
        return flight

    def fly(self, flight: Flight) -> None:
        self.flown.append(flight)
        flight.settle(snapshot())

    def get(self, **fields: Any) -> Snapshot:
        found: Snapshot = acquire(self, **fields)  # type: ignore[arg-type]
        return found


def waited(flight: Flight) -> list[float]:
    assert isinstance(flight.future, PatientFuture)
    return flight.future.waited


def test_a_waiter_waits_until_the_flight_is_overdue_and_looks_again() -> None:
    script = Script()
    flight, made = script.flight(), snapshot()
    script.looks = [flight, made]
    assert script.get() is made
    assert waited(flight) == [30 + OVERDUE_GRACE]


def test_a_waiters_deadline_is_thirty_five_seconds_from_its_arrival_in_all() -> None:
    script = Script()
    background = script.flight(blocking=False, seconds=15)
    blocking = script.flight(seconds=45)
    script.looks = [background, blocking, blocking]
    with pytest.raises(RefreshTimeout, match="within 35 s"):
        script.get()
    assert waited(background) + waited(blocking) == [15 + OVERDUE_GRACE, 20 - OVERDUE_GRACE]
    assert WAITER_SECONDS == 35


def test_flights_that_succeed_and_help_nothing_do_not_hold_a_waiter_for_ever() -> None:
    script = Script()
    flight = script.flight()
    flight.settle(snapshot())
    script.looks = [flight]
    ticking = iter(range(1000))
    script.now = lambda: float(next(ticking))
    with pytest.raises(RefreshTimeout):
        script.get()


def test_a_blocking_flight_that_failed_is_the_waiters_error() -> None:
    script = Script()
    flight = script.flight()
    flight.settle(failure("AccessDenied"))
    script.looks = [flight]
    with pytest.raises(ExchangeError, match="AccessDenied"):
        script.get()


def test_a_background_flight_that_failed_says_nothing_and_the_waiter_looks_again() -> None:
    script = Script()
    flight, made = script.flight(blocking=False), snapshot()
    flight.settle(failure())
    script.looks = [flight, made]
    assert script.get() is made


def test_the_thread_that_is_told_to_runs_the_flight_itself() -> None:
    script = Script()
    flight, made = script.flight(), snapshot()
    flight.pilot = threading.get_ident()
    script.looks = [flight, made]
    assert script.get() is made
    assert script.flown == [flight]
    assert waited(flight) == []


def test_the_thread_that_is_told_to_runs_it_even_when_it_has_no_time() -> None:
    script = Script()
    flight, made = script.flight(), snapshot()
    flight.pilot = threading.get_ident()
    script.looks = [flight, made]
    assert script.get(timeout=0) is made


def test_with_no_time_at_all_valid_credentials_are_served() -> None:
    made = snapshot()
    assert Script(made).get(timeout=0) is made


# -- loops and tasks -------------------------------------------------------------------------------


def test_a_cancelled_task_loses_nothing_for_the_others(here: Rig) -> None:
    here.sts.hold.clear()

    async def main() -> Snapshot:
        quitter, other = (asyncio.ensure_future(aacquire(here.engine)) for _ in range(2))
        await asyncio.sleep(0)
        quitter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await quitter
        here.sts.hold.set()
        return await other

    assert asyncio.run(main()) is here.engine.snapshot
    assert here.sts.calls == 1


def test_a_cancelled_trio_task_loses_nothing_for_the_others(here: Rig) -> None:
    here.sts.hold.clear()
    found: list[Snapshot] = []

    async def other() -> None:
        found.append(await aacquire(here.engine))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            with trio.CancelScope() as scope:
                scope.cancel()
                await aacquire(here.engine)
            assert scope.cancelled_caught
            here.sts.hold.set()

    trio.run(main)
    assert found == [here.engine.snapshot]
    assert here.sts.calls == 1


def test_a_loop_that_was_closed_meanwhile_loses_nothing_for_the_others(
    here: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    here.sts.hold.clear()

    async def leave() -> None:
        with pytest.raises(RefreshTimeout):
            await aacquire(here.engine, timeout=0.01)

    here.engine.now = time.monotonic
    here.clock._now = time.monotonic()
    asyncio.run(leave())
    trio.run(leave)
    flight = here.flight
    assert flight is not None
    here.sts.hold.set()
    assert flight.future.result(10) is here.engine.snapshot
    here.finish()
    assert caplog.records == [], "nor does it fill the log"


def test_two_loops_and_a_thread_wait_for_one_flight(here: Rig) -> None:
    here.sts.hold.clear()
    found: list[Snapshot] = []

    def run(get: Acquire) -> None:
        found.append(get(here.engine))

    threads = [threading.Thread(target=run, args=(get,)) for get in COLOURS]
    for thread in threads:
        thread.start()
    eventually(lambda: here.sts.calls == 1)
    here.sts.hold.set()
    for thread in threads:
        thread.join(10)
    assert found == [here.engine.snapshot] * 3
    assert here.sts.calls == 1


def test_tasks_need_no_thread_each(here: Rig) -> None:
    here.sts.hold.clear()

    async def main() -> list[Snapshot]:
        tasks = [asyncio.ensure_future(aacquire(here.engine)) for _ in range(200)]
        await asyncio.sleep(0)
        assert threading.active_count() <= before + 1
        here.sts.hold.set()
        return await asyncio.gather(*tasks)

    before = threading.active_count()
    assert len(set(map(id, asyncio.run(main())))) == 1


def test_a_trio_that_is_only_just_being_imported_is_not_in_the_way(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    assert on_asyncio(here.engine)


def test_without_trio_asyncio_needs_none(here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trio")
    assert on_asyncio(here.engine)
