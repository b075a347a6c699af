"""Fakes for the engine's tests: a manual clock, a token, a scripted STS, and an engine on them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from irsa_creds._credentials import Credentials
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._errors import Failure
from irsa_creds._exchange.sts import ExchangeResult
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
from irsa_creds._identity.config import Config
from irsa_creds._identity.token import Token
from irsa_creds._provider import Provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.refresh import Outcome, Refresh
    from irsa_creds._engine.slots import Slots
    from irsa_creds._engine.timing import Uniform
    from irsa_creds._exchange.advice import Assertion

EPOCH = 1_800_000_000.0
ROLE = "arn:aws:iam::123456789012:role/app"


class FakeClock:
    """BOOTTIME and the wall clock, moved by hand; `sleep` moves both and returns immediately."""

    def __init__(self) -> None:
        self.uniform: Uniform = low
        self._now = 1000.0
        self._wall = EPOCH
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both clocks."""
        self._now += seconds
        self._wall += seconds

    def step_wall(self, seconds: float) -> None:
        """Move only the wall clock, as NTP, an operator or a paused VM does."""
        self._wall += seconds


@dataclass
class FakeToken:
    """A token source whose content a test changes."""

    value: str = "token-1"
    failure: Failure | None = None
    reads: int = 0

    def read(self) -> Token:
        self.reads += 1
        if self.failure is not None:
            raise self.failure.error()
        return Token(self.value)

    def version(self) -> object | None:
        return (self.value, self.failure is None)

    def rotate(self) -> None:
        """Replace the token."""
        self.value += "'"
        self.failure = None


@dataclass
class FakeSts:
    """An STS that returns failures from a script, then credentials.

    Attributes:
        lifetime: of its credentials, in seconds by its own clock.
        hold: while it is cleared, requests wait (10 s at most).
    """

    clock: FakeClock
    lifetime: float = 3600.0
    script: deque[Failure] = field(default_factory=deque)
    down: Failure | None = None
    date: bool = True
    skew: float = 0.0
    hold: threading.Event = field(default_factory=threading.Event)
    calls: int = 0
    budgets: list[float] = field(default_factory=list)
    _serial: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.hold.set()

    def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
        del assertion
        self.calls += 1
        self.budgets.append(seconds)
        assert self.hold.wait(10), "the test never set `hold`"
        if self.script:
            return self.script.popleft()
        if self.down is not None:
            return self.down
        date = datetime.fromtimestamp(self.clock.wall() + self.skew, UTC)
        number = next(self._serial)
        credentials = Credentials(
            f"ASIA{number:016d}",
            f"secret-{number}",
            f"session-{number}",
            # The client adds a second to `Date`, which has whole seconds.
            date + timedelta(seconds=self.lifetime + 1),
            "123456789012",
            "arn:aws:sts::123456789012:assumed-role/app/pod",
        )
        return ExchangeResult(credentials, date if self.date else None)

    def reset_after_fork(self) -> None:
        self.calls = 0


def failure(code: str = "ServiceUnavailable", **fields: Any) -> Failure:
    """Return a failure of an STS call."""
    given = {"kind": "exchange", "message": f"STS said {code}.", "retryable": True, **fields}
    return Failure(code=code, **given)


def low(low: float, high: float) -> float:
    """Return the lower bound: the earliest refresh, the shortest pause."""
    del high
    return low


def high(low: float, high: float) -> float:
    """Return the upper bound."""
    del low
    return high


@dataclass
class Rig:
    """An engine and the fakes that it uses."""

    clock: FakeClock
    token: FakeToken
    sts: FakeSts
    subscribers: Subscribers
    fetcher: WebIdentityFetcher
    engine: Engine

    def settle(self) -> None:
        """Wait until the refresh in progress, if any, has an outcome."""
        if self.refresh is not None:
            outcome_of(self.refresh)

    @property
    def refresh(self) -> Refresh | None:
        """The refresh in progress."""
        return self.engine.refresh

    def read(self, min_ttl: float = 0.0) -> Snapshot | Refresh:
        """Read once without waiting; return a snapshot or the refresh to wait for."""
        found = self.engine.get_or_join(min_ttl)
        if not isinstance(found, Snapshot):
            assert self.engine.start(found)
        return found

    def served(self, min_ttl: float = 0.0) -> Snapshot:
        """Read once; fail if the read has to wait."""
        found = self.read(min_ttl)
        assert isinstance(found, Snapshot), "a caller would have to wait"
        return found

    def joined(self, min_ttl: float = 0.0) -> Refresh:
        """Read once; fail if the read does not have to wait."""
        found = self.read(min_ttl)
        assert not isinstance(found, Snapshot), "no caller has to wait"
        return found

    def finish(self) -> None:
        """Wait until no refresh thread is left, so that logs and events are complete."""
        self.sts.hold.set()
        join_refreshes()

    def warm(self) -> Snapshot:
        """Fetch and return the first credentials."""
        self.joined()
        self.finish()
        return self.served()


def rig(
    *,
    uniform: Uniform = low,
    timer: FakeTimer | None = None,
    ceiling: float = 3600.0,
    clock: FakeClock | None = None,
    slots: Slots | None = None,
) -> Rig:
    """Return an engine on a fake clock, token and STS; `uniform` replaces the clock's."""
    clock = clock or FakeClock()
    clock.uniform = uniform
    token, sts, subscribers = FakeToken(), FakeSts(clock), Subscribers()
    fetcher = WebIdentityFetcher(ROLE, token, lambda: sts, ceiling=ceiling, clock=clock)
    engine = Engine(fetcher, clock, timer, subscribers, slots=slots)
    return Rig(clock, token, sts, subscribers, fetcher, engine)


def outcome_of(refresh: Refresh) -> Outcome:
    """Wait for a refresh's outcome and return it."""
    done = threading.Event()
    refresh.when_done(done.set)
    assert done.wait(10), "the refresh has no outcome"
    assert refresh.outcome is not None
    return refresh.outcome


def refreshing() -> list[threading.Thread]:
    """Return the refresh threads and the event threads of all engines."""
    names = {"irsa-creds-refresh", "irsa-creds-events"}
    return [thread for thread in threading.enumerate() if thread.name in names]


def join_refreshes() -> None:
    """Wait until all these threads and the threads that they start have ended."""
    while threads := refreshing():
        for thread in threads:
            # A refresh of another test may use a real network, and take this long.
            with contextlib.suppress(RuntimeError):  # a thread is listed before it can be joined
                thread.join(40)
                assert not thread.is_alive(), "a refresh hangs"


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Poll until `condition` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.001)


class FakeTimer:
    """A timer that only records when to wake an engine; callers start refreshes."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def schedule(self, engine: object, at: float) -> None:
        del engine
        self.at.append(at)

    def ensure_running(self) -> bool:
        return False


def snapshot(
    number: int = 1,
    *,
    lifetime: float = 3600.0,
    refresh_at: float = 2000.0,
    sent_at: float = 1000.0,
    wall_at: float = EPOCH,
) -> Snapshot:
    """Return credentials as if requested at the fake clock's start."""
    expiration = datetime.fromtimestamp(wall_at + lifetime, UTC)
    credentials = Credentials(f"key-{number}", f"secret-{number}", f"session-{number}", expiration)
    return Snapshot(credentials, sent_at, wall_at, lifetime, refresh_at)


def provider_of(engine: Engine) -> Provider:
    """Return a provider that no registry has."""
    return Provider(Config(role_arn=engine.name, session_name="pod"), engine, None, {})
