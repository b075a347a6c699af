"""Replies of workers: the process, its key, and its number of STS calls."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["CONTENT", "Replies", "Reply", "read_and_restart"]

#: The content of the object that every worker reads.
CONTENT = "hello"
# Two refreshes take about five seconds; a busy machine needs more.
_TIMEOUT = 40.0
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Reply:
    """One read.

    Attributes:
        pid: the process id.
        key: its access key id.
        calls: the process's number of STS calls so far.
        body: what it read from S3.
    """

    pid: int
    key: str
    calls: int
    body: str

    @classmethod
    def of(cls, text: str | bytes) -> Self:
        """Parse a reply from JSON."""
        return cls(**json.loads(text))

    def json(self) -> str:
        """Return the reply as JSON."""
        return json.dumps(asdict(self))


class Replies:
    """All replies, in order."""

    def __init__(self, replies: Iterable[Reply] = ()) -> None:
        self.replies: list[Reply] = []
        self.keys: defaultdict[int, list[str]] = defaultdict(list)
        self.calls: defaultdict[int, int] = defaultdict(int)
        for reply in replies:
            self.add(reply)

    def add(self, reply: Reply) -> None:
        """Add a reply; fail if its content is wrong."""
        assert reply.body == CONTENT, reply
        self.replies.append(reply)
        if reply.key not in self.keys[reply.pid]:
            self.keys[reply.pid].append(reply.key)
        self.calls[reply.pid] = max(self.calls[reply.pid], reply.calls)

    def users(self) -> dict[str, set[int]]:
        """Return the processes that used each key."""
        users: defaultdict[str, set[int]] = defaultdict(set)
        for pid, keys in self.keys.items():
            for key in keys:
                users[key].add(pid)
        return dict(users)

    def with_refreshes(self, refreshes: int, *, without: Iterable[int] = ()) -> list[int]:
        """Return the processes with so many refreshes, except those in `without`."""
        excluded = set(without)
        return [pid for pid in self.keys if pid not in excluded and len(self.keys[pid]) > refreshes]

    def print(self) -> None:
        """Print all replies, one per line, for the test's process."""
        for reply in self.replies:
            print(reply.json())  # noqa: T201 - the program's output


def read_and_restart(
    read: Callable[[], Iterable[Reply]],
    restart: Callable[[int], Any],
    *,
    workers: int,
    restarted: int = 1,
) -> Replies:
    """Read until all workers had two refreshes, restart, and read until new workers had one.

    Args:
        read: reads a few times with some workers.
        restart: restarts the worker with a process id.
        workers: number of workers.
        restarted: number of new workers to wait for.
    """
    replies = Replies()

    def read_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {dict(replies.keys)}"
            for reply in read():
                replies.add(reply)
            time.sleep(_PAUSE)

    read_until(lambda: len(replies.with_refreshes(2)) >= workers)
    before = list(replies.keys)
    restart(before[-1])
    read_until(lambda: len(replies.with_refreshes(1, without=before)) >= restarted)
    return replies
