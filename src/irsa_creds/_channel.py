"""The way of events to the subscribers: in order, one at a time, never in a reader's way.

Imports inside functions are of what `subscribe` has loaded: a program without subscribers does not
pay for the classes of the events.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from irsa_creds._errors import said
from irsa_creds._lazy import load_late

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from irsa_creds._events import Event
    from irsa_creds._flight import Flight

__all__ = ["Channel", "subscribe_everywhere"]

_log = logging.getLogger("irsa_creds")

# Who hears the events of every provider of the process, of those made later too.
_EVERYWHERE: list[Callable[[Event], object]] = []


def subscribe_everywhere(callback: Callable[[Event], object]) -> Callable[[], None]:
    """Add `callback` to the subscribers of all channels; return what removes it again."""
    return _added(_EVERYWHERE, callback)


def _added(
    callbacks: list[Callable[[Event], object]], callback: Callable[[Event], object]
) -> Callable[[], None]:
    if not callable(callback) or inspect.iscoroutinefunction(callback):
        raise TypeError(f"subscribe() takes a plain function of one event, and got {callback!r}.")
    # Here and not in a flight, which imports nothing: a fork may come at any moment.
    load_late("irsa_creds._events")
    callbacks.append(callback)

    def unsubscribe() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return unsubscribe


class Channel:
    """One provider's subscribers, and what they are still to be told."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Event], object]] = []
        self._queue: deque[Event] = deque(maxlen=1000)
        self._delivering = threading.Lock()
        # By the thread that flies it: the flight, and how many of its attempts have failed.
        self._aloft: dict[int, tuple[Flight, int]] = {}

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Add `callback`; return what removes it again."""
        return _added(self._callbacks, callback)

    def _is_heard(self) -> bool:
        return bool(self._callbacks or _EVERYWHERE)

    def board(self, flight: Flight) -> None:
        """Take note that what this thread tells from now on is of `flight`."""
        self._aloft[threading.get_ident()] = flight, 0

    def leave(self) -> None:
        """Take note that this thread's flight is over."""
        self._aloft.pop(threading.get_ident(), None)

    def failures_of(self, flight: Flight) -> int:
        """Return how many attempts of a flight have failed, until it is over."""
        _, failures = self._aloft.get(flight.flown_by or 0, (flight, 0))
        return failures

    def started(self, role_arn: str, *, blocking: bool) -> None:
        """Tell that a flight took off."""
        if self._is_heard():
            from irsa_creds._events import RefreshStarted  # noqa: PLC0415

            self._put_of_flight(RefreshStarted(role_arn, blocking))

    def succeeded(self, role_arn: str, attempt: int, latency: float, expiration: datetime) -> None:
        """Tell that it brought credentials."""
        if self._is_heard():
            from irsa_creds._events import RefreshSucceeded  # noqa: PLC0415

            self._put_of_flight(RefreshSucceeded(role_arn, attempt, latency, expiration))

    def failed(self, role_arn: str, code: str, attempt: int, latency: float) -> None:
        """Tell that one of its attempts failed."""
        here = threading.get_ident()
        if here in self._aloft:
            flight, failures = self._aloft[here]
            self._aloft[here] = flight, failures + 1
        if self._is_heard():
            from irsa_creds._events import RefreshFailed  # noqa: PLC0415

            self._put_of_flight(RefreshFailed(role_arn, code, attempt, latency))

    def overdue(self, role_arn: str, code: str, flight: Flight, latency: float) -> None:
        """Tell that one of its attempts hangs, on whatever thread that is noticed."""
        if self._is_heard():
            from irsa_creds._events import RefreshFailed  # noqa: PLC0415

            self.put(RefreshFailed(role_arn, code, self.failures_of(flight) + 1, latency))

    def rotated(self, role_arn: str) -> None:
        """Tell that the token is another one."""
        if self._is_heard():
            from irsa_creds._events import TokenRotated  # noqa: PLC0415

            self._put_of_flight(TokenRotated(role_arn))

    def _put_of_flight(self, event: Event) -> None:
        flight, _ = self._aloft.get(threading.get_ident(), (None, 0))
        # Those who waited for one that is late were told of its end, and so were the subscribers.
        if flight is None or not flight.future.done():
            self.put(event)

    def put(self, event: Event) -> None:
        """Keep `event` for the next delivery."""
        if self._is_heard():
            self._queue.append(event)

    def deliver(self) -> None:
        """Call the subscribers; where a slow one is still being called, its thread goes on."""
        # Bound once: a subscriber that forks finds another lock in the child.
        delivering = self._delivering
        while self._queue and delivering.acquire(blocking=False):
            try:
                while self._queue:
                    self._tell(self._queue.popleft())
            finally:
                delivering.release()

    def deliver_apart(self) -> None:
        """Deliver on a thread of its own, for a flight whose thread hangs."""
        if self._queue:
            thread = threading.Thread(target=self.deliver, name="irsa-creds-events", daemon=True)
            # Without a thread the next flight delivers.
            with contextlib.suppress(RuntimeError):
                thread.start()

    def _tell(self, event: Event) -> None:
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
        self._aloft.clear()


def _complaint(callback: Callable[[Event], object], event: Event) -> str:
    """Call `callback`; return what it raised, without its traceback: that is not ours to log."""
    try:
        callback(event)
    except KeyboardInterrupt:
        raise
    # SystemExit and the cancellations of other frameworks too: they would end the flight's thread.
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {said(error)}"
    return ""
