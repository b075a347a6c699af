"""Notice when a coroutine first suspends its task."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["NoteSuspension"]


class NoteSuspension(Generator[Any, Any, Any]):
    """Awaits a coroutine, and calls a function when it first suspends.

    Args:
        coroutine: the coroutine.
        note: the function; not called if the coroutine never suspends.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], note: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._note: Callable[[], None] | None = note

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, value: Any) -> Any:
        """Run the coroutine until it suspends again."""
        awaited = self._coroutine.send(value)
        if self._note:
            self._note()
            self._note = None
        return awaited

    def throw(self, *error: Any) -> Any:
        """Raise an error in the coroutine, such as its task's cancellation."""
        return self._coroutine.throw(*error)
