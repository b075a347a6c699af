"""Waiting for a refresh in threads, asyncio and trio, with a deadline each.

A thread runs the refresh itself if no other thread can start, if it is inside another read (in a
signal handler, a finalizer or a log handler), if it has a lock of `logging`, or if it runs the
refresh of a target role and needs the source role's. A task never does.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._engine import timeouts
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import HERE, logging_is_held_here
from irsa_creds._engine.timing import WAITER_SECONDS
from irsa_creds._errors import Failure, RefreshTimeout
from irsa_creds._locks import hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.refresh import Refresh

__all__ = ["aacquire", "acquire", "join"]

# Seconds after which a caller looks again at a refresh that no thread has claimed yet.
_QUEUED_PATIENCE = 1.0
# Seconds after which it looks again at a running one: an exception of a signal handler may have
# interrupted the thread that was to wake it.
_LOOK_AGAIN = 5.0


def acquire(
    engine: Engine,
    min_ttl: float = 0.0,
    timeout: float = WAITER_SECONDS,
    *,
    for_target_role: bool = False,
    must_not_wait: bool | None = None,
) -> Snapshot:
    """Return valid credentials; without any, block this thread until a refresh ends.

    Args:
        engine: the identity.
        min_ttl: seconds that must be left to the end of use.
        timeout: seconds to wait.
        for_target_role: whether this thread runs the refresh of a target role. It then runs the
            source role's refresh as well: if each took a slot, targets could use up all slots while
            they wait for their sources.
        must_not_wait: whether it must not wait for another thread; None: if it is inside another
            read.
    """
    deadline = engine.now() + timeout
    if must_not_wait is None:
        must_not_wait = HERE.is_busy
    while True:
        found = hold(HERE.slow_path, engine.get_or_join, min_ttl, must_not_wait=must_not_wait)
        if isinstance(found, Snapshot):
            return found
        if not must_not_wait and logging_is_held_here():
            must_not_wait = True
            continue
        run_here = must_not_wait or for_target_role or not hold(HERE.slow_path, engine.start, found)
        ran_here = run_here and _run_here(engine, found, deadline, must_not_wait=must_not_wait)
        if ran_here:
            if not for_target_role:
                engine.deliver()
        elif must_not_wait:
            # Another thread has just claimed it.
            continue
        else:
            _wait(found, _patience(engine, found, deadline, timeout))
        _raise_failure(found, own=ran_here)


def join(engine: Engine, refresh: Refresh, deadline: float, *, must_not_wait: bool) -> None:
    """Run a refresh on this thread, or wait until it ends, for role chaining and for commands."""
    if not _run_here(engine, refresh, deadline, must_not_wait=must_not_wait) and not must_not_wait:
        _wait(refresh, max(0.0, min(deadline, refresh.overdue_at) - engine.now()))


def _run_here(engine: Engine, refresh: Refresh, deadline: float, *, must_not_wait: bool) -> bool:
    """Run a refresh on this thread; return False if another thread has claimed it."""

    def run() -> None:
        refresh.must_not_wait = must_not_wait
        # The caller cannot stop waiting for its own thread, so the refresh must end in time.
        refresh.shorten_to(deadline)
        engine.run(refresh)

    return refresh.run_once(engine.now(), run)


async def aacquire(
    engine: Engine,
    min_ttl: float = 0.0,
    timeout: float = WAITER_SECONDS,  # noqa: ASYNC109 - asyncio and trio have one each
) -> Snapshot:
    """Return valid credentials; without any, suspend this task until a refresh ends."""
    deadline = engine.now() + timeout
    while True:
        found = hold(HERE.slow_path, engine.get_or_join, min_ttl)
        if isinstance(found, Snapshot):
            return found
        if not hold(HERE.slow_path, engine.start, found):
            raise timeouts.no_thread()
        await _wait_async(found, _patience(engine, found, deadline, timeout))
        _raise_failure(found)


def _patience(engine: Engine, refresh: Refresh, deadline: float, timeout: float) -> float:
    """Return the seconds to wait for `refresh`: until its deadline, or until the caller's own."""
    now = engine.now()
    if now >= deadline:
        raise _out_of_time(engine, timeout)
    until = refresh.overdue_at if refresh.is_claimed else now + _QUEUED_PATIENCE
    return max(0.0, min(deadline, until, now + _LOOK_AGAIN) - now)


def _out_of_time(engine: Engine, timeout: float) -> RefreshTimeout:
    failure = engine.last_failure()
    cause = (
        f"\nThe last refresh failed: {failure.text()}"
        if failure
        else " Check for a DNS server, proxy or token callable that does not respond."
    )
    return RefreshTimeout(
        f"No credentials within {timeout:g} s for {engine.name}; the refresh continues.{cause}",
        failure=failure,
    )


def _raise_failure(refresh: Refresh, *, own: bool = False) -> None:
    """Raise the failure of `refresh`, unless the caller is to look again.

    Args:
        refresh: the one that the caller waited for.
        own: whether the caller ran it: if its deadline ended the refresh, it gets that failure.
    """
    outcome = refresh.outcome
    # After a failed background refresh a caller without valid credentials starts a blocking one.
    if isinstance(outcome, Failure) and refresh.blocking and (own or not refresh.fails_alone):
        raise outcome.error()


def _wait(refresh: Refresh, seconds: float) -> None:
    """Block this thread until `refresh` has an outcome or `seconds` are over."""
    # An exception of a signal handler could leave the lock of an event or a future taken, and the
    # refresh would hang when it releases its callers.
    gate = threading.Lock()
    gate.acquire()
    refresh.when_done(gate.release)
    with contextlib.suppress(RuntimeError):
        gate.acquire(timeout=seconds)
        return
    # While the interpreter ends, no thread may wait for another one (Python 3.13 and later).
    raise timeouts.no_thread()


async def _wait_async(refresh: Refresh, seconds: float) -> None:
    """Suspend this task until `refresh` has an outcome or `seconds` are over, without a thread."""
    token = _trio_token()
    if token is None:
        await _wait_asyncio(refresh, seconds)
    else:
        await _wait_trio(token, refresh, seconds)


def _trio_token() -> Any:
    """Return the token of the trio run that drives this task; None if an asyncio loop drives it.

    One thread may have both: a trio run may be the guest of an asyncio loop, or may have started
    inside a task of one, or the other way round. Each runs a task in the task's own context, so the
    innermost of them is trio exactly if the current context is that of trio's task.
    """
    # RuntimeError: no trio task runs on this thread. AttributeError: trio is not imported, or
    # another thread is importing it at this moment.
    with contextlib.suppress(AttributeError, RuntimeError):
        lowlevel = cast("Any", sys.modules.get("trio")).lowlevel
        context = lowlevel.current_task().context
        mark = ContextVar[bool]("irsa_creds_mark")
        before = mark.set(True)
        is_own = context.get(mark, False)
        mark.reset(before)
        return lowlevel.current_trio_token() if is_own else None
    return None


async def _wait_asyncio(refresh: Refresh, seconds: float) -> None:
    import asyncio  # noqa: PLC0415 - it would be a third of this package's import; a loop has it

    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    _when_done(refresh, lambda: loop.call_soon_threadsafe(done.set))
    # Not `wait_for`: before Python 3.12 it can swallow the task's cancellation.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done.wait()


async def _wait_trio(token: Any, refresh: Refresh, seconds: float) -> None:
    trio = sys.modules["trio"]
    done = trio.Event()
    _when_done(refresh, lambda: token.run_sync_soon(done.set))
    with trio.move_on_after(seconds):
        await done.wait()


def _when_done(refresh: Refresh, wake: Callable[[], object]) -> None:
    def wake_if_open() -> None:
        # A loop that was closed meanwhile raises RuntimeError (trio's RunFinishedError is one).
        # Nothing waits there any more, and the other callers must be woken all the same.
        with contextlib.suppress(RuntimeError):
            wake()

    refresh.when_done(wake_if_open)
