"""Sync and async credentials objects of both sides, each from a session of its own; and loops."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.session
from botocore.credentials import RefreshableCredentials

import irsa_creds
from benchmarks._measure import OURS
from benchmarks._planned_rules import PLANNED, PlannedCredentials

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = [
    "age",
    "aio_credentials_of",
    "credentials_of",
    "engine_of",
    "is_ours",
    "new_loop",
    "on",
    "scale_windows",
]

_T = TypeVar("_T")


def is_ours(side: str) -> bool:
    """Return whether a side or a variant such as "irsa-creds-tasks" uses irsa-creds."""
    return side.startswith(OURS)


def credentials_of(side: str) -> Any:
    """Return a session's credentials object of irsa-creds or botocore.

    For the side `PLANNED` or a variant of it, return one with AWS's planned rules.
    """
    session = botocore.session.Session()
    if is_ours(side):
        irsa_creds.install(session)
    credentials = session.get_credentials()
    if side.startswith(PLANNED):
        return PlannedCredentials(credentials._refresh_using)  # noqa: SLF001
    return credentials


async def aio_credentials_of(side: str) -> Any:
    """Return an aiobotocore session's credentials object of irsa-creds or aiobotocore."""
    # Sync children do not import it, as their users do not.
    from aiobotocore.session import AioSession  # noqa: PLC0415

    session = AioSession()
    if is_ours(side):
        irsa_creds.install(session)
    return await session.get_credentials()


def engine_of(credentials: Any) -> Any:
    """Return the engine of irsa-creds's credentials; None for botocore's."""
    return getattr(credentials, "_engine", None)


def age(credentials: Any, seconds: float) -> None:
    """Date credentials back."""
    engine = engine_of(credentials)
    if engine is None:
        credentials._expiry_time -= timedelta(seconds=seconds)  # noqa: SLF001
        # botocore's fetcher caches the response, and returns it while it is valid for 15 minutes.
        credentials._refresh_using.__self__._cache.clear()  # noqa: SLF001
        return
    snapshot = engine.snapshot
    engine.snapshot = type(snapshot)(
        snapshot.credentials,
        snapshot.sent_at - seconds,
        snapshot.wall_at - seconds,
        snapshot.lifetime,
        refresh_at=engine.now(),
    )


def scale_windows(lifetime: float) -> None:
    """Scale the refresh windows of both libraries, and AWS's planned rules, from an hour.

    irsa-creds needs no scaling.
    """
    PlannedCredentials.scale = lifetime / 3600
    # aiobotocore's class inherits them; irsa-creds's class does not use them.
    RefreshableCredentials._advisory_refresh_timeout = lifetime / 4  # noqa: SLF001
    RefreshableCredentials._mandatory_refresh_timeout = lifetime / 6  # noqa: SLF001


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that runs in its own thread until the process ends."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def on(loop: asyncio.AbstractEventLoop, task: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on a loop of `new_loop` and return its result."""
    return asyncio.run_coroutine_threadsafe(task, loop).result()
