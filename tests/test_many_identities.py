"""Thousands of identities in one process: what each costs, and what it costs the others."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from irsa_creds._config import Config
from irsa_creds._provider import engine_of
from irsa_creds._registry import Registry
from kit import ROLE, FakeClock, FakeSts, eventually, land_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds import Provider
    from irsa_creds._answer import Answer, Proof
    from irsa_creds._errors import Failure
    from irsa_creds.testing import Sandbox

_OPEN_FILES = Path("/proc/self/fd")
MINUTE, HOUR = 60.0, 3600.0


def jwt() -> str:
    return "a.b.c"


# -- ten thousand, on fakes ------------------------------------------------------------------------


@dataclass
class Town:
    """A process that serves tenants, on a clock moved by hand; the refresher's thread is the test.

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
        """Let the refresher do its work, minute by minute, while `tenants` are read."""
        refresher = self.registry._refresher
        for _ in range(int(seconds / MINUTE)):
            self.clock.advance(MINUTE)
            for engine in refresher.take_due():
                engine.tick()
            land_all()
            self.read(tenants)

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


@pytest.fixture
def town(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    made = Town(clock, Registry(clock))

    class CountingSts(FakeSts):
        def __init__(self, config: Config) -> None:
            super().__init__(clock)
            self.name = config.session_name

        def attempt(self, token: Proof, seconds: float) -> Answer | Failure:
            with made.counted(self.name):
                return super().attempt(token, seconds)

    monkeypatch.setattr("irsa_creds._provider.Exchange", CountingSts)
    # The first refresh at a tenth of the lifetime, all others a quarter before its end.
    monkeypatch.setattr("irsa_creds._freshness.DRAW", lambda low, high: low)
    monkeypatch.setattr(made.registry._refresher, "_start", lambda: None)
    yield made
    land_all()
    made.registry.reset()


def test_of_ten_thousand_identities_those_in_use_are_refreshed_and_no_others(town: Town) -> None:
    everybody, in_use = range(10_000), range(4_000, 4_200)
    town.read(everybody)
    assert set(town.calls.values()) == {1}
    town.calls.clear()
    # Each that was read once is refreshed once more at the most, and only while it is kept.
    town.read(in_use)
    assert town.calls.total() == 200, "they had been let go of, and nobody held them"
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


def test_what_is_held_but_not_read_is_refreshed_once_and_then_no_more(town: Town) -> None:
    held = [town.tenant(number) for number in range(3_000)]
    for provider in held:
        provider.get()
    town.pass_time(HOUR, range(10))
    assert town.calls["tenant-2999"] == 2
    town.calls.clear()
    town.pass_time(HOUR, range(10))
    assert town.calls.keys() == {f"tenant-{number}" for number in range(10)}


def test_memory_is_for_those_in_use_not_for_all_that_were_ever_seen(town: Town) -> None:
    town.read(range(5_000))
    registry = town.registry
    # Nothing that only the collector of cycles would find, either.
    gc.disable()
    try:
        town.read(range(5_000, 10_000))
        land_all()
        assert len(registry._known) == len(registry._made) == 1024
        assert len(registry._refresher._agenda) <= 1024
    finally:
        gc.enable()
    assert len(registry._refresher._agenda._heap) < 5 * 1024
    assert not registry._tower._refreshing.line
    assert not registry._tower._refreshing.aloft


def test_who_was_let_go_goes_on_and_is_the_same_object_for_who_asks_again(town: Town) -> None:
    held = town.tenant(0)
    given = held.get()
    town.read(range(1, 3_000))
    assert id(held) not in town.registry._kept
    assert held.get() is given
    town.clock.advance(engine_of(held).snapshot.refresh_at - town.clock.now())
    for engine in town.registry._refresher.take_due():
        engine.tick()
    land_all()
    assert held.get() is not given, "it is refreshed while it is read"
    assert town.tenant(0) is held
    assert id(held) in town.registry._kept


# -- the registry ----------------------------------------------------------------------------------


@pytest.fixture
def small(clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that keeps three."""
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "3")
    made = Registry(clock)
    yield made
    sts.hold.set()
    # First: whoever lands brings the refresher back.
    land_all()
    made.reset()


def ask(registry: Registry, name: str, **arguments: Any) -> Provider:
    config = Config(role_arn=ROLE, session_name=name, token=jwt)
    return registry.of(config, arguments)


def kept(registry: Registry) -> list[str]:
    return sorted(each._config.session_name for each in registry._kept.values())


def test_the_longest_unread_is_let_go_first_whenever_it_was_asked_for(small: Registry) -> None:
    ask(small, "aa").get()
    ask(small, "bb")
    ask(small, "cc").get()
    for _ in range(5):
        ask(small, "bb")
    ask(small, "dd")
    assert kept(small) == ["aa", "cc", "dd"], "asking is no reading"


def test_one_that_was_read_since_it_was_passed_over_is_passed_over_again(small: Registry) -> None:
    for name in ("aa", "bb", "cc"):
        ask(small, name).get()
    ask(small, "dd").get()
    assert kept(small) == ["bb", "cc", "dd"], "all were read: the one that came first goes"
    ask(small, "bb").get()
    ask(small, "ee").get()
    assert kept(small) == ["bb", "dd", "ee"]


def test_a_refresh_makes_nobody_unread(small: Registry, clock: FakeClock) -> None:
    read = ask(small, "aa")
    read.get()
    ask(small, "bb")
    ask(small, "cc")
    clock.advance(engine_of(read).snapshot.refresh_at - clock.now())
    engine_of(read).tick()
    land_all()
    assert not engine_of(read).snapshot.was_read
    ask(small, "dd")
    assert kept(small) == ["aa", "cc", "dd"]
    ask(small, "ee")
    ask(small, "ff")
    assert kept(small) == ["dd", "ee", "ff"], "but only for one round"


def test_being_passed_over_makes_nobody_idle(
    small: Registry, clock: FakeClock, sts: FakeSts
) -> None:
    read = ask(small, "aa")
    given = read.get()
    for name in ("bb", "cc", "dd", "ee"):
        ask(small, name)
    assert not engine_of(read).snapshot.was_read
    clock.advance(engine_of(read).snapshot.refresh_at - clock.now())
    engine_of(read).tick()
    land_all()
    assert sts.calls == 2
    assert read.get() is not given


def test_the_registry_can_be_made_larger(small: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "4")
    monkeypatch.setenv("IRSA_CREDS_MAX_REFRESHES", "2")
    for name in ("aa", "bb", "cc", "dd", "ee"):
        ask(small, name)
    assert kept(small) == ["bb", "cc", "dd", "ee"]
    assert small._tower.most == 2


def test_and_smaller_which_those_that_are_there_obey_when_the_next_one_comes(
    small: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aa", "bb", "cc"):
        ask(small, name).get()
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "1")
    ask(small, "dd")
    assert kept(small) == ["dd"]


def test_letting_go_costs_the_same_however_many_came_before(
    clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Counter[str]()
    registry = Registry(clock)
    for number in range(10_000):
        provider = ask(registry, f"tenant-{number}")
        engine = engine_of(provider)
        engine.snapshot.was_read = True
        look = engine.was_read_lately
        monkeypatch.setattr(
            engine, "was_read_lately", lambda look=look: looked.update(["look"]) or look()
        )
    assert looked["look"] <= 2 * 10_000, "each is passed over once, and let go of once"


def test_without_a_refresher_nothing_wakes_the_tower(
    small: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small._tower.agenda is None
    ask(small, "aa")
    assert small._tower.agenda is small._refresher
    monkeypatch.setenv("IRSA_CREDS_BACKGROUND", "0")
    ask(small, "bb")
    assert small._tower.agenda is None


def test_a_child_has_all_turns(small: Registry, sts: FakeSts) -> None:
    sts.hold.clear()
    ask(small, "aa").prefetch()
    assert small._tower._warming.aloft
    small.before_fork()
    small.after_in_child()
    assert not small._tower._warming.aloft


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
            land_all()
            if number == 1:
                before = open_files()
        # The server of this process closes its ends a little later.
        eventually(lambda: open_files() <= before)
    finally:
        gc.enable()
