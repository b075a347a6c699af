"""asyncio loops that a test runs step by step, on the fake clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._engine.waiting import aacquire
from irsa_creds._errors import Failure

if TYPE_CHECKING:
    from engine_fakes import FakeClock
    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot

__all__ = ["SteppedLoop", "Waiting"]


@dataclass(eq=False)
class Waiting:
    """A task that waits for credentials.

    Attributes:
        task: the task itself.
        arrived_at: when it began to wait, by the fake clock.
        refresh: the refresh that it waits for.
    """

    task: asyncio.Task[Snapshot]
    arrived_at: float
    refresh: Refresh

    @property
    def is_due(self) -> bool:
        """Whether the refresh has ended, but the task has not run since."""
        return self.refresh.is_done

    @property
    def failure(self) -> Failure | None:
        """The failure of a blocking refresh, which all its callers get."""
        outcome = self.refresh.outcome
        return outcome if self.refresh.blocking and isinstance(outcome, Failure) else None


class SteppedLoop(asyncio.SelectorEventLoop):
    """A real loop on the fake clock, which runs only when a test calls `step`.

    Args:
        clock: for its timeouts.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._fake = clock
        super().__init__()
        self.waiting: list[Waiting] = []

    def time(self) -> float:
        return self._fake.now()

    def step(self) -> None:
        """Run until nothing is left to do at this instant."""
        ready = cast("Any", self)._ready
        while True:
            # An iteration with a ready callback polls sockets and timers without waiting.
            self.call_soon(self.stop)
            self.run_forever()
            if not ready:
                break

    def begin(self, engine: Engine) -> asyncio.Task[Snapshot]:
        """Start a task that reads, and run until it waits or ends."""
        task = self.create_task(aacquire(engine))
        self.step()
        return task

    def end(self, *, cancel: bool) -> None:
        """Close the loop, with or without cancelling its tasks first."""
        tasks = [each.task for each in self.waiting] if cancel else []
        for task in tasks:
            task.cancel()
        if tasks:
            self.step()
        self.close()
        assert all(task.cancelled() for task in tasks), "promise 4: a cancellation was swallowed"

    def drop_tasks(self) -> None:
        """Drop the tasks of a closed loop, as the garbage collector does."""
        for each in self.waiting:
            task = cast("Any", each.task)
            # asyncio would log that the task never ended, which is deliberate here.
            task._log_destroy_pending = False
            task.get_coro().close()
        self.waiting.clear()
