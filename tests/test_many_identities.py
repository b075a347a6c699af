"""Thousands of identities in one process: memory, refreshes, and which ones are kept."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import irsa_creds
from engine_fakes import ROLE, FakeClock, FakeSts, eventually, join_refreshes, refreshing
from irsa_creds import Provider
from irsa_creds._engine.timer import Timer
from irsa_creds._identity.config import Config
from irsa_creds._registry import Registry, engine_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds._errors import Failure
    from irsa_creds._exchange.advice import Assertion
    from irsa_creds._exchange.response import ExchangeResult
    from irsa_creds.testing import Sandbox

_OPEN_FILES = Path("/proc/self/fd")
MINUTE, HOUR = 60.0, 3600.0


def jwt() -> str:
    return "a.b.c"


# -- ten thousand, on fakes ------------------------------------------------------------------------


@dataclass
class Tenants:
    """A process with many tenants and a fake clock; the test plays the timer's thread.

    Attributes:
        calls: requests to STS by tenant.
        most_at_once: the most requests at one time.
    """

    clock: FakeClock
    registry: Registry[Provider]
    calls: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    now_at_once: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def provider(self, number: int) -> Provider:
        config = Config(role_arn=ROLE, session_name=f"tenant-{number}", token=jwt)
        return self.registry.of(config, {})

    def read(self, tenants: range) -> None:
        for number in tenants:
            self.provider(number).get()

    def pass_time(self, seconds: float, tenants: range) -> None:
        """Run the timer every minute while `tenants` are read."""
        for _ in range(int(seconds / MINUTE)):
            self.clock.advance(MINUTE)
            self.tick()
            self.read(tenants)

    def tick(self) -> None:
        """Wake the engines that are due, and wait for their refreshes."""
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


def up_to_date(registry: Registry[Provider]) -> Timer:
    """Return the timer after it has read its queue."""
    timer = registry._timer
    assert timer is not None
    # So that it does not wait for more.
    timer._new.put(None)
    timer._sleep()
    return timer


@pytest.fixture
def tenants(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenants]:
    made = Tenants(clock, Registry(clock, Provider))

    class CountingSts(FakeSts):
        def __init__(self, config: Config) -> None:
            super().__init__(clock)
            self.name = config.session_name

        def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
            with made.counted(self.name):
                return super().attempt(assertion, seconds)

    monkeypatch.setattr("irsa_creds._exchange.sources.sts_client", CountingSts)
    # The clock's random numbers are low: the first refresh after a tenth of the lifetime, others a
    # quarter before expiry.
    monkeypatch.setattr(Timer, "ensure_running", lambda _: True)
    yield made
    join_refreshes()
    made.registry.reset()


def test_of_ten_thousand_identities_the_ones_in_use_are_refreshed_and_no_others(
    tenants: Tenants,
) -> None:
    all_of_them, in_use = range(10_000), range(4_000, 4_200)
    tenants.read(all_of_them)
    assert set(tenants.calls.values()) == {1}
    tenants.calls.clear()
    # A provider that was read once is refreshed for a lifetime of its credentials, if it is kept.
    tenants.read(in_use)
    assert tenants.calls.total() == 200, "they were dropped, and had no user"
    tenants.calls.clear()
    tenants.pass_time(HOUR, in_use)
    assert tenants.calls.total() == 2 * 1024
    names = {f"tenant-{number}" for number in in_use}
    for refreshes in (1, 1, 2):
        tenants.calls.clear()
        tenants.pass_time(HOUR, in_use)
        assert tenants.calls.keys() == names
        assert set(tenants.calls.values()) == {refreshes}
    assert tenants.most_at_once <= 8


def test_a_provider_that_is_not_read_is_refreshed_for_a_lifetime_and_then_no_more(
    tenants: Tenants,
) -> None:
    providers = [tenants.provider(number) for number in range(1_500)]
    for provider in providers:
        provider.get()
    tenants.pass_time(HOUR, range(10))
    assert tenants.calls["tenant-1499"] == 1 + 2
    tenants.calls.clear()
    tenants.pass_time(HOUR, range(10))
    assert tenants.calls.keys() == {f"tenant-{number}" for number in range(10)}


def test_memory_is_used_only_for_recent_identities(tenants: Tenants) -> None:
    tenants.read(range(2_000))
    registry = tenants.registry
    # Without the garbage collector: nothing may be left in a reference cycle.
    gc.disable()
    try:
        tenants.read(range(2_000, 5_000))
        join_refreshes()
        assert len(registry._by_identity) == len(registry._alive) == 1024
        assert len(up_to_date(registry)._heap) < 3 * 1024
    finally:
        gc.enable()
    slots = registry._slots
    assert slots is not None
    for group in (slots._waited_for, slots._background):
        assert not group.queued
        assert not group.started


def test_a_dropped_provider_still_works_and_is_returned_again(
    tenants: Tenants,
) -> None:
    provider = tenants.provider(0)
    given = provider.get()
    tenants.read(range(1, 1_500))
    assert provider not in kept(tenants.registry)
    assert provider.get() is given
    tenants.clock.advance(engine_of(provider).snapshot.refresh_at - tenants.clock.now())
    tenants.tick()
    assert provider.get() is not given, "it is refreshed while it is read"
    assert tenants.provider(0) is provider
    assert provider in kept(tenants.registry)


# -- the registry ----------------------------------------------------------------------------------


@pytest.fixture
def small(
    clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Registry[Provider]]:
    """A registry that keeps three providers."""
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "3")
    made = Registry(clock, Provider)
    yield made
    sts.hold.set()
    # First: a refresh that ends starts the timer.
    join_refreshes()
    made.reset()


def request(registry: Registry[Provider], name: str, **arguments: Any) -> Provider:
    config = Config(role_arn=ROLE, session_name=name, token=jwt)
    return registry.of(config, arguments)


def kept(registry: Registry[Provider]) -> list[Provider]:
    # By id, because a lookup would count as a request.
    ids = list(registry._recent)
    return [each for each in registry.living() if id(each) in ids]


def names(registry: Registry[Provider]) -> list[str]:
    return sorted(cast("Config", each._identity).session_name for each in kept(registry))


def test_the_least_recently_requested_provider_is_dropped_first(small: Registry[Provider]) -> None:
    for name in ("aa", "bb", "cc", "aa", "dd"):
        request(small, name)
    assert names(small) == ["aa", "cc", "dd"]
    request(small, "ee")
    assert names(small) == ["aa", "dd", "ee"]


def test_requests_count_and_reads_do_not(small: Registry[Provider]) -> None:
    first = request(small, "aa")
    for name in ("bb", "cc"):
        request(small, name)
    first.get()
    request(small, "dd")
    assert names(small) == ["bb", "cc", "dd"]
    assert request(small, "aa") is first, "it has a user"


def test_a_dropped_provider_without_users_is_freed_immediately(small: Registry[Provider]) -> None:
    gone = weakref.ref(request(small, "aa"))
    gc.disable()
    try:
        for name in ("bb", "cc"):
            request(small, name)
        assert gone() is not None
        request(small, "dd")
        assert gone() is None
    finally:
        gc.enable()


def test_a_dropped_provider_that_is_read_is_refreshed(
    small: Registry[Provider], clock: FakeClock, sts: FakeSts
) -> None:
    read = request(small, "aa")
    given = read.get()
    for name in ("bb", "cc", "dd", "ee"):
        request(small, name)
    assert read not in kept(small)
    clock.advance(engine_of(read).snapshot.refresh_at - clock.now())
    engine_of(read).tick()
    join_refreshes()
    assert sts.calls == 2
    assert read.get() is not given


def test_both_limits_can_be_set(small: Registry[Provider], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "4")
    monkeypatch.setenv("IRSA_CREDS_MAX_REFRESHES", "2")
    for name in ("aa", "bb", "cc", "dd", "ee"):
        request(small, name)
    assert names(small) == ["bb", "cc", "dd", "ee"]
    assert engine_of(request(small, "ee")).slots.most_in_background == 2


def test_the_number_of_kept_providers_is_read_with_the_first_one(
    small: Registry[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aa", "bb", "cc"):
        request(small, name)
    monkeypatch.setenv("IRSA_CREDS_MAX_PROVIDERS", "1")
    request(small, "dd")
    assert names(small) == ["bb", "cc", "dd"]
    small.reset()
    for name in ("aa", "bb"):
        request(small, name)
    assert names(small) == ["bb"]


def test_background_refreshes_have_the_slots_of_the_setting(
    small: Registry[Provider], sts: FakeSts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_MAX_REFRESHES", "2")
    monkeypatch.setattr(Timer, "ensure_running", lambda _: True)
    providers = [request(small, f"tenant-{number}") for number in range(5)]
    for provider in providers:
        provider.get()
    join_refreshes()
    sts.hold.clear()
    clock.advance(3400)
    for provider in providers:
        engine_of(provider).tick()
    eventually(lambda: sts.calls == 7)
    assert len(refreshing()) == 2
    sts.hold.set()
    eventually(lambda: sts.calls == 10)
    join_refreshes()


def test_a_child_has_all_slots(small: Registry[Provider], sts: FakeSts) -> None:
    sts.hold.clear()
    provider = request(small, "aa")
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

    # Without the garbage collector: connections are closed immediately.
    gc.disable()
    try:
        for number in range(10):
            irsa_creds.provider(session_name=f"tenant-{number}").get()
            join_refreshes()
            if number == 1:
                before = open_files()
        # The server in this process closes its ends a little later.
        eventually(lambda: open_files() <= before)
    finally:
        gc.enable()
