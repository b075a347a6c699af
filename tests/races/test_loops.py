"""Event loops that end, and tasks that are cancelled, just when a refresh ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio
import uvloop

from engine_fakes import eventually, rig
from irsa_creds._engine.waiting import aacquire, acquire
from races.crowd import LoopThread, waiting_for
from stepped_loop import SteppedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine_fakes import Rig
    from irsa_creds._engine.engine import Engine

ROUNDS = 50
STEP = 30e-6


# -- a cancellation is never swallowed -------------------------------------------------------------


@pytest.mark.parametrize("turns", range(6))
def test_a_cancellation_counts_however_near_the_outcome_it_comes(turns: int, here: Rig) -> None:
    here.sts.hold.clear()

    async def main() -> None:
        task = asyncio.create_task(aacquire(here.engine))
        await asyncio.sleep(0)
        assert waiting_for(here.engine) == 1
        # This loop does not run meanwhile: it gets the outcome in its next iteration.
        here.finish()
        for _ in range(turns):
            await asyncio.sleep(0)
        was_in_time = task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == was_in_time
        assert was_in_time or turns > 1

    asyncio.run(main())


def test_a_cancellation_that_comes_before_the_outcome_counts(here: Rig) -> None:
    here.sts.hold.clear()

    async def main() -> None:
        task = asyncio.create_task(aacquire(here.engine))
        await asyncio.sleep(0)
        task.cancel()
        here.finish()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_cancellation_that_comes_when_the_callers_time_is_over_counts(
    here: Rig, *, cancelled_first: bool
) -> None:
    here.sts.hold.clear()
    loop = SteppedLoop(here.clock)
    task = loop.begin(here.engine)
    if cancelled_first:
        task.cancel()
    here.clock.advance(36)
    if not cancelled_first:
        # The timer is due, and runs in the same iteration.
        loop.call_soon(task.cancel)
    loop.step()
    loop.close()
    assert task.cancelled()


def test_an_asyncio_timeout_of_the_user_raises_in_the_users_code(here: Rig) -> None:
    here.sts.hold.clear()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await aacquire(here.engine)

    asyncio.run(main())


# -- a refresh that ends while a loop is being closed ----------------------------------------------


def both_wait(engine: Engine) -> None:
    eventually(lambda: waiting_for(engine) == 2)


def run_on_trio(engine: Engine, leaving: threading.Event) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(aacquire, engine)
            await trio.to_thread.run_sync(both_wait, engine)
            leaving.set()
            nursery.cancel_scope.cancel()

    trio.run(main)


def run_on(make: Callable[[], asyncio.AbstractEventLoop]) -> Callable[..., None]:
    def run(engine: Engine, leaving: threading.Event) -> None:
        async def main() -> None:
            task = asyncio.ensure_future(aacquire(engine))
            await asyncio.to_thread(both_wait, engine)
            leaving.set()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(main())

    return run


ENDING: dict[str, Callable[..., None]] = {
    "asyncio": run_on(asyncio.new_event_loop),
    "uvloop": run_on(uvloop.new_event_loop),
    "trio": run_on_trio,
}


@pytest.mark.parametrize("loop", ENDING)
def test_a_refresh_that_ends_while_a_loop_is_being_closed_logs_nothing_and_wakes_the_others(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(ROUNDS):
        here = rig()
        here.sts.hold.clear()
        leaving = threading.Event()
        found: list[Any] = []

        def release(
            number: int = number, here: Rig = here, leaving: threading.Event = leaving
        ) -> None:
            leaving.wait(10)
            # A little later each time, so that one hits each moment of the closing.
            started = time.perf_counter()
            while time.perf_counter() < started + number * STEP:
                pass
            here.sts.hold.set()

        other = threading.Thread(target=lambda here=here, to=found: to.append(acquire(here.engine)))
        releaser = threading.Thread(target=release)
        here.joined()
        other.start()
        releaser.start()
        ENDING[loop](here.engine, leaving)
        releaser.join(10)
        other.join(10)
        here.finish()
        assert found == [here.engine.snapshot]
        assert here.sts.calls == 1
    assert caplog.messages == []


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_to_wake_a_closed_loop_does_no_harm(
    make: Callable[[], asyncio.AbstractEventLoop], here: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    here.sts.hold.clear()
    dead, alive = LoopThread(make), LoopThread(make)
    with dead, alive:
        lost = dead.submit(aacquire(here.engine))
        eventually(lambda: waiting_for(here.engine) == 1)
        dead.kill()
        assert lost.cancelled()
        other = alive.submit(aacquire(here.engine))
        eventually(lambda: waiting_for(here.engine) == 2)
        here.finish()
        assert other.result(10) is here.engine.snapshot
    assert here.sts.calls == 1
    assert caplog.messages == []
