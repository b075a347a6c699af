"""What has failed since the last success, and until when that answers for STS."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from irsa_creds._engine import policy
from irsa_creds._errors import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from irsa_creds._engine.events import LastFailure
    from irsa_creds._engine.this_thread import Line

__all__ = ["Backoff"]

_log = logging.getLogger("irsa_creds")
_NEVER = policy.NEVER


class Backoff:
    """The back-off of one engine, which calls it under its own lock."""

    def __init__(self, role_arn: str, draw: policy.Draw) -> None:
        self._role_arn = role_arn
        self._draw = draw
        #: How many have failed since the last success.
        self.in_a_row = 0
        # Told apart: how long the background has failed must not slow down the first recovery.
        self._blocking_in_a_row = 0
        self._failure: Failure | None = None
        self._failed_at = 0.0
        # The failure as it was told once more.
        self._again: Failure | None = None
        self._unsaid: deque[Line] = deque()
        # The code that was last told, and whether credentials were valid then.
        self._told: tuple[str, bool] | None = None
        #: No background flight before this instant.
        self.not_before = _NEVER
        #: Until this instant the failure answers to whoever finds nothing valid.
        self.record_until = _NEVER

    @property
    def failure(self) -> Failure | None:
        """Why the last flight failed; None after one that did not."""
        return self._failure if self.in_a_row else None

    @property
    def bad_token(self) -> bool:
        """Whether a new token would end this."""
        # Looked at once: this is read without the lock, and a success may come in between.
        failure = self.failure
        return failure is not None and failure.bad_token

    @property
    def last_failure(self) -> LastFailure | None:
        """The last failure, as `status()` shows it."""
        if self._failure is None:
            return None
        from irsa_creds._engine.events import LastFailure  # noqa: PLC0415 - `status()` has loaded it

        at = datetime.fromtimestamp(self._failed_at, UTC)
        return LastFailure(self._failure.code, at, self.in_a_row)

    @property
    def attempts(self) -> int:
        """The attempts of the next refresh that callers wait for."""
        return policy.blocking_attempts(self._blocking_in_a_row)

    def recorded(self, now: float) -> Failure | None:
        """Return the failure that whoever finds nothing valid gets instead of a flight."""
        return self._once_more(now, self.record_until)

    def backed_off(self, now: float) -> Failure | None:
        """Return the failure after which no background flight starts yet."""
        return self._once_more(now, self.not_before)

    def _once_more(self, now: float, until: float) -> Failure | None:
        failure = self.failure
        if failure is None or now >= until:
            return None
        # In whole seconds: a crowd that reads together shares one record.
        seconds = -((now - until) // 1)
        if self._again is None or self._again.again_in != seconds:
            # Another process may have been told it before this one.
            told_at = failure.told_at or self._failed_at
            self._again = failure._replace(again_in=seconds, told_at=told_at)
        return self._again

    def begin(
        self, failure: Failure, *, left: float, blocking: bool, now: float, wall: float
    ) -> None:
        """Take note of a flight that failed.

        Args:
            failure: what the flight brought.
            left: seconds to the end of use of what is being served; none are valid below 0.
            blocking: whether readers waited for that flight.
            now: the instant of the failure.
            wall: the same by the wall clock.
        """
        self.in_a_row += 1
        self._failure, self._again = failure, None
        self._failed_at = wall
        if left > 0:
            pause = policy.background_pause(failure, self.in_a_row, left, self._draw)
            self.not_before = now + pause
        elif blocking:
            self._blocking_in_a_row += 1
            pause = policy.record_seconds(failure, self._blocking_in_a_row, self._draw)
            self.record_until = now + pause
        # One line per outage, not per try, and one more when it begins to hurt: the events and
        # the status tell of each.
        if self._told != (failure.code, left > 0):
            self._told = failure.code, left > 0
            self._unsaid.append(self._line(failure, left, now))

    def _line(self, failure: Failure, left: float, now: float) -> Line:
        state = f"Credentials valid for {left:.0f} s" if left > 0 else "No valid credentials"
        pause = (self.not_before if left > 0 else self.record_until) - now
        again = f"in {max(1.0, pause):.0f} s" if pause > 0 else "at the next read"
        return (
            logging.WARNING if failure.retryable and left > 0 else logging.ERROR,
            "%s",
            failure,
            f"{state}; next attempt {again}.",
            self._role_arn,
        )

    def postpone(self, until: float) -> None:
        """Let no background flight start before `until`."""
        self.not_before = max(self.not_before, until)

    def end(self) -> None:
        """Take note of a success."""
        if self.in_a_row:
            text = "Credentials refreshed after %d failed refreshes. role=%s"
            self._unsaid.append((logging.INFO, text, self.in_a_row, self._role_arn))
        self.in_a_row = self._blocking_in_a_row = 0
        self._told = None
        self.not_before = self.record_until = _NEVER

    def say(self, lines: Iterable[Line]) -> None:
        """Log these lines as well at the next report."""
        self._unsaid.extend(lines)

    def drain(self) -> list[Line]:
        """Return the lines that are still to be logged, and forget them."""
        lines = list(self._unsaid)
        self._unsaid.clear()
        return lines

    def report(self) -> None:
        """Log what there is to be said, without any lock: a handler may read credentials itself."""
        # Two threads may come at once: each line is said by one of them.
        with contextlib.suppress(IndexError):
            while True:
                level, text, *values = self._unsaid.popleft()
                if isinstance(values[0], Failure):
                    # The line is made here: a refresh imports no advice.
                    failure, state, role_arn = cast("tuple[Failure, str, str]", values)
                    values = [failure.line(state, role_arn)]
                _log.log(level, text, *values)
