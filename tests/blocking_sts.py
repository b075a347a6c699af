"""An STS whose every request waits until a test answers it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engine_fakes import FakeClock, eventually, failure
from irsa_creds import Credentials
from irsa_creds._exchange.sts import ExchangeResult

if TYPE_CHECKING:
    from irsa_creds._errors import Failure
    from irsa_creds._exchange.response import Assertion

FAILURES = {
    "retryable": failure("ServiceUnavailable"),
    "refused": failure("AccessDenied", retryable=False),
    "throttled": failure("Throttling", throttled=True),
    "bad token": failure("ExpiredTokenException", retryable=False, bad_token=True),
    "retry after": failure("TooManyRequests", retry_after=20.0),
}


@dataclass(eq=False)
class Call:
    """One request at STS."""

    thread: threading.Thread
    asked_at: float
    answered: threading.Event = field(default_factory=threading.Event)
    outcome: ExchangeResult | Failure = FAILURES["retryable"]

    def answer(self, outcome: ExchangeResult | Failure) -> None:
        self.outcome = outcome
        self.answered.set()


class BlockingSts:
    """Lets every request wait until the machine answers it."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.calls = 0
        self.waiting: list[Call] = []
        self.sent = ""
        #: By key: when it expires.
        self.ends: dict[str, float] = {}

    def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure:
        assert seconds > 0
        self.calls += 1
        self.sent = token.value
        call = Call(threading.current_thread(), self._clock.now())
        self.waiting.append(call)
        assert call.answered.wait(30), "the machine forgot a request"
        return call.outcome

    def credentials(self, call: Call, lifetime: float) -> ExchangeResult:
        number = len(self.ends) + 1
        self.ends[f"key-{number}"] = call.asked_at + lifetime
        date = datetime.fromtimestamp(self._clock.wall(), UTC)
        ends = date + timedelta(seconds=lifetime + 1)
        return ExchangeResult(
            Credentials(f"key-{number}", f"secret-{number}", f"session-{number}", ends), date
        )

    def reset_after_fork(self) -> None:
        """Nothing is shared: the calls that are counted here are the parent's as well."""

    def release(self, call: Call, outcome: ExchangeResult | Failure) -> None:
        """Answer `call`; wait until its refresh has ended or calls STS again."""
        self.waiting.remove(call)
        call.answer(outcome)
        eventually(
            lambda: not call.thread.is_alive() or any(c.thread is call.thread for c in self.waiting)
        )
