"""The fleet's loops are copies, for speed: each asks STS when its original does, on one script."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import simpy

from benchmarks._coming_rules import ComingCredentials
from benchmarks.fleet_rules import LIFETIME, Coming, Ours
from benchmarks.fleet_sts import LIMIT, Ledger, Outage, Sts
from engine_fakes import FakeClock, FakeSts, FakeTimer, Rig, rig
from irsa_creds._engine.waiting import acquire
from irsa_creds._errors import Failure, IrsaError

if TYPE_CHECKING:
    from benchmarks.fleet_rules import Process
    from irsa_creds._exchange.response import Assertion
    from irsa_creds._exchange.sts import ExchangeResult

# Coverage doubles the time of the simulation, which is none of the package.
pytestmark = pytest.mark.no_cover

START = 1000.0
# What a reader sleeps between two reads; no time of the rules is a multiple of it.
PAUSE = 0.7
SECONDS = 12_000.0
# Longer than the fleet's: many a refresh begins with credentials and ends without.
LATENCY = 0.5
# 503: for so long that whatever is held ends in it; and for a moment, in which AWS's rules refresh.
LONG, SHORT = Outage(START + 5000, START + 9500), Outage(START + 2695, START + 2725)
OUTAGES = pytest.mark.parametrize("outage", [LONG, SHORT], ids=["long", "short"])
SEEDS = pytest.mark.parametrize("seed", range(12))
# Of a botocore client.
ATTEMPTS = 5


@pytest.fixture(autouse=True)
def _slow_sts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fleet_rules.LATENCY", LATENCY)


def next_read(now: float) -> float:
    """Return the first instant of a reader's at which it is not before `now`."""
    return START + PAUSE * math.ceil((now - START) / PAUSE)


class Notebook(Sts):
    """The fleet's STS, which writes down when it was asked."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(Ledger(START + SECONDS, outage), LIMIT, outage)
        self.asked: list[float] = []

    def ask(self, now: float, *, refresh: bool) -> Failure | None:
        # A simulated process may plan further than its time goes.
        if now < START + SECONDS:
            self.asked.append(now)
        return super().ask(min(now, START + SECONDS), refresh=refresh)


def simulated(rules: type[Process], outage: Outage, seed: int) -> list[float]:
    """Return when a process of the fleet asks whose reader reads every `PAUSE` seconds."""

    class Regular(rules):  # type: ignore[misc, valid-type]  # a class of the caller's choice
        def _read_after(self, instant: float) -> simpy.Event:
            return env.timeout(max(0.0, next_read(instant) - env.now))

    env, sts = simpy.Environment(START), Notebook(outage)
    chance = Random(seed)
    process = Regular(env, sts, sts._ledger, chance, starts_at=START, reads=1.0, pods=1.0)
    env.process(process.live())
    env.run(START + SECONDS)
    return sts.asked


class LateSts(FakeSts):
    """An STS that the fleet's answers for, as late as that does."""

    def __init__(self, clock: FakeClock, notebook: Notebook) -> None:
        super().__init__(clock)
        self.notebook = notebook

    def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure:
        self.down = self.notebook.ask(self.clock.now(), refresh=False)
        answer = super().attempt(token, seconds)
        self.clock.advance(LATENCY)
        return answer


def played(outage: Outage, seed: int) -> list[float]:
    """Return when the library's own engine asks, with such a reader and its timer."""
    clock, timer, notebook = FakeClock(), FakeTimer(), Notebook(outage)
    here = rig(draw=Random(seed).uniform, timer=timer, clock=clock)
    here.pilot._exchange = LateSts(clock, notebook)
    read_at = START
    while min([read_at, *timer.at[-1:]]) < START + SECONDS:
        if timer.at and timer.at[-1] <= read_at:
            at = timer.at.pop()
            timer.at.clear()
            clock.advance(max(0.0, at - clock.now()))
            here.engine.tick()
        else:
            # Else it was served while a refresh was in progress, or has waited since then.
            if clock.now() <= read_at or here.engine.snapshot.end_of_use <= read_at:
                clock.advance(max(0.0, read_at - clock.now()))
                read(here)
            read_at += PAUSE
        here.finish()
    return notebook.asked


def read(here: Rig) -> None:
    snapshot, now = here.engine.snapshot, here.clock.now()
    # Most reads find fresh credentials, as an adapter's fast path does.
    if snapshot.was_read and now < snapshot.check_at:
        return
    try:
        acquire(here.engine)
    except IrsaError:
        assert now >= snapshot.end_of_use


def modelled(outage: Outage, seed: int) -> list[float]:
    """Return when the model of AWS's rules asks, through a client with botocore's retries."""
    notebook, chance = Notebook(outage), Random(seed)
    now = START

    def ask() -> dict[str, Any]:
        nonlocal now
        for attempt in range(ATTEMPTS):
            asked_at = now
            failure = notebook.ask(now, refresh=False)
            now += LATENCY
            if failure is None:
                break
            if attempt == ATTEMPTS - 1:
                raise failure.error()
            now += chance.uniform(0, 1) * 2.0**attempt
        expires = datetime.fromtimestamp(0, UTC) + timedelta(seconds=asked_at + LIFETIME)
        keys = dict.fromkeys(("access_key", "secret_key", "token"), "any")
        return {**keys, "expiry_time": expires.isoformat()}

    credentials = ComingCredentials(
        ask,
        draw=chance.uniform,
        wall=lambda: datetime.fromtimestamp(0, UTC) + timedelta(seconds=now),
    )
    while now < START + SECONDS:
        credentials.get_frozen_credentials()
        now = next_read(now + 1e-6)
    return notebook.asked


@OUTAGES
@SEEDS
def test_a_process_of_the_fleet_asks_when_the_librarys_engine_does(
    outage: Outage, seed: int
) -> None:
    asked = played(outage, seed)
    assert simulated(Ours, outage, seed) == pytest.approx(asked, abs=1e-4)
    assert any(each in outage for each in asked) or outage is SHORT, "the outage is met"


@OUTAGES
@SEEDS
def test_a_process_under_awss_coming_rules_asks_when_their_model_does(
    outage: Outage, seed: int
) -> None:
    asked = modelled(outage, seed)
    assert simulated(Coming, outage, seed) == pytest.approx(asked, abs=1e-4)
    assert any(each in outage for each in asked), "the outage is met"
