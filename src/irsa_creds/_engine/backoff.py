"""The failures since the last success, and the instants until which they delay refreshes."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from irsa_creds._engine import timing
from irsa_creds._engine.snapshot import LONG_AGO

if TYPE_CHECKING:
    from collections import deque

    from irsa_creds._engine.this_thread import Line
    from irsa_creds._errors import Failure

__all__ = ["Backoff"]

# Seconds: `timing.background_pause` has at most 300, and the refresh itself takes up to 60.
_TRIED_AT_LEAST_EVERY = 360.0


class Backoff:
    """The back-off of one engine, which calls it under its own lock.

    Args:
        label: names the identity in log lines, as in `role=arn:...`.
        uniform: returns a random number between two.
        lines: collects log lines until the engine's lock is free.
    """

    def __init__(self, label: str, uniform: timing.Uniform, lines: deque[Line]) -> None:
        self._label = label
        self._uniform = uniform
        self._lines = lines
        #: How many refreshes have failed since the last success.
        self.in_a_row = 0
        # Counted separately: background failures must not slow down the first recovery.
        self._blocking_in_a_row = 0
        #: The last failure, also after a success, and its instant by the wall clock.
        self.last: Failure | None = None
        self.failed_at = 0.0
        # Its instant by `Clock.now`, and that of the last look at a denied token.
        self._noted_at = self._looked_at = LONG_AGO
        # The failure as callers get it while it is cached.
        self._cached: Failure | None = None
        # The code that was logged last, and whether credentials were valid then.
        self._logged: tuple[str, bool] | None = None
        #: No background refresh starts before this instant.
        self.not_before = LONG_AGO
        #: Callers without valid credentials get the failure until this instant.
        self.cached_until = LONG_AGO

    @property
    def failure(self) -> Failure | None:
        """Why the last refresh failed; None after a success."""
        return self.last if self.in_a_row else None

    @property
    def bad_token(self) -> bool:
        """Whether a new token would end the back-off."""
        # Read once: another thread may record a success in between, as no lock is held here.
        failure = self.failure
        return failure is not None and failure.bad_token

    def is_current(self, now: float) -> bool:
        """Whether the last refresh failed, and recently: unread credentials do not refresh."""
        return self.failure is not None and now - self._noted_at <= _TRIED_AT_LEAST_EVERY

    @property
    def attempts(self) -> int:
        """The attempts of the next refresh that callers wait for."""
        return timing.LATER_ATTEMPTS if self._blocking_in_a_row else timing.BLOCKING_ATTEMPTS

    def cached_failure(self, now: float) -> Failure | None:
        """Return the failure that a caller without valid credentials gets instead of a refresh."""
        return self._until(self.cached_until, now)

    def background_failure(self, now: float) -> Failure | None:
        """Return the failure because of which no background refresh starts yet."""
        return self._until(self.not_before, now)

    def _until(self, until: float, now: float) -> Failure | None:
        failure = self.failure
        if failure is None or now >= until:
            return None
        # In whole seconds, so that callers of the same second share one object.
        seconds = -((now - until) // 1)
        if self._cached is None or self._cached.again_in != seconds:
            # Another process may have got it earlier than this one.
            told_at = failure.told_at or self.failed_at
            self._cached = failure._replace(again_in=seconds, told_at=told_at)
        return self._cached

    def claim_token_look(self, now: float) -> bool:
        """Return whether the caller is to look at a denied token again; the next look is later.

        A look is I/O, and so needs a refresh.
        """
        if not self.bad_token or now - self._looked_at < timing.TOKEN_WATCH_INTERVAL:
            return False
        self._looked_at = now
        return True

    def next_attempt(self, at: float, now: float) -> float:
        """Return when a refresh that is due at `at` may start, or only look at a denied token."""
        at = max(at, now, self.not_before)
        if self.bad_token:
            at = min(at, max(now, self._looked_at + timing.TOKEN_WATCH_INTERVAL))
        return at

    def record_failure(
        self, failure: Failure, *, left: float, blocking: bool, now: float, wall: float
    ) -> None:
        """Begin or extend the back-off.

        Args:
            failure: why the refresh failed.
            left: seconds to the end of use of the current credentials; not above 0: none are valid.
            blocking: whether no credentials were valid.
            now: the instant of the failure.
            wall: the same by the wall clock.
        """
        self.in_a_row += 1
        self.last, self._cached = failure, None
        self.failed_at = wall
        # A denied token has just been read: the first look at it comes later.
        self._noted_at = self._looked_at = now
        if left > 0:
            pause = timing.background_pause(failure, self.in_a_row, left, self._uniform)
            self.not_before = now + pause
        elif blocking:
            self._blocking_in_a_row += 1
            pause = timing.cached_failure_seconds(failure, self._blocking_in_a_row, self._uniform)
            self.cached_until = now + pause
        # One line for each code, not for each failure, and one more when none are valid any more:
        # events and `status()` report every failure.
        if self._logged != (failure.code, left > 0):
            self._logged = failure.code, left > 0
            self._lines.append(self._line(failure, left, now))

    def _line(self, failure: Failure, left: float, now: float) -> Line:
        state = f"Credentials valid for {left:.0f} s" if left > 0 else "No valid credentials"
        pause = (self.not_before if left > 0 else self.cached_until) - now
        again = f"in {max(1.0, pause):.0f} s" if pause > 0 else "at the next read"
        return (
            logging.WARNING if failure.retryable and left > 0 else logging.ERROR,
            "%s",
            functools.partial(failure.line, f"{state}; next attempt {again}.", self._label),
        )

    def postpone(self, until: float) -> None:
        """Let no background refresh start before `until`."""
        self.not_before = max(self.not_before, until)

    def record_success(self) -> None:
        """End the back-off."""
        if self.in_a_row:
            text = "Credentials refreshed after %d failed refreshes. %s"
            self._lines.append((logging.INFO, text, self.in_a_row, self._label))
        self.in_a_row = self._blocking_in_a_row = 0
        self._logged = None
        self.not_before = self.cached_until = LONG_AGO
