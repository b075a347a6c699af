"""Delivery of events to subscribers: in order, one at a time, after callers are released."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from irsa_creds._engine.forks import FORKS
from irsa_creds._locks import try_hold
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from irsa_creds._engine.events import Event

__all__ = ["Subscribers", "subscribe_everywhere"]

_log = logging.getLogger("irsa_creds")

# Subscribers to the events of all providers of the process, present and future.
_EVERYWHERE: list[Callable[[Event], object]] = []


def subscribe_everywhere(callback: Callable[[Event], object]) -> Callable[[], None]:
    """Add `callback` to the subscribers of all providers; return a function that removes it."""
    return _added(_EVERYWHERE, callback)


def _added(
    callbacks: list[Callable[[Event], object]], callback: Callable[[Event], object]
) -> Callable[[], None]:
    # To define the event classes takes a tenth of a cold start. They are loaded here because a
    # refresh imports nothing.
    FORKS.import_module("irsa_creds._engine.events")
    inspect = FORKS.import_module("inspect")
    if not callable(callback) or inspect.iscoroutinefunction(callback):
        raise TypeError(f"subscribe() takes a plain function of one event, and got {callback!r}.")
    callbacks.append(callback)

    def unsubscribe() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return unsubscribe


class Subscribers:
    """One provider's subscribers, and the events that are to be delivered to them."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Event], object]] = []
        self._queue: deque[tuple[str, tuple[Any, ...]]] = deque(maxlen=1000)
        self._delivering = threading.Lock()

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Add `callback`; return a function that removes it."""
        return _added(self._callbacks, callback)

    def put(self, events: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Keep names and arguments of events for the next delivery."""
        if self._callbacks or _EVERYWHERE:
            self._queue.extend(events)

    def deliver(self) -> None:
        """Call the subscribers with each event, unless another thread is doing that already."""
        # Events may come while another thread is just ending its delivery.
        while self._queue and try_hold(self._delivering, self._deliver_queued):
            pass

    def _deliver_queued(self) -> None:
        # `subscribe` has imported it. A refresh imports nothing.
        events = sys.modules["irsa_creds._engine.events"]
        while self._queue:
            name, arguments = self._queue.popleft()
            event = getattr(events, name)(*arguments)
            for callback in [*self._callbacks, *_EVERYWHERE]:
                text = _call(callback, event)
                if text:
                    _log.warning(
                        "A subscriber to irsa_creds stays subscribed after it raised %s.", text
                    )

    def reset_after_fork(self) -> None:
        """Drop the deliveries of the parent's threads, which do not exist in the child."""
        self._delivering = threading.Lock()
        self._queue.clear()


def _call(callback: Callable[[Event], object], event: Event) -> str:
    """Call `callback`; return its exception as text, since a traceback may show secrets."""
    try:
        callback(event)
    except KeyboardInterrupt:
        raise
    # Also SystemExit and the cancellations of other frameworks: they would end the thread.
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {safe_str(error)}"
    return ""
