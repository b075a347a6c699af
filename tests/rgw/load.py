"""Readers that read without pause, and a record of each read."""

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

# A refused connection fails immediately, so a reader then pauses for so many seconds.
_PAUSE = 0.02
# Longer than any read, including one that waits for a refresh.
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Read:
    """One read.

    Attributes:
        reader: number of the reader, from 0.
        ended_at: end of the read on the monotonic clock.
        error: None for a successful read.
    """

    reader: int
    ended_at: float
    error: Exception | None


class Load(ABC):
    """Readers that read again and again inside a `with` block.

    Args:
        readers: number of readers.
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
        """Start one reader, which reads until `_stop` is set."""

    @abstractmethod
    def _join(self) -> None:
        """Wait until all readers have ended; raise if one hangs."""

    def _record(self, number: int, error: Exception | None) -> None:
        self._reads.append(Read(number, time.monotonic(), error))

    def reads(self, since: float = 0.0) -> list[Read]:
        """Return the reads that ended after `since` on the monotonic clock."""
        return [read for read in self._reads.copy() if read.ended_at > since]

    def errors(self, since: float = 0.0) -> list[Exception]:
        """Return the errors of reads that ended after `since`."""
        return [read.error for read in self.reads(since) if read.error is not None]

    def await_success_of_all(self, since: float, *, within: float) -> None:
        """Wait until each reader had a successful read that ended after `since`."""
        deadline = time.monotonic() + within
        while len({read.reader for read in self.reads(since) if not read.error}) < self._readers:
            assert time.monotonic() < deadline, f"no successful reads: {self.errors(since)[-3:]}"
            time.sleep(0.02)

    def await_errors(self, kind: type[Exception], *, within: float) -> None:
        """Wait for an error of a kind."""
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
        deadline = time.monotonic() + _TIMEOUT
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a reader hangs"

    def _work(self, number: int) -> None:
        while not self._stop.is_set():
            error: Exception | None = None
            try:
                self._read()
            except Exception as caught:  # noqa: BLE001 - recorded for the tests
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
        deadline = time.monotonic() + _TIMEOUT
        for task in self._tasks:
            task.result(timeout=max(0.0, deadline - time.monotonic()))

    async def _work(self, number: int) -> None:
        while not self._stop.is_set():
            error: Exception | None = None
            try:
                await self._read()
            except Exception as caught:  # noqa: BLE001 - recorded for the tests
                error = caught
                await anyio.sleep(_PAUSE)
            self._record(number, error)
