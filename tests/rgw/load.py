"""Readers that read without pause, and a record of what each read met."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from anyio.from_thread import BlockingPortal

__all__ = ["Load", "Read", "Tasks", "Threads"]

# A refused connection comes back at once: who meets one pauses for so many seconds.
_PAUSE = 0.02
# No read takes nearly as long, not even one that waits for a flight to its end.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Read:
    """One read: which reader's, when it ended, and how.

    Attributes:
        reader: from 0.
        ended_at: on the monotonic clock.
        error: None for a good one.
    """

    reader: int
    ended_at: float
    error: Exception | None


class Load(ABC):
    """While it is entered, so many readers read over and over.

    Args:
        readers: how many.
    """

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._stop = threading.Event()
        self._reads: list[Read] = []

    def __enter__(self) -> Self:
        for number in range(self._readers):
            self._start(number)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._join()

    @abstractmethod
    def _start(self, number: int) -> None:
        """Start one reader, which goes on until `_stop` is set."""

    @abstractmethod
    def _join(self) -> None:
        """Return when all readers have ended; raise where one hangs."""

    def _record(self, number: int, error: Exception | None) -> None:
        self._reads.append(Read(number, time.monotonic(), error))

    def reads(self, since: float = 0.0) -> list[Read]:
        """Return the reads that have ended, those after `since` on the monotonic clock."""
        return [read for read in self._reads.copy() if read.ended_at > since]

    def errors(self, since: float = 0.0) -> list[Exception]:
        """Return what the reads since then have met."""
        return [read.error for read in self.reads(since) if read.error is not None]

    def await_good_reads_of_all(self, since: float, *, within: float) -> None:
        """Return once each reader had a good read that ended after `since`."""
        deadline = time.monotonic() + within
        while len({read.reader for read in self.reads(since) if not read.error}) < self._readers:
            assert time.monotonic() < deadline, f"no good reads: {self.errors(since)[-3:]}"
            time.sleep(0.02)

    def await_errors(self, kind: type[Exception], *, within: float) -> None:
        """Return once an error of that kind was met."""
        deadline = time.monotonic() + within
        while not any(isinstance(error, kind) for error in self.errors()):
            assert time.monotonic() < deadline, f"no {kind.__name__}: {self.errors()[-3:]}"
            time.sleep(0.02)


class Threads(Load):
    """Eight threads.

    Args:
        read: raises where a read fails.
    """

    def __init__(self, read: Callable[[], object]) -> None:
        super().__init__(readers=8)
        self._read = read
        self._threads: list[threading.Thread] = []

    def _start(self, number: int) -> None:
        thread = threading.Thread(target=self._work, args=(number,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _join(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a reader hangs"

    def _work(self, number: int) -> None:
        while not self._stop.is_set():
            error: Exception | None = None
            try:
                self._read()
            except Exception as caught:  # noqa: BLE001 - the tests ask which they were
                error = caught
                time.sleep(_PAUSE)
            self._record(number, error)


class Tasks(Load):
    """Twenty tasks of one event loop.

    Args:
        portal: to the loop.
        read: raises where a read fails.
    """

    def __init__(self, portal: BlockingPortal, read: Callable[[], Awaitable[object]]) -> None:
        super().__init__(readers=20)
        self._portal = portal
        self._read = read
        self._tasks: list[Future[None]] = []

    def _start(self, number: int) -> None:
        self._tasks.append(self._portal.start_task_soon(self._work, number))

    def _join(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        for task in self._tasks:
            task.result(timeout=max(0.0, deadline - time.monotonic()))

    async def _work(self, number: int) -> None:
        while not self._stop.is_set():
            error: Exception | None = None
            try:
                await self._read()
            except Exception as caught:  # noqa: BLE001 - the tests ask which they were
                error = caught
                await anyio.sleep(_PAUSE)
            self._record(number, error)
