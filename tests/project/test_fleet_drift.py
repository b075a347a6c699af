"""The fleet's rules are copies, for speed: each calls STS at the same times as its original."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import simpy

from benchmarks._planned_rules import PlannedCredentials
from benchmarks.fleet_rules import LIFETIME, Ours, PlannedRules
from benchmarks.fleet_sts import LIMIT, Ledger, Outage, Sts
from engine_fakes import FakeClock, FakeSts, FakeTimer, Rig, rig
from irsa_creds._engine.waiting import acquire
from irsa_creds._errors import Failure, IrsaError

if TYPE_CHECKING:
    from benchmarks.fleet_rules import Process
    from irsa_creds._exchange.advice import Assertion
    from irsa_creds._exchange.sts import ExchangeResult

START = 1000.0
# Seconds between two reads; no time of the rules is a multiple of it.
PAUSE = 0.7
SECONDS = 12_000.0
# Longer than the fleet's, so that credentials expire during some refreshes.
LATENCY = 0.5
# One outage is so long that all credentials expire; the other lasts for one refresh of AWS's rules.
LONG, SHORT = Outage(START + 5000, START + 9500), Outage(START + 2695, START + 2725)
OUTAGES = pytest.mark.parametrize("outage", [LONG, SHORT], ids=["long", "short"])
SEEDS = pytest.mark.parametrize("seed", range(12))
# Those of a botocore client.
ATTEMPTS = 5


@pytest.fixture(autouse=True)
def _slow_sts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fleet_rules.LATENCY", LATENCY)


def next_read(now: float) -> float:
    """Return the first read at or after `now`."""
    return START + PAUSE * math.ceil((now - START) / PAUSE)


class RecordingSts(Sts):
    """The fleet's STS, which records the times of its calls."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(Ledger(START + SECONDS, outage), LIMIT, outage)
        self.called_at: list[float] = []

    def call(self, now: float, *, refresh: bool) -> Failure | None:
        # A simulated process may plan past the end of the simulation.
        if now < START + SECONDS:
            self.called_at.append(now)
        return super().call(min(now, START + SECONDS), refresh=refresh)


def simulated(rules: type[Process], outage: Outage, seed: int) -> list[float]:
    """Return the times at which a simulated process with a read every `PAUSE` seconds calls STS."""

    class Regular(rules):  # type: ignore[misc, valid-type]  # a class of the caller's choice
        def _read_after(self, instant: float) -> simpy.Event:
            return env.timeout(max(0.0, next_read(instant) - env.now))

    env, sts = simpy.Environment(START), RecordingSts(outage)
    random = Random(seed)
    process = Regular(env, sts, sts._ledger, random, starts_at=START, reads=1.0, pods=1.0)
    env.process(process.live())
    env.run(START + SECONDS)
    return sts.called_at


class LateSts(FakeSts):
    """A client of the fleet's STS, with the same latency."""

    def __init__(self, clock: FakeClock, notebook: RecordingSts) -> None:
        super().__init__(clock)
        self.notebook = notebook

    def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
        self.down = self.notebook.call(self.clock.now(), refresh=False)
        outcome = super().attempt(assertion, seconds)
        self.clock.advance(LATENCY)
        return outcome


def played(outage: Outage, seed: int) -> list[float]:
    """Return the times at which the library's engine with its timer calls STS."""
    clock, timer, notebook = FakeClock(), FakeTimer(), RecordingSts(outage)
    here = rig(uniform=Random(seed).uniform, timer=timer, clock=clock)
    here.fetcher._make_client = lambda: LateSts(clock, notebook)
    read_at = START
    while min([read_at, *timer.at[-1:]]) < START + SECONDS:
        if timer.at and timer.at[-1] <= read_at:
            at = timer.at.pop()
            timer.at.clear()
            clock.advance(max(0.0, at - clock.now()))
            here.engine.tick()
        else:
            # Otherwise the read was served during a refresh, or waited for it.
            if clock.now() <= read_at or here.engine.snapshot.end_of_use <= read_at:
                clock.advance(max(0.0, read_at - clock.now()))
                read(here)
            read_at += PAUSE
        here.finish()
    return notebook.called_at


def read(here: Rig) -> None:
    snapshot, now = here.engine.snapshot, here.clock.now()
    # Most reads take the fast path, as in an adapter.
    if snapshot.was_read and now < snapshot.check_at:
        return
    try:
        acquire(here.engine)
    except IrsaError:
        assert now >= snapshot.end_of_use


def modelled(outage: Outage, seed: int) -> list[float]:
    """Return the times at which the model of AWS's rules calls STS, with botocore's retries."""
    notebook, random = RecordingSts(outage), Random(seed)
    now = START

    def call() -> dict[str, Any]:
        nonlocal now
        for attempt in range(ATTEMPTS):
            sent_at = now
            failure = notebook.call(now, refresh=False)
            now += LATENCY
            if failure is None:
                break
            if attempt == ATTEMPTS - 1:
                raise failure.error()
            now += random.uniform(0, 1) * 2.0**attempt
        expires = datetime.fromtimestamp(0, UTC) + timedelta(seconds=sent_at + LIFETIME)
        keys = dict.fromkeys(("access_key", "secret_key", "token"), "any")
        return {**keys, "expiry_time": expires.isoformat()}

    credentials = PlannedCredentials(
        call,
        uniform=random.uniform,
        wall=lambda: datetime.fromtimestamp(0, UTC) + timedelta(seconds=now),
    )
    while now < START + SECONDS:
        credentials.get_frozen_credentials()
        now = next_read(now + 1e-6)
    return notebook.called_at


@OUTAGES
@SEEDS
def test_a_simulated_process_calls_sts_when_the_librarys_engine_does(
    outage: Outage, seed: int
) -> None:
    called_at = played(outage, seed)
    assert simulated(Ours, outage, seed) == pytest.approx(called_at, abs=1e-4)
    assert any(each in outage for each in called_at) or outage is SHORT, "the outage is met"


@OUTAGES
@SEEDS
def test_a_simulated_process_under_awss_planned_rules_calls_when_the_model_does(
    outage: Outage, seed: int
) -> None:
    called_at = modelled(outage, seed)
    assert simulated(PlannedRules, outage, seed) == pytest.approx(called_at, abs=1e-4)
    assert any(each in outage for each in called_at), "the outage is met"
