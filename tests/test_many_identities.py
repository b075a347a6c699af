"""Thousands of identities in one process: what each costs, and what it costs the others."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from engine_fakes import ROLE, FakeClock, FakeSts, eventually, join_refreshes, refreshing
from irsa_creds._engine.timer import Timer
from irsa_creds._identity.config import Config
from irsa_creds._provider import engine_of
from irsa_creds._registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds import Provider
    from irsa_creds._errors import Failure
    from irsa_creds._exchange.response import Assertion, ExchangeResult
    from irsa_creds.testing import Sandbox

_OPEN_FILES = Path("/proc/self/fd")
MINUTE, HOUR = 60.0, 3600.0


def jwt() -> str:
    return "a.b.c"


# -- ten thousand, on fakes ------------------------------------------------------------------------


@dataclass
class Town:
    """A process that serves tenants, on a clock moved by hand; the test is the timer's thread.

    Attributes:
        calls: requests to STS by tenant.
        most_at_once: how many were under way at once.
    """

    clock: FakeClock
    registry: Registry
    calls: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    now_at_once: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def tenant(self, number: int) -> Provider:
        config = Config(role_arn=ROLE, session_name=f"tenant-{number}", token=jwt)
        return self.registry.of(config, {})

    def read(self, tenants: range) -> None:
        for number in tenants:
            self.tenant(number).get()

    def pass_time(self, seconds: float, tenants: range) -> None:
        """Let the timer do its work, minute by minute, while `tenants` are read."""
        for _ in range(int(seconds / MINUTE)):
            self.clock.advance(MINUTE)
            self.tick()
            self.read(tenants)

    def tick(self) -> None:
        """Wake the engines that are due, and let their refreshes end."""
        for engine in up_to_date(self.registry).take_due():
            engine.tick()
        join_refreshes()

    @contextmanager
    def counted(self, tenant: str) -> Iterator[None]:
        with self.counting:
            self.calls[tenant] += 1
            self.now_at_once += 1
            self.most_at_once = max(self.most_at_once, self.now_at_once)
        try:
            yield
        finally:
            with self.counting:
                self.now_at_once -= 1


def up_to_date(registry: Registry) -> Timer:
    """Return the timer once it has taken over all that it was scheduled for."""
    timer = registry._timer
    assert timer is not None
    # So that it does not wait for anything else.
    timer._news.put(None)
    timer._sleep()
    return timer


@pytest.fixture
def town(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    made = Town(clock, Registry(clock))

    class CountingSts(FakeSts):
        def __init__(self, config: Config) -> None:
            super().__init__(clock)
            self.name = config.session_name

        def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure:
            with made.counted(self.name):
                return super().attempt(token, seconds)

    monkeypatch.setattr("irsa_creds._registry.StsClient", CountingSts)
    # The first refresh at a tenth of the lifetime, all others a quarter before its end.
    monkeypatch.setattr("irsa_creds._engine.policy.DRAW", lambda low, high: low)
    monkeypatch.setattr(Timer, "run", lambda _: True)
    yield made
    join_refreshes()
    made.registry.reset()


def test_of_ten_thousand_identities_the_ones_in_use_are_refreshed_and_no_others(
    town: Town,
) -> None:
    all_of_them, in_use = range(10_000), range(4_000, 4_200)
    town.read(all_of_them)
    assert set(town.calls.values()) == {1}
    town.calls.clear()
    # Each that was read once is refreshed once more at the most, and only while it is kept.
    town.read(in_use)
    assert town.calls.total() == 200, "they were dropped, and had no user"
    town.calls.clear()
    town.pass_time(HOUR, in_use)
    assert town.calls.total() == 2 * 200 + (1024 - 200)
    names = {f"tenant-{number}" for number in in_use}
    for refreshes in (1, 1, 2):
        town.calls.clear()
        town.pass_time(HOUR, in_use)
        assert town.calls.keys() == names
        assert set(town.calls.values()) == {refreshes}
    assert town.most_at_once <= 8


def test_a_provider_that_is_held_but_not_read_is_refreshed_once_and_then_no_more(
    town: Town,
) -> None:
    held = [town.tenant(number) for number in range(3_000)]
    for provider in held:
        provider.get()
    town.pass_time(HOUR, range(10))
    assert town.calls["tenant-2999"] == 2
    town.calls.clear()
    town.pass_time(HOUR, range(10))
    assert town.calls.keys() == {f"tenant-{number}" for number in range(10)}


def test_memory_is_for_identities_in_use_and_not_for_all_that_were_ever_seen(town: Town) -> None:
    town.read(range(5_000))
    registry = town.registry
    # Nothing that only the collector of cycles would find, either.
    gc.disable()
    try:
        town.read(range(5_000, 10_000))
        join_refreshes()
        assert len(registry._by_config) == len(registry._alive) == 1024
        assert len(up_to_date(registry)._heap) < 3 * 1024
    finally:
        gc.enable()
    slots = registry._slots
    assert slots is not None
    for group in (slots._waited_for, slots._background):
        assert not group.queued
        assert not group.started


def test_a_dropped_provider_works_on_and_is_the_same_object_when_asked_for_again(
    town: Town,
) -> None:
    held = town.tenant(0)
    given = held.get()
    town.read(range(1, 3_000))
    assert held not in kept(town.registry)
    assert held.get() is given
    town.clock.advance(engine_of(held).snapshot.refresh_at - town.clock.now())
    town.tick()
    assert held.get() is not given, "it is refreshed while it is read"
    assert town.tenant(0) is held
    assert held in kept(town.registry)


# -- the registry ----------------------------------------------------------------------------------


@pytest.fixture
def small(clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that keeps three."""
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "3")
    made = Registry(clock)
    yield made
    sts.hold.set()
    # First: a refresh that ends starts the timer.
    join_refreshes()
    made.reset()


def ask(registry: Registry, name: str, **arguments: Any) -> Provider:
    config = Config(role_arn=ROLE, session_name=name, token=jwt)
    return registry.of(config, arguments)


def kept(registry: Registry) -> list[Provider]:
    # By their ids: to look a provider up would count as asking for it.
    ids = list(registry._recent)
    return [each for each in registry.living() if id(each) in ids]


def names(registry: Registry) -> list[str]:
    return sorted(each._config.session_name for each in kept(registry))


def test_the_provider_that_was_asked_for_least_recently_is_dropped_first(small: Registry) -> None:
    for name in ("aa", "bb", "cc", "aa", "dd"):
        ask(small, name)
    assert names(small) == ["aa", "cc", "dd"]
    ask(small, "ee")
    assert names(small) == ["aa", "dd", "ee"]


def test_asking_counts_and_reading_does_not(small: Registry) -> None:
    first = ask(small, "aa")
    for name in ("bb", "cc"):
        ask(small, name)
    first.get()
    ask(small, "dd")
    assert names(small) == ["bb", "cc", "dd"]
    assert ask(small, "aa") is first, "its user holds it"


def test_a_dropped_provider_without_users_is_gone_at_once(small: Registry) -> None:
    gone = weakref.ref(ask(small, "aa"))
    gc.disable()
    try:
        for name in ("bb", "cc"):
            ask(small, name)
        assert gone() is not None
        ask(small, "dd")
        assert gone() is None
    finally:
        gc.enable()


def test_a_dropped_provider_that_is_read_is_refreshed(
    small: Registry, clock: FakeClock, sts: FakeSts
) -> None:
    read = ask(small, "aa")
    given = read.get()
    for name in ("bb", "cc", "dd", "ee"):
        ask(small, name)
    assert read not in kept(small)
    clock.advance(engine_of(read).snapshot.refresh_at - clock.now())
    engine_of(read).tick()
    join_refreshes()
    assert sts.calls == 2
    assert read.get() is not given


def test_both_limits_can_be_set(small: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "4")
    monkeypatch.setenv("IRSA_CREDS_MAX_REFRESHES", "2")
    for name in ("aa", "bb", "cc", "dd", "ee"):
        ask(small, name)
    assert names(small) == ["bb", "cc", "dd", "ee"]
    assert engine_of(ask(small, "ee")).slots.most_in_background == 2


def test_the_number_of_kept_providers_is_read_with_the_first_one(
    small: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aa", "bb", "cc"):
        ask(small, name)
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "1")
    ask(small, "dd")
    assert names(small) == ["bb", "cc", "dd"]
    small.reset()
    for name in ("aa", "bb"):
        ask(small, name)
    assert names(small) == ["bb"]


def test_background_refreshes_have_the_slots_of_the_setting(
    small: Registry, sts: FakeSts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_MAX_REFRESHES", "2")
    monkeypatch.setattr(Timer, "run", lambda _: True)
    held = [ask(small, f"tenant-{number}") for number in range(5)]
    for provider in held:
        provider.get()
    join_refreshes()
    sts.hold.clear()
    clock.advance(3400)
    for provider in held:
        engine_of(provider).tick()
    eventually(lambda: sts.calls == 7)
    assert len(refreshing()) == 2
    sts.hold.set()
    eventually(lambda: sts.calls == 10)
    join_refreshes()


def test_a_child_has_all_slots(small: Registry, sts: FakeSts) -> None:
    sts.hold.clear()
    provider = ask(small, "aa")
    with pytest.raises(irsa_creds.RefreshTimeout):
        provider.get(timeout=0)
    slots = engine_of(provider).slots
    assert slots._waited_for.started
    small.before_fork()
    small.after_in_child()
    assert not slots._waited_for.started


@pytest.mark.skipif(not _OPEN_FILES.exists(), reason="open files are counted in /proc")
def test_no_refresh_leaves_a_connection_open(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.deploy(bucket=None).environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "2")

    def open_files() -> int:
        return len(list(_OPEN_FILES.iterdir()))

    # At once, not when the collector of cycles comes.
    gc.disable()
    try:
        for number in range(10):
            irsa_creds.provider(session_name=f"tenant-{number}").get()
            join_refreshes()
            if number == 1:
                before = open_files()
        # The server of this process closes its ends a little later.
        eventually(lambda: open_files() <= before)
    finally:
        gc.enable()
