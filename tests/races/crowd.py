"""Event loops on threads, and a count of the callers that wait for a refresh."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from irsa_creds._engine.engine import Engine

__all__ = ["LoopThread", "waiting_for"]

T = TypeVar("T")


class LoopThread:
    """An asyncio loop that runs on a thread until the end of the `with` block, or of `kill()`.

    Args:
        make: makes the loop.
    """

    def __init__(
        self, make: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> None:
        self.loop = make()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` as a task of the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def kill(self) -> None:
        """Cancel all tasks, and close the loop before a refresh can wake them."""
        if self.loop.is_closed():
            return
        self.submit(_cancel_all()).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive(), "a loop hangs"
        self.loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {cast("Any", asyncio.current_task())}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def waiting_for(engine: Engine) -> int:
    """Return how many wait for the refresh in progress: threads, and tasks of any loop."""
    refresh = engine.refresh
    return 0 if refresh is None else len(refresh._wakers)
