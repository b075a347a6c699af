"""When a task lets its loop go."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Noting"]


class Noting(Generator[Any, Any, Any]):
    """Awaits a coroutine, and says when it lets the loop go for the first time.

    Args:
        coroutine: to await.
        note: called then; never, where it runs through without a pause.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], note: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._note: Callable[[], None] | None = note

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, value: Any) -> Any:
        """Let it run until it waits again."""
        awaited = self._coroutine.send(value)
        if self._note:
            self._note()
            self._note = None
        return awaited

    def throw(self, *error: Any) -> Any:
        """Pass an error on to it, such as its task's cancellation."""
        return self._coroutine.throw(*error)
