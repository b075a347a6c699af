"""Who called: the modules on this thread's stack, where nothing else tells."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["callers"]


def callers() -> Iterator[str]:
    """Yield the name of each caller's module, the nearest first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - `inspect` costs its import
    while frame is not None:
        yield str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
