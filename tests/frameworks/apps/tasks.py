"""The tasks of a Celery worker."""

from __future__ import annotations

import os
import time

from frameworks.apps.broker import REPLIES, application, move_into
from frameworks.apps.reading import provider, read

app = application("tasks")

# In the worker's main process, as a program that reads its bucket before forking.
provider.get()


def read_slowly(name: str) -> None:
    written = REPLIES.with_name(name)
    written.write_text(read().json())
    move_into(written, REPLIES)
    # So that no child takes all tasks.
    time.sleep(0.02)


def die() -> None:
    os._exit(1)


app.task(read_slowly, name="read", ignore_result=True)
app.task(die, name="die", ignore_result=True)
