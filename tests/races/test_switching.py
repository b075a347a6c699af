"""Callers and hundreds of refreshes, with a switch of threads at nearly every bytecode."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from engine_fakes import ROLE, FakeToken, provider_of
from irsa_creds import Credentials
from irsa_creds._engine.clock import SystemClock
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.slots import Slots
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.timer import Timer
from irsa_creds._engine.waiting import acquire
from irsa_creds._exchange.sts import ExchangeResult
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._errors import Failure
    from irsa_creds._exchange.advice import Assertion

REFRESHES = 120
LIFETIME = 0.05
READERS = 2

Values = tuple[str, str, str]


class ScriptedSts:
    """Responds at once or late, with numbered credentials that expire very soon."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._numbers = count(1)
        self.calls = 0
        # By BOOTTIME, so that a step of the wall clock during the test does not matter.
        self.ends: dict[str, float] = {}
        self._together = threading.Semaphore(1)
        self.overlapped = False

    def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
        del assertion, seconds
        self.overlapped |= not self._together.acquire(blocking=False)
        number = next(self._numbers)
        if number % 10 == 0:
            # Late: the current credentials expire meanwhile, and callers must wait.
            time.sleep(1.2 * LIFETIME)
        self.ends[f"key-{number}"] = self._clock.now() + LIFETIME
        date = datetime.now(UTC)
        expiration = date + timedelta(seconds=LIFETIME + 1)
        self.calls = number
        self._together.release()
        return ExchangeResult(
            Credentials(f"key-{number}", f"secret-{number}", f"session-{number}", expiration), date
        )

    def reset_after_fork(self) -> None:
        """Do nothing: no test forks."""


@dataclass
class Stage:
    """An engine on the system clock, its STS, and the errors that callers found."""

    clock: SystemClock
    sts: ScriptedSts
    engine: Engine
    wrong: list[str]

    def note(self, before: float, key: str, secret: str, token: str) -> None:
        number = key.removeprefix("key-")
        if (secret, token) != (f"secret-{number}", f"session-{number}"):
            self.wrong.append(f"{key}, {secret} and {token} are of different responses")
        # Compared with the time before the read: the thread may be preempted after it.
        if self.sts.ends[key] < before:
            self.wrong.append(f"{key} had expired when it was returned")

    def run(self, *reads: Callable[[], Values]) -> None:
        """Call each of `reads` on threads until there were enough refreshes."""
        deadline = time.monotonic() + 60

        def loop(read: Callable[[], Values]) -> None:
            while self.sts.calls < REFRESHES and not self.wrong and time.monotonic() < deadline:
                before = self.clock.now()
                self.note(before, *read())

        threads = [threading.Thread(target=loop, args=(read,)) for read in reads * READERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(80)
            assert not thread.is_alive()
        assert not self.wrong
        assert self.sts.calls >= REFRESHES
        assert not self.sts.overlapped, "two refreshes called STS at once"


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = SystemClock()
    sts, slots = ScriptedSts(clock), Slots(clock)
    timer = Timer(clock, slots)
    fetcher = WebIdentityFetcher(ROLE, FakeToken(), lambda: sts, ceiling=3600, clock=clock)
    engine = Engine(fetcher, clock, timer, Subscribers(), slots=slots)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield Stage(clock, sts, engine, [])
    sys.setswitchinterval(before)
    timer.pause()


def test_every_kind_of_caller_gets_three_values_of_one_valid_response(stage: Stage) -> None:
    adapter = IrsaCredentials(provider_of(stage.engine))

    def get() -> Values:
        found = acquire(stage.engine).credentials
        return found.access_key_id, found.secret_access_key, found.session_token

    def frozen() -> Values:
        found = adapter.get_frozen_credentials()
        return found.access_key, found.secret_key, found.token

    def properties() -> Values:
        while True:
            key = adapter.access_key
            held = adapter._thread.pin[0]
            rest = adapter.secret_key, adapter.token
            # If the set expires between two properties, it is replaced as promised: read again.
            if adapter._thread.pin[0] is held:
                return (key, *rest)

    stage.run(get, frozen, properties)
