"""Credentials objects of both sides and both colours, each from a session of its own; and loops."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.session
from botocore.credentials import RefreshableCredentials

import irsa_creds
from benchmarks._coming_rules import COMING, ComingCredentials
from benchmarks._measure import OURS

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
    """Whether a side, or a variant of it such as "irsa-creds-tasks", uses our provider."""
    return side.startswith(OURS)


def credentials_of(side: str) -> Any:
    """Return a session's credentials object, with our provider or botocore's own.

    Or, for the side `COMING` or a variant of it, one under AWS's coming rules.
    """
    session = botocore.session.Session()
    if is_ours(side):
        irsa_creds.install(session)
    credentials = session.get_credentials()
    if side.startswith(COMING):
        return ComingCredentials(credentials._refresh_using)  # noqa: SLF001
    return credentials


async def aio_credentials_of(side: str) -> Any:
    """Return an aiobotocore session's credentials object, with our provider or its own."""
    # Children of the other colour go without: it is what their users do.
    from aiobotocore.session import AioSession  # noqa: PLC0415

    session = AioSession()
    if is_ours(side):
        irsa_creds.install(session)
    return await session.get_credentials()


def engine_of(credentials: Any) -> Any:
    """Return what keeps our credentials; None for botocore's own."""
    return getattr(credentials, "_engine", None)


def age(credentials: Any, seconds: float) -> None:
    """Date credentials back."""
    engine = engine_of(credentials)
    if engine is None:
        credentials._expiry_time -= timedelta(seconds=seconds)  # noqa: SLF001
        # Their fetcher keeps the answer too, undated, and gives it again where it lasts 15 minutes.
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
    """Make both libraries' refresh windows here what 15 and 10 minutes are of an hour.

    And all times of AWS's coming rules what they are of one.
    """
    ComingCredentials.scale = lifetime / 3600
    # aiobotocore's class has them from this one; ours does not look at them.
    RefreshableCredentials._advisory_refresh_timeout = lifetime / 4  # noqa: SLF001
    RefreshableCredentials._mandatory_refresh_timeout = lifetime / 6  # noqa: SLF001


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that runs in a thread of its own until the process ends."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def on(loop: asyncio.AbstractEventLoop, task: Coroutine[Any, Any, _T]) -> _T:
    """Run a task on a loop of `new_loop`, from another thread, and return its result."""
    return asyncio.run_coroutine_threadsafe(task, loop).result()
