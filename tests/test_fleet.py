from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import fleet
from benchmarks._coming_rules import COMING
from benchmarks._measure import OURS, THEIRS
from benchmarks.fleet_cluster import MINUTE, SHARED, SIDES, Cluster, simulate
from benchmarks.fleet_sts import Ledger, Outage, Sts

if TYPE_CHECKING:
    from pathlib import Path

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
    assert hit[OURS]["calls_in_outage"] > hit[COMING]["calls_in_outage"]
    assert hit[OURS]["calls_in_outage"] > 3 * hit[SHARED]["calls_in_outage"]


def test_no_process_of_ours_asks_more_than_four_times_in_15_s_during_an_outage() -> None:
    # Of those that start at any instant some refresh just before what they hold ends.
    most = max(
        simulate(OURS, Cluster(1, outage=30 * MINUTE, seed=seed))["calls_in_outage"]
        for seed in range(80)
    )
    while_valid = 50
    doubling_up_to_15_s = 4
    assert 100 < most <= while_valid + 4 * (30 * MINUTE / 15 + doubling_up_to_15_s)


def test_an_outages_figures_are_those_of_all_its_moments() -> None:
    cluster = Cluster(20, outage=10 * MINUTE)
    result = fleet.outage_of(OURS, cluster)
    each = [simulate(OURS, replace(cluster, outage_at=at)) for at in result["outage_at"]]
    assert [one["outage_at"] for one in each] == [120 * MINUTE, 135 * MINUTE, 150 * MINUTE]
    assert result["peak"] == max(one["peak"] for one in each)
    for name in ("calls_in_outage", "lacking_in_outage", "excess", "throttled"):
        assert result[name] == pytest.approx(sum(one[name] for one in each) / 3)
    assert not result.keys() & {"mean", "p99", "peak_over_mean", "refreshes", "lacking_at_start"}


def test_the_table_has_for_each_cluster_its_rows_and_its_figures_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "_ROLL_OUTS", ((Cluster(20, 2), SIDES), (Cluster(30), SIDES[:3])))
    monkeypatch.setattr(fleet, "_OUTAGES", ((Cluster(20, 2), SIDES),))
    monkeypatch.setattr(fleet, "_BIG", Cluster(30))
    rows = fleet.run()
    assert [row.what.rpartition(": ")[2] for row in rows] == [
        *["refreshes, peak over mean", "STS calls a second, peak", "throttled calls"] * 2,
        *[f"pod-seconds without, {when} it" for when in ("after", "in")],
        "STS calls in it",
    ]
    assert [sorted(row.raw) for row in rows] == [
        *(sorted(SIDES), [], []),
        *(sorted(SIDES[:3]), [], []),
        *(sorted(SIDES), [], []),
    ]
    # 30 pods: chance alone makes a minute far busier than the mean.
    assert [(row.target, row.met) for row in rows if row.target] == [
        ("<= 1.5", False),
        ("<= 0.1 x", True),
    ]
    outage = rows[-3].raw
    assert rows[-3].ours == outage[SHARED]["excess"]
    assert rows[-3].theirs == outage[COMING]["excess"]
    assert f"{OURS}: {outage[OURS]['excess']:,.0f}" in rows[-3].note


def test_where_ours_is_worse_the_table_says_so() -> None:
    figures = {
        side: {"pods": 1, "processes": 1, "peak": peak}
        for side, peak in {THEIRS: 7.0, OURS: 8.0}.items()
    }
    comparison = fleet._Comparison(figures, "all start", THEIRS)
    assert comparison.row("calls", "peak").note == "here ours is worse"
    figures[OURS]["peak"] = 7.0
    assert not comparison.row("calls", "peak").note


def test_a_cluster_of_ones_own_is_a_table_and_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    assert fleet.main(["--pods", "5", "--outage", "5", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    assert all(side in printed for side in SIDES)
    assert "excess" in printed
    assert "p99" not in printed
    tables = json.loads(path.read_text())["tables"]
    assert [one["side"] for one in tables["One cluster"]] == list(SIDES)


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
