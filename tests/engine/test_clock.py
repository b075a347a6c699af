from __future__ import annotations

import time
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from fresh_interpreter import python
from irsa_creds._engine.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable


class Times:
    """The module `time` of a machine without BOOTTIME."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ticks = 100.0
        self.seconds = 1_800_000_000.0
        monkeypatch.setattr("irsa_creds._engine.clock.time", self)

    def monotonic(self) -> float:
        return self.ticks

    def time(self) -> float:
        return self.seconds

    def pass_(self, seconds: float, *, suspended: bool = False) -> None:
        self.seconds += seconds
        self.ticks += 0 if suspended else seconds


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(monkeypatch)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has BOOTTIME")
def test_now_is_boottime_which_counts_suspend_and_ignores_ntp() -> None:
    clock = SystemClock()
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= clock.now() <= time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has BOOTTIME")
@pytest.mark.measures_children
def test_a_boottime_that_cannot_be_read_does_not_fail_the_import() -> None:
    code = """
        import time
        read = time.clock_gettime
        def clock_gettime(clock):
            if clock == time.CLOCK_BOOTTIME:
                raise OSError(22, "Invalid argument")
            return read(clock)
        time.clock_gettime = clock_gettime
        from irsa_creds import provider
        from irsa_creds._engine.clock import SystemClock
        before = time.time()
        print(before <= SystemClock().now() <= time.time())
    """
    assert python(dedent(code)) == "True"


def test_wall_is_seconds_since_the_epoch() -> None:
    before = time.time()
    assert before <= SystemClock().wall() <= time.time()


def test_sleep_lets_time_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    SystemClock().sleep(1.5)
    assert slept == [1.5]


def test_without_boottime_suspend_is_counted_by_the_wall(times: Times) -> None:
    clock = SystemClock()
    start = clock.now()
    times.pass_(10)
    assert clock.now() - start == 10
    times.pass_(3600, suspended=True)
    assert clock.now() - start == 3610


def test_without_boottime_a_wall_set_back_does_not_make_credentials_younger(times: Times) -> None:
    clock = SystemClock()
    times.pass_(3600, suspended=True)
    start = clock.now()
    times.seconds -= 7200
    assert clock.now() == start
    times.pass_(10)
    assert clock.now() - start == 10


def test_without_boottime_a_pause_between_the_two_calls_is_not_a_lead(
    times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SystemClock()
    start = clock.now()

    pauses = iter([60.0])

    def then_paused(look: Callable[[], float]) -> Callable[[], float]:
        def seen() -> float:
            instant = look()
            times.pass_(next(pauses, 0.0))
            return instant

        return seen

    with monkeypatch.context() as patch:
        patch.setattr(times, "time", then_paused(times.time))
        patch.setattr(times, "monotonic", then_paused(times.monotonic))
        clock.now()
    assert clock.now() - start == 60
