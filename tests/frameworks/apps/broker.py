"""Celery's broker in a folder, and replies beside it: neither side needs a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery

#: Where the worker looks for messages, where the caller writes them first, and the replies.
QUEUE, OUTBOX, REPLIES = Path("queue"), Path("outbox"), Path("replies")


def application(name: str, *, out: Path = QUEUE) -> Any:
    """Return an application that reads its messages from `QUEUE`, and writes them to `out`."""
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
        # Else a child keeps a second task to itself while another child has nothing to do.
        worker_prefetch_multiplier=1,
    )
    return made


def deliver(path: Path, folder: Path) -> None:
    """Move a file in one step: who looks into `folder` finds it whole."""
    path.rename(folder / path.name)
