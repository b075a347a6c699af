"""asyncio loops that run when a test turns them, and live by the fake clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._engine.waiting import aacquire
from irsa_creds._errors import Failure

if TYPE_CHECKING:
    from engine_fakes import FakeClock
    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.policy import Snapshot
    from irsa_creds._engine.refresh import Refresh

__all__ = ["SteppedLoop", "Waiting"]


@dataclass(eq=False)
class Waiting:
    """A task that waits for credentials.

    Attributes:
        task: the task itself.
        arrived_at: when it began to, by the fake clock.
        refresh: what it waits for.
    """

    task: asyncio.Task[Snapshot]
    arrived_at: float
    refresh: Refresh

    @property
    def is_due(self) -> bool:
        """Whether what it waits for is over, and it has not been told so yet."""
        return self.refresh.is_done

    @property
    def verdict(self) -> Failure | None:
        """What its refresh leaves it with: the failure of a blocking one, for all callers."""
        outcome = self.refresh.outcome
        return outcome if self.refresh.blocking and isinstance(outcome, Failure) else None


class SteppedLoop(asyncio.SelectorEventLoop):
    """A real loop, whose time is the fake clock's; told to, it runs as far as it can.

    Args:
        clock: by which its timeouts go.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._fake = clock
        super().__init__()
        self.waiting: list[Waiting] = []

    def time(self) -> float:
        return self._fake.now()

    def turn(self) -> None:
        """Run until nothing is left to do at this instant, whatever may be due later."""
        ready = cast("Any", self)._ready
        while True:
            # A round with something in it looks at its sockets and timers, and waits for none.
            self.call_soon(self.stop)
            self.run_forever()
            if not ready:
                break

    def begin(self, engine: Engine) -> asyncio.Task[Snapshot]:
        """Let a task begin to read, and run until it waits or is over."""
        task = self.create_task(aacquire(engine))
        self.turn()
        return task

    def end(self, *, tidy: bool) -> None:
        """Close it: when its tasks have been cancelled, or from under them."""
        tasks = [each.task for each in self.waiting] if tidy else []
        for task in tasks:
            task.cancel()
        if tasks:
            self.turn()
        self.close()
        assert all(task.cancelled() for task in tasks), "promise 4: a cancellation was swallowed"

    def drop_tasks(self) -> None:
        """Drop the tasks that waited when it was closed, as the garbage collector does."""
        for each in self.waiting:
            task = cast("Any", each.task)
            # asyncio logs that it was never ended: here that is deliberate.
            task._log_destroy_pending = False
            task.get_coro().close()
        self.waiting.clear()
