"""Threads that read without pause, and a record of what each read met."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Load", "Read"]


@dataclass(frozen=True, slots=True)
class Read:
    """One read: which thread's, when it ended, and how.

    Attributes:
        thread: from 0.
        ended_at: on the monotonic clock.
        error: None for a good one.
    """

    thread: int
    ended_at: float
    error: Exception | None


class Load:
    """While it is entered, `threads` threads call `read` over and over.

    Args:
        read: raises where a read fails.
        threads: how many.
    """

    def __init__(self, read: Callable[[], object], threads: int = 8) -> None:
        self._read = read
        self._stop = threading.Event()
        self._reads: list[Read] = []
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a reader hangs"

    def reads(self, since: float = 0.0) -> list[Read]:
        """Return the reads that have ended, those after `since` on the monotonic clock."""
        return [read for read in self._reads.copy() if read.ended_at > since]

    def errors(self, since: float = 0.0) -> list[Exception]:
        """Return what the reads since then have met."""
        return [read.error for read in self.reads(since) if read.error is not None]

    def await_good_reads_of_all(self, since: float, *, within: float) -> None:
        """Return once each thread had a good read that ended after `since`."""
        deadline = time.monotonic() + within
        while len({read.thread for read in self.reads(since) if not read.error}) < len(
            self._threads
        ):
            assert time.monotonic() < deadline, f"no good reads: {self.errors(since)[-3:]}"
            time.sleep(0.02)

    def await_errors(self, kind: type[Exception], *, within: float) -> None:
        """Return once an error of that kind was met."""
        deadline = time.monotonic() + within
        while not any(isinstance(error, kind) for error in self.errors()):
            assert time.monotonic() < deadline, f"no {kind.__name__}: {self.errors()[-3:]}"
            time.sleep(0.02)

    def _work(self, number: int) -> None:
        while not self._stop.is_set():
            error: Exception | None = None
            try:
                self._read()
            except Exception as caught:  # noqa: BLE001 - the tests ask which they were
                error = caught
                time.sleep(0.02)  # a refused connection comes back at once
            self._reads.append(Read(number, time.monotonic(), error))
