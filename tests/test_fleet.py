from __future__ import annotations

from typing import Any

import pytest

from benchmarks._coming_rules import COMING
from benchmarks._measure import OURS, THEIRS
from benchmarks.fleet_cluster import MINUTE, SHARED, SIDES, Cluster, simulate
from benchmarks.fleet_sts import Ledger, Outage, Sts

PODS = 200


@pytest.fixture(scope="module")
def started() -> dict[str, dict[str, Any]]:
    """Three hours after a roll-out of 200 pods with 4 processes each."""
    return {side: simulate(side, Cluster(PODS, 4)) for side in SIDES}


@pytest.fixture(scope="module")
def hit() -> dict[str, dict[str, Any]]:
    """The same pods and an outage of 30 minutes, in which the credentials of all are renewed."""
    cluster = Cluster(PODS, 4, outage=30 * MINUTE, outage_at=135 * MINUTE)
    return {side: simulate(side, cluster) for side in SIDES}


def test_a_roll_out_of_ours_spreads_at_once_and_stays_spread(
    started: dict[str, dict[str, Any]],
) -> None:
    # Few pods: chance alone makes some minutes three times as busy as the mean.
    assert started[OURS]["peak_over_mean"] < 2.5
    assert started[THEIRS]["peak_over_mean"] > 20
    assert started[COMING]["peak_over_mean"] > 20


def test_one_process_in_a_pod_refreshes_for_all_that_share(
    started: dict[str, dict[str, Any]],
) -> None:
    assert started[OURS]["refreshes"] == pytest.approx(4 * started[SHARED]["refreshes"], rel=0.1)
    assert PODS * 4 <= started[SHARED]["refreshes"] <= PODS * 5


def test_ours_is_back_with_sts_and_the_coming_rules_minutes_later(
    hit: dict[str, dict[str, Any]],
) -> None:
    assert 0 < hit[OURS]["excess"] <= 0.1 * hit[COMING]["excess"]
    assert 0 < hit[SHARED]["excess"] <= 0.1 * hit[COMING]["excess"]


def test_ours_asks_more_often_during_a_long_outage(hit: dict[str, dict[str, Any]]) -> None:
    assert hit[OURS]["calls_in_outage"] > 10 * hit[COMING]["calls_in_outage"]
    assert hit[OURS]["calls_in_outage"] > 3 * hit[SHARED]["calls_in_outage"]


def test_two_runs_give_the_same_figures() -> None:
    cluster = Cluster(20, outage=10 * MINUTE)
    assert simulate(OURS, cluster) == simulate(OURS, cluster)


def test_sts_throttles_what_is_beyond_its_limit_and_refills_all_the_time() -> None:
    ledger = Ledger(60, None)
    sts = Sts(ledger, 10, None)
    answers = [sts.ask(1.0, refresh=False) for _ in range(12)]
    assert [answer and answer.code for answer in answers] == [None] * 10 + ["Throttling"] * 2
    assert all(answer is None or answer.throttled for answer in answers)
    assert sts.ask(1.1, refresh=False) is None
    assert ledger.throttled == 2


def test_what_is_lacking_is_told_apart_by_the_outage() -> None:
    ledger = Ledger(180, Outage(20, 40))
    ledger.lacked(10, 50, 0.5)
    result = ledger.result()
    assert result["lacking_at_start"] == 5
    assert result["lacking_in_outage"] == 10
    assert result["excess"] == 5
