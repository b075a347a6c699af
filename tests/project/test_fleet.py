from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import fleet
from benchmarks._measure import OURS, THEIRS
from benchmarks._planned_rules import PLANNED
from benchmarks.fleet_cluster import MINUTE, SHARED, SIDES, Cluster, simulate
from benchmarks.fleet_sts import Ledger, Outage, Sts
from irsa_creds._engine import timing

if TYPE_CHECKING:
    from pathlib import Path

PODS = 200


@pytest.fixture(scope="module")
def at_start() -> dict[str, dict[str, Any]]:
    """Three hours after a roll-out of 200 pods with 4 processes each."""
    return {side: simulate(side, Cluster(PODS, 4)) for side in SIDES}


@pytest.fixture(scope="module")
def in_outage() -> dict[str, dict[str, Any]]:
    """Half as many with an outage of 30 minutes, in which all are due for a refresh."""
    cluster = Cluster(PODS // 2, 4, outage=30 * MINUTE, outage_at=135 * MINUTE)
    return {side: simulate(side, cluster) for side in SIDES}


def test_irsa_creds_spreads_the_refreshes_of_a_roll_out(
    at_start: dict[str, dict[str, Any]],
) -> None:
    # With few pods, chance alone makes some minutes three times as busy as the mean.
    assert at_start[OURS]["peak_over_mean"] < 2.5
    assert at_start[THEIRS]["peak_over_mean"] > 20
    assert at_start[PLANNED]["peak_over_mean"] > 20


def test_one_process_of_a_pod_refreshes_for_all_with_the_shared_cache(
    at_start: dict[str, dict[str, Any]],
) -> None:
    assert at_start[OURS]["refreshes"] == pytest.approx(4 * at_start[SHARED]["refreshes"], rel=0.1)
    assert PODS * 4 <= at_start[SHARED]["refreshes"] <= PODS * 5


def test_irsa_creds_recovers_with_sts_and_the_planned_rules_minutes_later(
    in_outage: dict[str, dict[str, Any]],
) -> None:
    assert 0 < in_outage[OURS]["excess"] <= 0.05 * in_outage[PLANNED]["excess"]
    assert 0 < in_outage[SHARED]["excess"] <= 0.05 * in_outage[PLANNED]["excess"]


def test_a_long_outage_has_at_most_twice_the_calls_of_awss_planned_rules() -> None:
    cluster = Cluster(PODS, outage=30 * MINUTE)
    ours, theirs = (fleet.outage_of(side, cluster) for side in (OURS, PLANNED))
    assert theirs["calls_in_outage"] < ours["calls_in_outage"] <= 2 * theirs["calls_in_outage"]


def test_a_shared_cache_divides_the_calls_in_an_outage(
    in_outage: dict[str, dict[str, Any]],
) -> None:
    assert in_outage[OURS]["calls_in_outage"] > 3 * in_outage[SHARED]["calls_in_outage"]


def test_a_throttled_roll_out_makes_fewer_calls_than_botocores() -> None:
    cluster = Cluster(1_000, limit=60, seconds=10 * MINUTE)
    ours, theirs = (simulate(side, cluster) for side in (OURS, THEIRS))
    assert 0 < ours["throttled"] <= theirs["throttled"]
    assert ours["peak"] <= theirs["peak"]
    # Fewer pods get an error at their start, and they do not wait longer in all.
    assert ours["failed_starts"] < theirs["failed_starts"]
    assert ours["lacking_at_start"] <= 1.1 * theirs["lacking_at_start"]


def test_pods_that_start_in_an_outage_recover_without_throttling() -> None:
    # All start within 10 s. Without random pauses they would recover within 10 s too.
    cluster = Cluster(1_000, reads=10, limit=60, outage_at=0, outage=10 * MINUTE)
    result = simulate(OURS, cluster)
    assert result["failed_starts"] == 1_000
    assert result["throttled"] <= 0.05 * 1_000
    assert result["excess"] <= 20 * 1_000


def test_a_process_calls_sts_at_most_every_10_s_in_an_outage() -> None:
    # Some of the processes refresh just before their credentials expire.
    most = max(
        simulate(OURS, Cluster(1, outage=30 * MINUTE, seed=seed))["calls_in_outage"]
        for seed in range(80)
    )
    # Its credentials last at least 15 minutes after the first failed refresh.
    while_valid, age_after_blocking, doubling = 50, 4, 4
    assert while_valid < most <= while_valid + age_after_blocking + doubling + 15 * MINUTE / 10


def test_figures_of_an_outage_cover_all_its_moments() -> None:
    cluster = Cluster(20, outage=10 * MINUTE)
    result = fleet.outage_of(OURS, cluster)
    each = [simulate(OURS, replace(cluster, outage_at=at)) for at in result["outage_at"]]
    assert [one["outage_at"] for one in each] == [120 * MINUTE, 135 * MINUTE, 150 * MINUTE]
    assert result["peak"] == max(one["peak"] for one in each)
    for name in ("calls_in_outage", "lacking_in_outage", "excess", "throttled"):
        assert result[name] == pytest.approx(sum(one[name] for one in each) / 3)
    assert not result.keys() & {"mean", "p99", "peak_over_mean", "refreshes", "lacking_at_start"}


def test_the_table_has_rows_and_figures_of_each_cluster_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "_ROLL_OUTS", ((Cluster(20, 2), SIDES), (Cluster(30), SIDES[:3])))
    monkeypatch.setattr(fleet, "_OUTAGES", ((Cluster(20, 2), SIDES),))
    monkeypatch.setattr(fleet, "_BIG", Cluster(30))
    rows = fleet.run()
    assert [row.what.rpartition(": ")[2] for row in rows] == [
        *[
            "refreshes, peak over mean",
            "STS calls a second, peak",
            "throttled calls",
            "first reads that fail",
        ]
        * 2,
        *[f"pod-seconds without, {when} it" for when in ("after", "in")],
        "STS calls in it",
    ]
    assert [sorted(row.raw) for row in rows] == [
        *(sorted(SIDES), [], [], []),
        *(sorted(SIDES[:3]), [], [], []),
        *(sorted(SIDES), [], []),
    ]
    # With 30 pods, chance alone makes a minute far busier than the mean.
    assert [(row.target, row.met) for row in rows if row.target] == [
        ("<= 1.5", False),
        ("<= 1 x", True),
        ("<= 1 x", True),
        ("<= 0.05 x", True),
        ("<= 2 x", True),
    ]
    outage = rows[-3].raw
    assert rows[-3].ours == outage[SHARED]["excess"]
    assert rows[-3].theirs == outage[PLANNED]["excess"]
    assert f"{OURS}: {outage[OURS]['excess']:,.0f}" in rows[-3].note


def test_the_table_says_where_irsa_creds_is_worse() -> None:
    figures = {
        side: {"pods": 1, "processes": 1, "peak": peak}
        for side, peak in {THEIRS: 7.0, OURS: 8.0}.items()
    }
    comparison = fleet._Comparison(figures, "all start", THEIRS)
    assert comparison.row("calls", "peak").note == "here ours is worse"
    figures[OURS]["peak"] = 7.0
    assert not comparison.row("calls", "peak").note


@pytest.mark.parametrize(
    ("column", "row_name", "too_much"),
    [("throttled", "throttled calls", 101), ("peak", "STS calls a second, peak", 101)],
)
def test_a_large_roll_out_with_more_calls_than_botocores_misses_the_target(
    column: str, row_name: str, too_much: float
) -> None:
    figures = {
        side: simulate(side, Cluster(5, seconds=5 * MINUTE))
        | {"pods": fleet._BIG.pods, column: 100}
        for side in (THEIRS, OURS)
    }

    def met() -> bool:
        (row,) = [row for row in fleet._start_rows(figures) if row.what.endswith(row_name)]
        assert row.target == "<= 1 x"
        return row.met

    assert met()
    figures[OURS][column] = too_much
    assert not met()


@pytest.mark.parametrize(
    ("column", "row_name", "too_much"),
    [("calls_in_outage", "STS calls in it", 201), ("excess", "pod-seconds without, after it", 5.1)],
)
def test_an_outage_with_more_calls_or_excess_misses_the_target(
    column: str, row_name: str, too_much: float
) -> None:
    given: dict[str, float] = {
        "pods": 5,
        "processes": 1,
        "lacking_in_outage": 1,
        "calls_in_outage": 100,
        "excess": 100,
    }
    figures = {PLANNED: given, OURS: {**given, "excess": 5}}

    def met() -> bool:
        (row,) = [row for row in fleet._outage_rows(figures) if row.what.endswith(row_name)]
        return row.met

    assert met()
    figures[OURS] = {**figures[OURS], column: too_much}
    assert not met()


def test_other_pauses_are_shown_and_the_librarys_own_are_unchanged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fleet, "_LONGEST_PAUSES", (5.0, 60.0))
    monkeypatch.setattr(fleet, "_FIRST_PAUSES", (0.5, 4.0))
    monkeypatch.setattr(fleet, "_SMALL", Cluster(100, limit=6, seconds=5 * MINUTE))
    assert fleet.main(["--choices"]) == 0
    assert "first reads that fail" in capsys.readouterr().out
    theirs, soon, late = fleet.throttled_pauses(fleet._SMALL)
    assert theirs["choice"] == THEIRS
    assert soon["throttled"] > late["throttled"]
    bursts = {row["choice"]: row for row in fleet.longest_pauses(fleet._SMALL)}
    for minutes in ("30", "60"):
        calls, excess = f"calls_in_outage_{minutes}", f"excess_{minutes}"
        assert bursts["5 s, 4 attempts"][calls] > 2 * bursts["5 s, 1 attempt"][calls]
        assert bursts["5 s, 1 attempt"][calls] > bursts["60 s, 1 attempt"][calls]
        assert bursts["5 s, 1 attempt"][excess] < bursts["60 s, 1 attempt"][excess]
    assert (timing.CACHED_FAILURE_SECONDS, timing.LATER_ATTEMPTS, timing.THROTTLED_SECONDS) == (
        20,
        1,
        2,
    )


def test_a_given_cluster_is_printed_and_written(
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


def test_sts_throttles_calls_over_its_limit_and_refills_continuously() -> None:
    ledger = Ledger(60, None)
    sts = Sts(ledger, 10, None)
    outcomes = [sts.call(1.0, refresh=False) for _ in range(12)]
    assert [outcome and outcome.code for outcome in outcomes] == [None] * 10 + ["Throttling"] * 2
    assert all(outcome is None or outcome.throttled for outcome in outcomes)
    assert sts.call(1.1, refresh=False) is None
    assert ledger.throttled == 2


def test_lacking_credentials_are_counted_before_in_and_after_the_outage() -> None:
    ledger = Ledger(180, Outage(20, 40))
    ledger.lacked(10, 50, 0.5)
    result = ledger.result()
    assert result["lacking_at_start"] == 5
    assert result["lacking_in_outage"] == 10
    assert result["excess"] == 5
