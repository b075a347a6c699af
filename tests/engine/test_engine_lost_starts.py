"""Refreshes that never start, and refreshes that end or hang in unexpected ways."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import TYPE_CHECKING

import pytest

from engine_fakes import FakeTimer, Rig, eventually, failure, high, join_refreshes, rig
from irsa_creds import RefreshTimeout
from irsa_creds._engine.slots import Slots
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import HERE
from irsa_creds._engine.timing import OVERDUE_GRACE
from irsa_creds._engine.waiting import aacquire, acquire

if TYPE_CHECKING:
    from engine_fakes import FakeClock

BAD_TOKEN = failure("ExpiredTokenException", retryable=False, bad_token=True)


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    return monkeypatch


def test_queued_refreshes_that_no_thread_could_start_for_start_a_second_later(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = Slots(clock)
    slots.most_in_background = 1
    all_of_them = [rig(uniform=high, clock=clock, slots=slots, timer=FakeTimer()) for _ in range(4)]
    for each in all_of_them:
        each.warm()
    clock.advance(2700)
    with monkeypatch.context() as patch:
        patch.setattr("irsa_creds._engine.slots.start_thread", lambda _: False)
        for each in all_of_them:
            each.engine.tick()
            assert each.engine.wakes_at == clock.now() + 1
    clock.advance(1)
    for each in all_of_them:
        each.engine.tick()
    join_refreshes()
    assert [each.sts.calls for each in all_of_them] == [2] * 4


def test_an_interrupted_start_of_a_background_refresh_is_repeated_after_a_second(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = here.warm()
    here.clock.advance(2700)

    def interrupted(_: threading.Thread) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("irsa_creds._engine.slots.start_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            here.served()
    assert made.check_at == here.clock.now() + 1
    here.clock.advance(1)
    assert here.served() is made
    here.finish()
    assert here.sts.calls == 2


@pytest.mark.usefixtures("no_threads")
def test_a_refresh_that_a_task_could_not_start_is_started_by_the_next_caller(here: Rig) -> None:
    with pytest.raises(RefreshTimeout, match="No thread could be started"):
        asyncio.run(aacquire(here.engine))
    assert acquire(here.engine)


def test_a_read_inside_a_read_never_waits_for_a_refresh_that_another_thread_runs(
    here: Rig,
) -> None:
    made = here.warm()
    here.clock.step_wall(7200)
    here.sts.hold.clear()
    here.joined()
    eventually(lambda: here.sts.calls == 2)
    with HERE.slow_path:
        assert acquire(here.engine, timeout=0) is made
        with pytest.raises(RefreshTimeout, match="min_ttl"):
            acquire(here.engine, min_ttl=10_000, timeout=0)


def test_a_look_at_a_denied_token_that_hangs_is_disowned_at_its_deadline(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(BAD_TOKEN)
    here.served()
    here.finish()
    looking, go_on = threading.Event(), threading.Event()

    def hang() -> bool:
        looking.set()
        return go_on.wait(10) and False

    monkeypatch.setattr(here.fetcher, "token_changed", hang)
    here.clock.advance(1)
    made = here.served()
    assert looking.wait(10)
    assert made.check_at == here.clock.now() + 15 + OVERDUE_GRACE
    here.clock.advance(15 + OVERDUE_GRACE)
    assert here.served() is made
    assert here.refresh is None
    go_on.set()


def test_reads_with_min_ttl_during_a_bad_tokens_back_off_schedule_once_a_second() -> None:
    timer = FakeTimer()
    here = rig(uniform=high, timer=timer)
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(BAD_TOKEN)
    here.engine.tick()
    here.finish()
    timer.at.clear()
    for _ in range(100):
        here.clock.advance(0.001)
        here.served(min_ttl=1)
    assert len(timer.at) <= 1


def test_a_late_response_older_than_revoked_credentials_does_not_count(
    here: Rig,
) -> None:
    here.sts.hold.clear()
    late = here.joined()
    eventually(lambda: here.sts.calls == 1)
    here.clock.advance(30 + OVERDUE_GRACE)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.clock.advance(2)
    here.sts.hold.set()
    made = acquire(here.engine)
    join_refreshes()
    here.engine.invalidate(None)
    old = late.outcome
    assert old is not made
    here.engine._finish(late, copy.copy(made))
    assert here.engine.snapshot is made, "the late response did not count as newer"


def test_an_overtaken_refresh_counts_if_it_is_newer(here: Rig) -> None:
    overtaken = here.engine.get_or_join()
    assert not isinstance(overtaken, Snapshot)
    assert overtaken.claim(here.clock.now())
    # A read inside a read does not wait for the thread that claimed it.
    assert here.engine.get_or_join(must_not_wait=True) is not overtaken
    here.engine.run(overtaken)
    assert here.served() is overtaken.outcome
