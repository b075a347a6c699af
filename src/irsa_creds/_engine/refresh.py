"""One refresh: many wait for its outcome, and it belongs to none of them."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from irsa_creds._engine import policy
from irsa_creds._errors import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.policy import Snapshot

    Outcome = Snapshot | Failure

__all__ = ["Refresh"]


class Refresh:
    """One attempt, or a few, to get new credentials, and the events that belong to it.

    It is queued until a thread claims it. Its deadline counts from then.

    Args:
        blocking: whether a process without valid credentials needs it.
        created_at: the instant of now.
        seconds: how long it may take.
        attempts: how often it calls STS at most.
        min_ttl: seconds that the caller needs: shared credentials with less are no help.
        cached: the cached failure that a new token would end: the token is looked at first.
    """

    __slots__ = (
        "_claimed", "_wakers", "alone", "attempts", "blocking", "cached", "cut", "deadline",
        "ended", "events", "failed_attempts", "min_ttl", "outcome", "seconds", "sent",
        "started_at", "thread_id",
    )  # fmt: skip

    # No data class: making one takes three times as long, and every cold start pays for it.
    def __init__(
        self,
        *,
        blocking: bool,
        created_at: float,
        seconds: float,
        attempts: int = 1,
        min_ttl: float = 0.0,
        cached: Failure | None = None,
    ) -> None:
        self.blocking: bool = blocking
        self.seconds: float = seconds
        self.attempts: int = attempts
        self.min_ttl: float = min_ttl
        self.cached: Failure | None = cached
        self.started_at: float = created_at
        self.deadline: float = float("inf")
        #: Whether it must not wait for another thread, which may wait for this one's.
        self.alone: bool = False
        #: Whether its caller has less time than a refresh has: its failure says nothing to others.
        self.cut: bool = False
        #: The thread that runs it, from the moment that it does.
        self.thread_id: int | None = None
        #: Credentials or a failure, never an exception; None while callers wait.
        self.outcome: Outcome | None = None
        #: The fingerprint of the token that was sent last.
        self.sent: str = ""
        #: Whether its thread has come to its end; not `Thread.is_alive`, which is wrong for ever
        #: after an exception of a signal handler hit `Thread.start` (Python 3.11).
        self.ended: bool = False
        #: Name and arguments of each event, for subscribers once the callers are released.
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.failed_attempts: int = 0
        # Taken and never waited for: a plain lock is the one atomic flag there is.
        self._claimed = threading.Lock()
        self._wakers: deque[Callable[[], object]] = deque()

    # -- who runs it -----------------------------------------------------------------------------

    def claim(self, now: float) -> bool:
        """Return whether this thread may run it, or start the thread that does."""
        if self.is_claimed:
            return False
        # Before the lock is taken: an exception of a signal handler must leave no refresh behind
        # that is claimed and has no deadline.
        self.started_at, self.deadline = now, now + self.seconds
        return self._claimed.acquire(blocking=False)

    @property
    def is_claimed(self) -> bool:
        """Whether a thread runs it, or is about to."""
        return self._claimed.locked()

    @property
    def is_run_here(self) -> bool:
        """Whether this very thread runs it: it could wait for ever."""
        return self.thread_id == threading.get_ident() and not self.ended

    def serve_callers(self, attempts: int) -> None:
        """Give a queued background refresh the time and the attempts of one that callers need."""
        if not self.is_claimed and not self.blocking:
            self.blocking, self.seconds, self.attempts = True, policy.BLOCKING_SECONDS, attempts

    def cut_at(self, deadline: float) -> None:
        """End it at a caller's own deadline, on whose thread it runs."""
        self.cut = deadline < self.deadline
        self.deadline = min(self.deadline, deadline)

    def was_cut(self, now: float) -> bool:
        """Whether it ended because its caller had no more time."""
        return self.cut and now >= self.deadline

    @property
    def overdue_at(self) -> float:
        """The instant from which it hangs."""
        return self.deadline + policy.OVERDUE_GRACE

    def overdue(self) -> Failure:
        """Return the failure of not having ended in time."""
        seconds = max(0.0, self.deadline - self.started_at)
        return Failure(
            kind="timeout",
            code="RefreshTimeout",
            message=f"The refresh did not end within {seconds:.0f} s.",
            advice="Check for a DNS server, proxy or token callable that does not respond.",
        )

    # -- events ----------------------------------------------------------------------------------

    def note(self, name: str, *arguments: Any) -> None:
        """Keep an event for the subscribers."""
        self.events.append((name, arguments))

    # -- who waits for it --------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome."""
        return self.outcome is not None

    def when_done(self, wake: Callable[[], object]) -> None:
        """Call `wake` once when there is an outcome; at once where there is one."""
        self._wakers.append(wake)
        if self.is_done:
            self._wake()

    def settle(self, outcome: Outcome) -> None:
        """Release all callers; a refresh that was overdue has released its own already."""
        if not self.is_done:
            self.outcome = outcome
        self._wake()

    def _wake(self) -> None:
        while self._wakers:
            try:
                wake = self._wakers.popleft()
            except IndexError:
                # Another thread woke the last one.
                return
            wake()
