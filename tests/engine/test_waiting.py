"""Waiting for a refresh as a thread, as an asyncio task and as a trio task."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import threading
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import trio

from engine_fakes import ROLE, FakeClock, Rig, eventually, failure, outcome_of, rig, snapshot
from irsa_creds import ExchangeError, Failure, IrsaError, RefreshTimeout
from irsa_creds._engine import waiting
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.this_thread import HERE
from irsa_creds._engine.timing import OVERDUE_GRACE, WAITER_SECONDS
from irsa_creds._engine.waiting import aacquire, acquire, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._engine.snapshot import Snapshot

    Acquire = Callable[..., Snapshot]


def on_asyncio(*arguments: Any) -> Snapshot:
    return asyncio.run(aacquire(*arguments))


def on_trio(*arguments: Any) -> Snapshot:
    found: Snapshot = trio.run(functools.partial(aacquire, *arguments))
    return found


CALLERS = [acquire, on_asyncio, on_trio]
every_caller = pytest.mark.parametrize("get", CALLERS)


@pytest.fixture
def here() -> Iterator[Rig]:
    made = rig()
    yield made
    made.finish()


# -- on the engine ---------------------------------------------------------------------------------


@every_caller
def test_every_kind_of_caller_gets_the_first_credentials(get: Acquire, here: Rig) -> None:
    found = get(here.engine)
    assert found is here.engine.snapshot
    assert found.credentials.access_key_id == "ASIA0000000000000001"
    assert get(here.engine) is found
    assert here.sts.calls == 1


@every_caller
def test_every_kind_of_caller_gets_the_typed_error_with_its_cause(get: Acquire, here: Rig) -> None:
    here.sts.down = failure("AccessDenied", retryable=False)
    with pytest.raises(ExchangeError, match="AccessDenied") as caught:
        get(here.engine)
    assert caught.value.failure is here.sts.down
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@every_caller
def test_every_kind_of_caller_waits_for_a_refresh_that_another_thread_started(
    get: Acquire, here: Rig
) -> None:
    here.sts.hold.clear()
    refresh = here.joined()

    def release() -> None:
        eventually(lambda: refresh._wakers)
        here.sts.hold.set()

    releaser = threading.Thread(target=release)
    releaser.start()
    assert get(here.engine).credentials.access_key_id == "ASIA0000000000000001"
    releaser.join(10)


@every_caller
def test_the_error_of_a_callers_timeout_has_the_last_failure(get: Acquire, script: Script) -> None:
    script.results = [script.refresh()]
    script.failed = failure("Unavailable")
    with pytest.raises(
        RefreshTimeout, match="The last refresh failed: STS said Unavailable"
    ) as caught:
        get(script, 0.0, 0.0)
    assert caught.value.failure is script.failed
    assert str(caught.value).splitlines()[0].endswith("the refresh continues.")


@every_caller
def test_the_last_failure_of_a_callers_timeout_has_its_advice(get: Acquire, script: Script) -> None:
    script.results = [script.refresh()]
    script.failed = failure("Unavailable", advice="Do this.")
    with pytest.raises(RefreshTimeout, match="advice:  Do this") as caught:
        get(script, 0.0, 0.0)
    assert caught.value.failure is script.failed


@every_caller
def test_no_caller_waits_longer_than_its_timeout(get: Acquire, here: Rig) -> None:
    here.sts.hold.clear()
    # The engine's clock stands still: only this deadline can end the wait.
    here.engine.now = time.monotonic
    started = time.monotonic()
    here.clock._now = started
    with pytest.raises(RefreshTimeout, match=rf"No credentials within 0.05 s for {ROLE}"):
        get(here.engine, 0.0, 0.05)
    assert 0.05 <= time.monotonic() - started < 30
    here.sts.hold.set()
    here.settle()
    assert here.served(), "the refresh went on"


# -- step by step ----------------------------------------------------------------------------------


class Script:
    """An engine with prepared results.

    Attributes:
        results: of `get_or_join`, in order; the last one comes again and again.
        threads: whether a thread can start.
        waited: the seconds that threads waited, which pass on the fake clock.
        ran: the refreshes that callers ran themselves.
        delivered: how often their logs and events were delivered.
        alone: whether each call was one that must not wait for another thread.
    """

    name = ROLE

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.now = self.clock.now
        self.results: list[Snapshot | Refresh | IrsaError] = []
        self.threads = True
        self.waited: list[float] = []
        self.ran: list[Refresh] = []
        self.delivered = 0
        self.must_not_wait: list[bool] = []
        self.failed: Failure | None = None
        self.outcome: Snapshot | Failure = snapshot()

    def last_failure(self) -> Failure | None:
        return self.failed

    def get_or_join(
        self, min_ttl: float = 0.0, *, must_not_wait: bool = False
    ) -> Snapshot | Refresh:
        assert min_ttl == 0.0
        self.must_not_wait.append(must_not_wait)
        found = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(found, IrsaError):
            raise found
        return found

    def start(self, refresh: Refresh) -> bool:
        return self.threads or refresh.is_claimed

    def refresh(
        self, *, blocking: bool = True, seconds: float = 30.0, claimed: bool = True
    ) -> Refresh:
        now = self.now()
        refresh = Refresh(blocking=blocking, created_at=now, seconds=seconds)
        assert not claimed or refresh.claim(now)
        return refresh

    def run(self, refresh: Refresh) -> None:
        assert refresh.is_claimed
        self.ran.append(refresh)
        refresh.settle(self.outcome)

    def deliver(self) -> None:
        self.delivered += 1

    def get(self, **fields: Any) -> Snapshot:
        found: Snapshot = acquire(self, **fields)  # type: ignore[arg-type]
        return found


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()

    def wait(refresh: Refresh, seconds: float) -> None:
        if not refresh.is_done:
            made.waited.append(seconds)
            made.clock.advance(seconds)

    monkeypatch.setattr("irsa_creds._engine.waiting._wait", wait)
    return made


def test_a_caller_waits_until_the_refresh_is_overdue_and_looks_again(script: Script) -> None:
    made = snapshot()
    script.results = [*[script.refresh()] * 7, made]
    assert script.get() is made
    # Also every 5 s: an exception of a signal handler may interrupt the thread that wakes it.
    assert script.waited == [5.0] * 6 + [OVERDUE_GRACE]


def test_a_caller_looks_at_a_queued_refresh_every_second(script: Script) -> None:
    made, queued = snapshot(), script.refresh(claimed=False)
    script.results = [queued, queued, made]
    assert script.get() is made
    assert script.waited == [1.0, 1.0]
    assert script.ran == []


def test_a_callers_deadline_is_thirty_five_seconds_from_its_arrival_in_all(script: Script) -> None:
    background = script.refresh(blocking=False, seconds=15)
    blocking = script.refresh(seconds=45)
    script.results = [*[background] * 4, blocking]
    with pytest.raises(RefreshTimeout, match="within 35 s"):
        script.get()
    assert script.waited[:4] == [5.0] * 3 + [OVERDUE_GRACE]
    assert sum(script.waited) == WAITER_SECONDS == 35


def test_refreshes_that_succeed_and_help_nothing_do_not_hold_a_caller_for_ever(
    script: Script,
) -> None:
    refresh = script.refresh()
    refresh.settle(snapshot())
    script.results = [refresh]
    ticking = iter(range(1000))
    script.now = lambda: float(next(ticking))
    with pytest.raises(RefreshTimeout):
        script.get()


def test_a_blocking_refresh_that_failed_is_the_callers_error(script: Script) -> None:
    refresh = script.refresh()
    refresh.settle(failure("AccessDenied"))
    script.results = [refresh]
    with pytest.raises(ExchangeError, match="AccessDenied"):
        script.get()


def test_after_a_failed_background_refresh_the_caller_looks_again(
    script: Script,
) -> None:
    refresh, made = script.refresh(blocking=False), snapshot()
    refresh.settle(failure())
    script.results = [refresh, made]
    assert script.get() is made


def test_after_a_refresh_cut_by_another_callers_deadline_the_caller_looks_again(
    script: Script,
) -> None:
    refresh, made = script.refresh(), snapshot()
    refresh.shorten_to(script.now() + 0.1)
    refresh.settle(failure())
    script.results = [refresh, made]
    assert script.get() is made


def test_at_the_interpreters_end_a_caller_that_cannot_wait_gets_a_typed_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lock:
        """`threading.Lock` at the interpreter's end, from Python 3.13 on."""

        def acquire(self, *, timeout: float = -1) -> bool:
            if timeout >= 0:
                raise RuntimeError("cannot acquire lock at interpreter finalization")
            return True

        def release(self) -> None:
            raise AssertionError

    script = Script()
    script.results = [script.refresh()]
    monkeypatch.setattr("irsa_creds._engine.waiting.threading.Lock", Lock)
    with pytest.raises(RefreshTimeout, match="the interpreter is shutting down"):
        script.get()


def test_with_no_time_at_all_valid_credentials_are_served(script: Script) -> None:
    made = snapshot()
    script.results = [made]
    assert script.get(timeout=0) is made


@every_caller
def test_a_cached_failure_is_raised_as_it_is(get: Acquire, script: Script) -> None:
    script.results = [failure("AccessDenied").error()]
    with pytest.raises(ExchangeError, match="AccessDenied"):
        get(script)


# -- callers that run the refresh themselves -------------------------------------------------------


def test_a_thread_runs_the_refresh_itself_where_no_thread_can_start(script: Script) -> None:
    made = snapshot()
    script.threads = False
    refresh = script.refresh(claimed=False)
    script.results = [refresh, made]
    assert script.get(timeout=9) is made
    assert script.ran == [refresh]
    assert script.waited == []
    assert script.delivered == 1
    assert refresh.deadline == script.now() + 9, "it ends with its caller's time"
    assert not refresh.must_not_wait


def test_its_failure_is_the_callers_error_also_where_its_caller_cut_it_short(
    script: Script,
) -> None:
    script.threads = False
    script.outcome = failure("ServiceUnavailable")
    script.results = [script.refresh(claimed=False)]
    with pytest.raises(ExchangeError, match="ServiceUnavailable"):
        script.get(timeout=1)


def test_it_runs_it_even_when_it_has_no_time(script: Script) -> None:
    made = snapshot()
    script.threads = False
    script.results = [script.refresh(claimed=False), made]
    assert script.get(timeout=0) is made


def test_it_waits_for_a_refresh_that_has_a_thread_already(script: Script) -> None:
    made = snapshot()
    script.threads = False
    script.results = [script.refresh(), made]
    assert script.get() is made
    assert script.ran == []
    assert script.waited == [5.0]


def test_a_task_never_runs_a_refresh_itself(script: Script) -> None:
    script.threads = False
    script.results = [script.refresh(claimed=False)]
    for get in (on_asyncio, on_trio):
        with pytest.raises(RefreshTimeout, match="No thread could be started"):
            get(script)
    assert script.ran == []


def test_the_thread_of_a_target_roles_refresh_runs_its_source_roles_too(script: Script) -> None:
    made = snapshot()
    refresh = script.refresh(claimed=False)
    script.results = [refresh, made]
    assert script.get(for_target_role=True) is made
    assert script.ran == [refresh]
    assert script.delivered == 0, "its log lines wait until the target's refresh has ended"


def test_it_waits_for_a_source_roles_refresh_that_another_thread_runs(script: Script) -> None:
    made = snapshot()
    script.results = [script.refresh(), made]
    assert script.get(for_target_role=True) is made
    assert script.ran == []
    assert script.waited == [5.0]


def test_a_read_inside_a_read_waits_for_no_other_thread(script: Script) -> None:
    made = snapshot()
    taken, refresh = script.refresh(), script.refresh(claimed=False)
    # Another thread claims it after the decision to run it here.
    script.results = [taken, refresh, made]
    with HERE.slow_path:
        assert script.get() is made
    assert script.must_not_wait == [True] * 3
    assert script.ran == [refresh]
    assert refresh.must_not_wait
    assert script.waited == []


def test_a_read_in_a_log_handler_waits_for_no_other_thread(script: Script) -> None:
    made, refresh = snapshot(), script.refresh(claimed=False)
    script.results = [script.refresh(claimed=False), refresh, made]
    handler = logging.StreamHandler()
    handler.acquire()
    try:
        assert script.get() is made
    finally:
        handler.release()
    assert script.must_not_wait == [False, True, True]
    assert script.ran == [refresh]


def test_joining_a_source_roles_refresh_runs_it_here_where_no_thread_does(script: Script) -> None:
    refresh = script.refresh(claimed=False)
    joined(script, refresh, script.now() + 9, must_not_wait=True)
    assert script.ran == [refresh]
    assert refresh.must_not_wait
    assert refresh.deadline == script.now() + 9
    assert script.delivered == 0


def test_joining_it_waits_for_the_thread_that_runs_it(script: Script) -> None:
    joined(script, script.refresh(), script.now() + 9)
    joined(script, script.refresh(), script.now() + 99)
    joined(script, script.refresh(), script.now() - 1)
    assert script.waited == [9, 30 + OVERDUE_GRACE, 0]
    assert script.ran == []


def test_joining_it_waits_for_no_other_thread_inside_a_read(script: Script) -> None:
    joined(script, script.refresh(), script.now() + 9, must_not_wait=True)
    assert script.waited == []
    assert script.ran == []


def joined(script: Any, refresh: Refresh, deadline: float, *, must_not_wait: bool = False) -> None:
    join(script, refresh, deadline, must_not_wait=must_not_wait)


def test_a_thread_that_waits_is_woken_by_the_outcome_or_by_its_time() -> None:
    refresh = Refresh(blocking=True, created_at=0, seconds=30)
    waiting._wait(refresh, 0.01)
    assert len(refresh._wakers) == 1, "it was still to be woken"
    thread = threading.Thread(target=waiting._wait, args=(refresh, 10))
    thread.start()
    eventually(lambda: len(refresh._wakers) == 2)
    refresh.settle(snapshot())
    thread.join(10)
    assert not thread.is_alive()
    # There is an outcome already.
    waiting._wait(refresh, 10)


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
    refresh = here.refresh
    assert refresh is not None
    here.sts.hold.set()
    assert outcome_of(refresh) is here.engine.snapshot
    here.finish()
    assert caplog.records == [], "nor does it fill the log"


def test_two_loops_and_a_thread_wait_for_one_refresh(here: Rig) -> None:
    here.sts.hold.clear()
    found: list[Snapshot] = []

    def run(get: Acquire) -> None:
        found.append(get(here.engine))

    threads = [threading.Thread(target=run, args=(get,)) for get in CALLERS]
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


def test_a_partly_imported_trio_does_no_harm(here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    assert on_asyncio(here.engine)


def test_asyncio_works_without_trio(here: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trio")
    assert on_asyncio(here.engine)
