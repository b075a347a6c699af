"""Waiting for a flight in every colour: threads, asyncio and trio, with a deadline each."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._errors import Failure, RefreshTimeout
from irsa_creds._freshness import WAITER_SECONDS, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from irsa_creds._engine import Engine
    from irsa_creds._flight import Flight

__all__ = ["aacquire", "acquire", "wait"]


def acquire(engine: Engine, min_ttl: float = 0.0, timeout: float = WAITER_SECONDS) -> Snapshot:
    """Return a snapshot that may be used, waiting as a thread does."""
    deadline = engine.now() + timeout
    while True:
        found = engine.look(min_ttl)
        if isinstance(found, Snapshot):
            return found
        if found.pilot == threading.get_ident():
            # On this caller's own thread, nothing else ends it when the caller's time is over.
            found.cut = deadline < found.deadline
            found.deadline = min(found.deadline, deadline)
            engine.fly(found)
            _raise_failure(found, cut=True)
        else:
            wait(found.future, _patience(engine, found, deadline, timeout))
            _raise_failure(found)


async def aacquire(
    engine: Engine,
    min_ttl: float = 0.0,
    timeout: float = WAITER_SECONDS,  # noqa: ASYNC109 - asyncio and trio have one each
) -> Snapshot:
    """Return a snapshot that may be used, waiting as a task does."""
    deadline = engine.now() + timeout
    while True:
        found = engine.look(min_ttl, inline=False)
        if isinstance(found, Snapshot):
            return found
        await _wait_async(found.future, _patience(engine, found, deadline, timeout))
        _raise_failure(found)


def _patience(engine: Engine, flight: Flight, deadline: float, timeout: float) -> float:
    """Return the seconds to wait for `flight`, before it is overdue or the waiter is."""
    now = engine.now()
    if now >= deadline:
        raise _out_of_time(engine, timeout)
    return max(0.0, min(deadline, flight.overdue_at) - now)


def _out_of_time(engine: Engine, timeout: float) -> RefreshTimeout:
    failure = engine.last_failure()
    cause = f"\nThe last one failed: {failure.text()}" if failure else " It may be slow, or hang."
    return RefreshTimeout(
        f"No credentials for {engine.role_arn} came within {timeout:g} s, and the refresh goes on."
        f"{cause}",
        failure=failure,
    )


def _raise_failure(flight: Flight, *, cut: bool = False) -> None:
    """Raise what a waiter gets from `flight`; return where it is to look again.

    Args:
        flight: what was waited for.
        cut: whether a flight that was cut short counts: for who flew it it does.
    """
    outcome = flight.future.result() if flight.future.done() else None
    # A background flight that failed says nothing to who found nothing valid: for them a
    # blocking one starts at once.
    if isinstance(outcome, Failure) and flight.blocking and (cut or not flight.cut):
        raise outcome.error()


def wait(future: Future[Any], seconds: float) -> None:
    """Block this thread until `future` is done or `seconds` are over."""
    # The result is a record, never an exception; whether it is there, the caller looks.
    with contextlib.suppress(TimeoutError):
        future.result(seconds)


async def _wait_async(future: Future[Any], seconds: float) -> None:
    """Suspend this task until `future` is done or `seconds` are over, without a thread."""
    token = _trio_token()
    if token is None:
        await _wait_asyncio(future, seconds)
    else:
        await _wait_trio(token, future, seconds)


def _trio_token() -> Any:
    """Return the token of the trio run that drives this task; None if an asyncio loop drives it.

    One thread may have both: a trio run is the guest of an asyncio loop, or was started inside a
    task of one, or the other way round. Each runs a task in the task's own context, so the
    innermost of them is trio exactly if the current context is that of trio's task.
    """
    # RuntimeError: no trio task runs on this thread. AttributeError: trio is not imported, or
    # another thread is importing it at this moment.
    with contextlib.suppress(AttributeError, RuntimeError):
        lowlevel = cast("Any", sys.modules.get("trio")).lowlevel
        context = lowlevel.current_task().context
        from contextvars import ContextVar  # noqa: PLC0415 - trio has imported it

        mark = ContextVar[bool]("irsa_creds_mark")
        before = mark.set(True)
        is_own = context.get(mark, False)
        mark.reset(before)
        return lowlevel.current_trio_token() if is_own else None
    return None


async def _wait_asyncio(future: Future[Any], seconds: float) -> None:
    # A third of what importing this package would cost; whoever runs a loop has paid for it.
    import asyncio  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    _when_done(future, lambda: loop.call_soon_threadsafe(done.set))
    # Not `wait_for`: before Python 3.12 it can swallow the task's cancellation.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done.wait()


async def _wait_trio(token: Any, future: Future[Any], seconds: float) -> None:
    trio = sys.modules["trio"]
    done = trio.Event()
    _when_done(future, lambda: token.run_sync_soon(done.set))
    with trio.move_on_after(seconds):
        await done.wait()


def _when_done(future: Future[Any], tell: Callable[[], object]) -> None:
    def told(_: Future[Any]) -> None:
        # A loop that was closed meanwhile raises RuntimeError (trio's RunFinishedError is one):
        # nobody waits there any more, and the others must be told all the same.
        with contextlib.suppress(RuntimeError):
            tell()

    future.add_done_callback(told)
