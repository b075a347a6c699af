"""One refresh: many callers wait for its outcome, and it belongs to none of them."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from irsa_creds._engine import timing
from irsa_creds._errors import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.snapshot import Snapshot

    Outcome = Snapshot | Failure

    class SharedCache(Protocol):
        """Looks into the shared cache before it calls the fetcher."""

        directory: str | None

        @property
        def is_sharing(self) -> bool: ...
        def fetch(self, refresh: Refresh, current: Snapshot, /) -> Outcome: ...
        def revoke(self, access_key_id: str) -> None: ...
        def purge(self) -> None: ...


__all__ = ["Refresh"]


class Refresh:
    """One or several attempts to get new credentials, with their events.

    It is queued until a thread claims it. Its deadline is counted from that instant.

    Args:
        blocking: whether there are no valid credentials, so that any caller waits for it.
        created_at: when it was created.
        seconds: how long it may take.
        attempts: how often it calls STS at most.
        min_ttl: seconds that the caller needs: credentials of the shared cache need as many left.
        cached: the cached failure. The refresh calls STS only if the token has changed.
    """

    # A data class takes three times as long to create, which every cold start would pay for.
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
        #: Whether it must not wait for another thread, since that may wait for the caller's thread.
        self.must_not_wait: bool = False
        #: Whether its failure does not concern other callers, which look again: the deadline of the
        #: caller that runs it shortened it, or an exception of a signal handler ended it.
        self.fails_alone: bool = False
        #: The thread that runs it; None before.
        self.thread_id: int | None = None
        #: Credentials or a failure, never an exception; None while callers wait.
        self.outcome: Outcome | None = None
        #: The fingerprint of the token that was sent last.
        self.sent: str = ""
        #: Whether no thread runs it any more. `Thread.is_alive` is unreliable: it is wrong for ever
        #: after an exception of a signal handler interrupted `Thread.start` (Python 3.11).
        self.ended: bool = False
        #: Name and arguments of each event, for subscribers once the callers are released.
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.failed_attempts: int = 0
        # No thread ever waits for this lock: Python has no other atomic flag.
        self._claimed = threading.Lock()
        self._wakers: deque[Callable[[], object]] = deque()

    # -- the thread that runs it -----------------------------------------------------------------

    def claim(self, now: float) -> bool:
        """Return whether this thread may run it; no other one may then."""
        if self.is_claimed:
            return False
        # Before the lock is taken: an exception of a signal handler must not leave a refresh that
        # is claimed and has no deadline.
        self.started_at, self.deadline = now, now + self.seconds
        return self._claimed.acquire(blocking=False)

    def run_once(self, now: float, run: Callable[[], object]) -> bool:
        """Call `run` unless another thread has claimed this refresh; return whether it did."""
        claimed = False
        try:
            claimed = self.claim(now)
            if claimed:
                run()
        finally:
            if claimed:
                # Also if an exception of a signal handler interrupted it.
                self.ended = True
        return claimed

    @property
    def is_claimed(self) -> bool:
        """Whether a thread runs it, or is about to."""
        return self._claimed.locked()

    @property
    def is_run_here(self) -> bool:
        """Whether the current thread runs it, and so must not wait for it."""
        return self.thread_id == threading.get_ident() and not self.ended

    def serve_callers(self, attempts: int) -> None:
        """Give a queued background refresh the time and the attempts of a blocking one."""
        if not self.is_claimed and not self.blocking:
            self.blocking, self.seconds, self.attempts = True, timing.BLOCKING_SECONDS, attempts

    def shorten_to(self, deadline: float) -> None:
        """End it at the deadline of the caller that runs it."""
        self.fails_alone = deadline < self.deadline
        self.deadline = min(self.deadline, deadline)

    def is_cut_short(self, now: float) -> bool:
        """Whether the deadline of the caller that runs it is over, and ended it."""
        return self.fails_alone and now >= self.deadline

    @property
    def overdue_at(self) -> float:
        """The instant from which it counts as hanging."""
        return self.deadline + timing.OVERDUE_GRACE

    def overdue_failure(self) -> Failure:
        """Return the failure of a refresh that did not end in time."""
        seconds = max(0.0, self.deadline - self.started_at)
        return Failure(
            kind="timeout",
            code="RefreshTimeout",
            message=f"The refresh did not end within {seconds:.0f} s.",
            advice="Check for a DNS server, proxy or token callable that does not respond.",
        )

    def add_event(self, name: str, *arguments: Any) -> None:
        """Keep an event for the subscribers."""
        self.events.append((name, arguments))

    # -- the callers that wait for it --------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome."""
        return self.outcome is not None

    def when_done(self, wake: Callable[[], object]) -> None:
        """Call `wake` once, as soon as there is an outcome."""
        self._wakers.append(wake)
        if self.is_done:
            self._call_wakers()

    def settle(self, outcome: Outcome) -> None:
        """Release all callers; the first outcome counts."""
        if not self.is_done:
            self.outcome = outcome
        self._call_wakers()

    def _call_wakers(self) -> None:
        while self._wakers:
            try:
                wake = self._wakers.popleft()
            except IndexError:
                # Another thread called the last one.
                return
            wake()
