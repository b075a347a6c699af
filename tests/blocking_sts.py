"""An STS whose requests wait until a test responds."""

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
    from irsa_creds._exchange.advice import Assertion

FAILURES = {
    "retryable": failure("ServiceUnavailable"),
    "denied": failure("AccessDenied", retryable=False),
    "throttled": failure("Throttling", throttled=True),
    "bad token": failure("ExpiredTokenException", retryable=False, bad_token=True),
    "retry after": failure("TooManyRequests", retry_after=20.0),
}


@dataclass(eq=False)
class Call:
    """One request to STS."""

    thread: threading.Thread
    sent_at: float
    responded: threading.Event = field(default_factory=threading.Event)
    outcome: ExchangeResult | Failure = FAILURES["retryable"]

    def respond(self, outcome: ExchangeResult | Failure) -> None:
        self.outcome = outcome
        self.responded.set()


class BlockingSts:
    """Blocks every request until the state machine responds."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.calls = 0
        self.waiting: list[Call] = []
        self.sent = ""
        #: Expiration by key.
        self.expires: dict[str, float] = {}

    def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
        assert seconds > 0
        self.calls += 1
        self.sent = assertion.value
        call = Call(threading.current_thread(), self._clock.now())
        self.waiting.append(call)
        assert call.responded.wait(30), "the state machine lost a request"
        return call.outcome

    def credentials(self, call: Call, lifetime: float) -> ExchangeResult:
        number = len(self.expires) + 1
        self.expires[f"key-{number}"] = call.sent_at + lifetime
        date = datetime.fromtimestamp(self._clock.wall(), UTC)
        expiration = date + timedelta(seconds=lifetime + 1)
        return ExchangeResult(
            Credentials(f"key-{number}", f"secret-{number}", f"session-{number}", expiration), date
        )

    def reset_after_fork(self) -> None:
        """Keep the count: the model goes on as the child of its own process."""

    def release(self, call: Call, outcome: ExchangeResult | Failure) -> None:
        """Respond to `call`; wait until its refresh has ended or calls STS again."""
        self.waiting.remove(call)
        call.respond(outcome)
        eventually(
            lambda: not call.thread.is_alive() or any(c.thread is call.thread for c in self.waiting)
        )
