"""Celery's broker and the replies in folders, so that no server is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery

#: Where the worker looks for messages, where the caller writes them first, and the replies.
QUEUE, OUTBOX, REPLIES = Path("queue"), Path("outbox"), Path("replies")


def application(name: str, *, out: Path = QUEUE) -> Any:
    """Return an application that reads messages from `QUEUE` and writes them to `out`."""
    for folder in (QUEUE, OUTBOX, REPLIES):
        folder.mkdir(exist_ok=True)
    made: Any = Celery(name)
    made.conf.update(
        broker_url="filesystem://",
        broker_transport_options={
            "data_folder_in": str(QUEUE),
            "data_folder_out": str(out),
            "control_folder": str(QUEUE),
            "polling_interval": 0.01,
        },
        broker_connection_retry_on_startup=True,
        # Otherwise a busy child reserves a second task while another child is idle.
        worker_prefetch_multiplier=1,
    )
    return made


def move_into(path: Path, folder: Path) -> None:
    """Move a file into `folder` atomically."""
    path.rename(folder / path.name)
