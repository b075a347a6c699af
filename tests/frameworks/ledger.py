"""What workers replied: which process served which key, and how often it asked STS."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["CONTENT", "Ledger", "Reply", "live_through"]

#: What every worker has to read.
CONTENT = "hello"
# Two refreshes take some five seconds; the rest is for a machine that has other things to do.
_PATIENCE = 40.0
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Reply:
    """One read.

    Attributes:
        pid: of the process that read.
        key: id of the access key that it had.
        calls: how often this process had asked STS by then.
        body: what it read from S3.
    """

    pid: int
    key: str
    calls: int
    body: str

    @classmethod
    def of(cls, text: str | bytes) -> Self:
        """Return the reply that was sent as JSON."""
        return cls(**json.loads(text))

    def json(self) -> str:
        """Return it as it is sent."""
        return json.dumps(asdict(self))


class Ledger:
    """All replies, in the order in which they came."""

    def __init__(self, replies: Iterable[Reply] = ()) -> None:
        self.replies: list[Reply] = []
        self.keys: defaultdict[int, list[str]] = defaultdict(list)
        self.calls: defaultdict[int, int] = defaultdict(int)
        for reply in replies:
            self.note(reply)

    def note(self, reply: Reply) -> None:
        """Take a reply in; one that is wrong raises."""
        assert reply.body == CONTENT, reply
        self.replies.append(reply)
        if reply.key not in self.keys[reply.pid]:
            self.keys[reply.pid].append(reply.key)
        self.calls[reply.pid] = max(self.calls[reply.pid], reply.calls)

    def users(self) -> dict[str, set[int]]:
        """Return for each key the processes that used it."""
        users: defaultdict[str, set[int]] = defaultdict(set)
        for pid, keys in self.keys.items():
            for key in keys:
                users[key].add(pid)
        return dict(users)

    def with_refreshes(self, refreshes: int, *, but: Iterable[int] = ()) -> list[int]:
        """Return the processes that went through so many refreshes, without those of `but`."""
        gone = set(but)
        return [pid for pid in self.keys if pid not in gone and len(self.keys[pid]) > refreshes]

    def print(self) -> None:
        """Print all replies, one a line, for another process's ledger."""
        for reply in self.replies:
            print(reply.json())  # noqa: T201 - it is how a program answers


def live_through(
    read: Callable[[], Iterable[Reply]],
    restart: Callable[[int], Any],
    *,
    workers: int,
    restarted: int = 1,
) -> Ledger:
    """Read until all workers had two refreshes, restart, and read until the new ones had one.

    Args:
        read: reads a few times, by as many workers as will have it.
        restart: restarts one worker, given its process id; nothing is read meanwhile.
        workers: how many there are.
        restarted: how many new ones there are to be afterwards.
    """
    ledger = Ledger()

    def read_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {dict(ledger.keys)}"
            for reply in read():
                ledger.note(reply)
            time.sleep(_PAUSE)

    read_until(lambda: len(ledger.with_refreshes(2)) >= workers)
    before = list(ledger.keys)
    restart(before[-1])
    read_until(lambda: len(ledger.with_refreshes(1, but=before)) >= restarted)
    return ledger
