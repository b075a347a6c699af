"""Event loops, and aiobotocore's sessions in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import trio
import uvloop
from aiobotocore.credentials import AioDeferredRefreshableCredentials, AioRefreshableCredentials

from irsa_creds._botocore.credentials import METHOD
from irsa_creds.aiobotocore import AioIrsaCredentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def on_asyncio(call: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await call()

    return asyncio.run(main())


def on_uvloop(call: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await call()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def on_trio(call: Callable[[], Awaitable[T]]) -> T:
    return trio.run(call)


#: Each runs one coroutine function in a new loop.
LOOPS: dict[str, Any] = {"asyncio": on_asyncio, "uvloop": on_uvloop, "trio": on_trio}


def resolved(session: Any) -> Any:
    """Return the credentials object of an asynchronous session."""
    return on_asyncio(getattr(session, "_session", session).get_credentials)


def frozen(session: Any) -> Any:
    """Return the frozen credentials of a session."""
    credentials = resolved(session)
    return on_asyncio(credentials.get_frozen_credentials)


def is_ours(session: Any) -> bool:
    """Return whether a session's credentials are of irsa-creds and not of aiobotocore."""
    credentials = resolved(session)
    ours = isinstance(credentials, AioIrsaCredentials)
    assert ours or isinstance(credentials, AioDeferredRefreshableCredentials)
    assert isinstance(credentials, AioRefreshableCredentials)
    assert credentials.method == METHOD
    return ours
