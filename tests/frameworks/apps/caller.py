"""Sends tasks to a Celery worker and prints the replies of its children."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from frameworks.apps.broker import OUTBOX, QUEUE, REPLIES, application, move_into
from frameworks.replies import Reply, read_and_restart

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 2
SECONDS = 30

app = application("caller", out=OUTBOX)
names = (f"reply-{number}" for number in itertools.count())


def send(task: str, *arguments: str) -> None:
    app.send_task(task, arguments)
    for message in OUTBOX.iterdir():
        move_into(message, QUEUE)


def reply_in(path: Path) -> Reply:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.005)
    return Reply.of(path.read_text())


def read_all() -> list[Reply]:
    sent = list(itertools.islice(names, 2 * WORKERS))
    for name in sent:
        send("read", name)
    return [reply_in(REPLIES / name) for name in sent]


if __name__ == "__main__":
    read_and_restart(read_all, lambda _: send("die"), workers=WORKERS).print()
