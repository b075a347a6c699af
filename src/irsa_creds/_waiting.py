"""Waiting for a flight in every colour: threads, asyncio and trio, with a deadline each."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import Failure, RefreshTimeout
from irsa_creds._freshness import WAITER_SECONDS, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from irsa_creds._engine import Engine
    from irsa_creds._flight import Flight

__all__ = ["aacquire", "acquire"]


def acquire(engine: Engine, min_ttl: float = 0.0, timeout: float = WAITER_SECONDS) -> Snapshot:
    """Return a snapshot that may be used, waiting as a thread does."""
    deadline = engine.now() + timeout
    while True:
        found = engine.look(min_ttl)
        if isinstance(found, Snapshot):
            return found
        if found.pilot == threading.get_ident():
            engine.fly(found)
        else:
            _wait(found.future, min(deadline, found.deadline) - engine.now())
        _judge(engine, found, deadline, timeout)


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
        await _wait_async(found.future, min(deadline, found.deadline) - engine.now())
        _judge(engine, found, deadline, timeout)


def _judge(engine: Engine, flight: Flight, deadline: float, timeout: float) -> None:
    """Raise what a waiter gets from `flight`; return where it is to look again."""
    if flight.future.done():
        outcome = flight.future.result()
        # A background flight that failed says nothing to who found nothing valid: for them a
        # blocking one starts at once.
        if isinstance(outcome, Failure) and flight.blocking:
            raise outcome.error()
    elif engine.now() >= deadline:
        raise RefreshTimeout(
            f"No credentials for {engine.role_arn} came within {timeout:g} s. "
            "The refresh goes on; status() and the log tell what delays it."
        )


def _wait(future: Future[Any], seconds: float) -> None:
    """Block this thread until `future` is done or `seconds` are over."""
    # The result is a record, never an exception; whether it is there, the caller looks.
    with contextlib.suppress(TimeoutError):
        future.result(max(0.0, seconds))


async def _wait_async(future: Future[Any], seconds: float) -> None:
    """Suspend this task until `future` is done or `seconds` are over, without a thread."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        await _wait_trio(trio, future, seconds)
    else:
        await _wait_asyncio(future, seconds)


async def _wait_asyncio(future: Future[Any], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    _when_done(future, lambda: loop.call_soon_threadsafe(done.set))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), max(0.0, seconds))


async def _wait_trio(trio: Any, future: Future[Any], seconds: float) -> None:
    token = trio.lowlevel.current_trio_token()
    done = trio.Event()
    _when_done(future, lambda: token.run_sync_soon(done.set))
    with trio.move_on_after(max(0.0, seconds)):
        await done.wait()


def _when_done(future: Future[Any], tell: Callable[[], object]) -> None:
    def told(_: Future[Any]) -> None:
        # A loop that was closed meanwhile raises RuntimeError (trio's RunFinishedError is one):
        # nobody waits there any more, and the others must be told all the same.
        with contextlib.suppress(RuntimeError):
            tell()

    future.add_done_callback(told)
