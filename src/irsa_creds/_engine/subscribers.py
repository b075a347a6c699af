"""The way of events to subscribers: in order, one at a time, and never in a caller's way."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from irsa_creds._locks import try_hold
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from irsa_creds._engine.events import Event

__all__ = ["Subscribers", "subscribe_everywhere"]

_log = logging.getLogger("irsa_creds")

# Subscribers to the events of every provider of the process, of those made later too.
_EVERYWHERE: list[Callable[[Event], object]] = []


def subscribe_everywhere(callback: Callable[[Event], object]) -> Callable[[], None]:
    """Add `callback` to the subscribers of all providers; return what removes it again."""
    return _added(_EVERYWHERE, callback)


def _added(
    callbacks: list[Callable[[Event], object]], callback: Callable[[Event], object]
) -> Callable[[], None]:
    import inspect  # noqa: PLC0415 - a program without subscribers does not pay for it

    # Their classes are a tenth of what a cold start takes. They are loaded here, since a refresh
    # imports nothing: a fork may come at any moment.
    import irsa_creds._engine.events  # noqa: F401, PLC0415

    if not callable(callback) or inspect.iscoroutinefunction(callback):
        raise TypeError(f"subscribe() takes a plain function of one event, and got {callback!r}.")
    callbacks.append(callback)

    def unsubscribe() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return unsubscribe


class Subscribers:
    """One provider's subscribers, and the events that they are still to be told."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Event], object]] = []
        self._queue: deque[tuple[str, tuple[Any, ...]]] = deque(maxlen=1000)
        self._delivering = threading.Lock()

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Add `callback`; return what removes it again."""
        return _added(self._callbacks, callback)

    def put(self, events: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Keep names and arguments of events for the next delivery."""
        if self._callbacks or _EVERYWHERE:
            self._queue.extend(events)

    def deliver(self) -> None:
        """Call the subscribers; where a slow one is still being called, its thread goes on."""
        # Again where events came while another thread was just letting go.
        while self._queue and try_hold(self._delivering, self._tell_all):
            pass

    def _tell_all(self) -> None:
        while self._queue:
            self._tell(*self._queue.popleft())

    def _tell(self, name: str, arguments: tuple[Any, ...]) -> None:
        from irsa_creds._engine import events  # noqa: PLC0415 - loaded by `subscribe`

        event = getattr(events, name)(*arguments)
        for callback in [*self._callbacks, *_EVERYWHERE]:
            complaint = _complaint(callback, event)
            if complaint:
                _log.warning(
                    "A subscriber to irsa_creds raised %s; it stays subscribed.", complaint
                )

    def reset_after_fork(self) -> None:
        """Forget a delivery that only the parent's thread would have ended."""
        self._delivering = threading.Lock()
        self._queue.clear()


def _complaint(callback: Callable[[Event], object], event: Event) -> str:
    """Call `callback`; return what it raised, without its traceback: that is not ours to log."""
    try:
        callback(event)
    except KeyboardInterrupt:
        raise
    # SystemExit and the cancellations of other frameworks too: they would end the refresh's thread.
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {safe_str(error)}"
    return ""
