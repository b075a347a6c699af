"""A fleet on paper: clusters that are rolled out at once, an STS with a limit, and an outage.

    python -m benchmarks.fleet [--json FILE] [--pods N --processes N [--outage MINUTES] ...]

A simulation of discrete events (SimPy): what cannot be measured on two cores. Sides: botocore's
rules of today, AWS's coming ones (`_coming_rules`), ours, and ours with the cache that a pod's
processes share. Ours are the library's own `_freshness` and `_outage`, so that simulation and
library cannot drift apart. Credentials last an hour, each process reads once a second, all pods
start within 10 s, and STS takes 600 calls a second. An outage is 30 minutes of 503, begun at three
moments that lie 15 minutes apart: rules that all pods follow in step are hit at one and not at
another. Chance is seeded: two runs give the same figures.

What counts as nothing: for ours and AWS's coming rules, credentials that have expired (the latter
hand those out); for botocore a read that raises, as in the last 10 minutes each does whose refresh
fails. `excess` is what pods lack from STS's recovery on; what they lack before is beside it.

Targets: with 10,000 pods, refreshes in bins of a minute over 3 hours have a peak over mean of 1.5
at most (the minute of the start apart), and the excess after 30 minutes of outage is a tenth of
that of AWS's coming rules at most. Where ours is worse: while STS is out, whoever has nothing valid
asks it again within 15 s, AWS's coming rules every 5 to 10 minutes. That is what the shorter excess
costs, and why a cluster of many processes wants the shared cache. Those that recover together are
in step then, too, until chance has spread them again. And where a roll-out is throttled, ours tries
again somewhat sooner.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks._bench import Row
from benchmarks._coming_rules import COMING
from benchmarks._measure import OURS, THEIRS
from benchmarks._table import versions
from benchmarks.fleet_cluster import MINUTE, SHARED, SIDES, Cluster, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["availability", "outages", "roll_outs", "run"]

_OUTAGE = 30 * MINUTE
# A third of the time from one refresh to the next under botocore's and AWS's coming rules.
_MOMENTS = 0.0, 15 * MINUTE, 30 * MINUTE
_BIG = Cluster(10_000)
_ROLL_OUTS: tuple[tuple[Cluster, tuple[str, ...]], ...] = (
    (Cluster(100), SIDES[:3]),
    (Cluster(1_000, 16), SIDES),
    (_BIG, SIDES[:3]),
    # 160,000 processes that go on alone throttle each other for minutes, which takes minutes here.
    (Cluster(10_000, 16), (SHARED,)),
)
_OUTAGES: tuple[tuple[Cluster, tuple[str, ...]], ...] = (
    (Cluster(1_000, 4), SIDES),
    (_BIG, (COMING, OURS)),
)
_WORSE = "here ours is worse"
_PEAK_OVER_MEAN, _EXCESS = 1.5, 0.1
_SUMMED = "calls_in_outage", "lacking_in_outage", "excess", "throttled"
_COLUMNS = {
    "peak": "calls/s: peak",
    "mean": "mean",
    "p99": "p99",
    "throttled": "throttled",
    "peak_over_mean": "refreshes: peak/mean",
    "calls_in_outage": "calls in outage",
    "lacking_in_outage": "lacking, pod-s: in outage",
    "excess": "excess",
    "lacking_at_start": "at start",
}
_LENGTHS = 5, 15, 30, 45, 60, 90, 120


def roll_outs() -> list[dict[str, Any]]:
    """Return the figures of the first 3 hours, without an outage."""
    return [simulate(side, cluster) for cluster, sides in _ROLL_OUTS for side in sides]


def outages() -> list[dict[str, Any]]:
    """Return the figures of outages of 30 minutes."""
    return [
        outage_of(side, replace(cluster, outage=_OUTAGE))
        for cluster, sides in _OUTAGES
        for side in sides
    ]


def outage_of(side: str, cluster: Cluster) -> dict[str, Any]:
    """Return the means over an outage's three moments; the extremes of what is one."""
    each = [
        simulate(side, replace(cluster, outage_at=cluster.outage_at + moment))
        for moment in _MOMENTS
    ]
    means = {name: sum(one[name] for one in each) / len(each) for name in _SUMMED}
    return {**each[0], **means, "peak": max(one["peak"] for one in each)}


def availability(pods: int = 30, processes: int = 2) -> dict[str, list[tuple[float, float]]]:
    """Return for each side minutes of outage, and the share of pod-time with valid credentials.

    The time is the outage and half an hour after it.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for side in SIDES:
        for minutes in _LENGTHS:
            cluster = Cluster(pods, processes, outage=minutes * MINUTE)
            result = outage_of(side, cluster)
            lacking = result["lacking_in_outage"] + result["excess"]
            share = 1 - lacking / (pods * (cluster.outage + 30 * MINUTE))
            found.setdefault(side, []).append((float(minutes), share))
    return found


def run() -> list[Row]:
    """Simulate, for the table of `make bench`."""
    at_start, in_outage = roll_outs(), outages()
    rows = [row for figures in _by_cluster(at_start) for row in _start_rows(figures)]
    return rows + [row for figures in _by_cluster(in_outage) for row in _outage_rows(figures)]


def _by_cluster(results: Sequence[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Return for each cluster the figures of each side."""
    found: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    for result in results:
        key = result["pods"], result["processes"]
        found.setdefault(key, {})[result["side"]] = result
    return list(found.values())


def _name(figures: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """Return a cluster's name, and whose figures are ours: those of who shares, where any does."""
    ours = SHARED if SHARED in figures else OURS
    one = figures[ours]
    name = f"{one['pods']:,} pods x {one['processes']}"
    return (f"{name}, shared cache" if ours == SHARED else name), ours


def _start_rows(figures: dict[str, dict[str, Any]]) -> list[Row]:
    name, ours = _name(figures)
    what = f"fleet, {name}, rolled out at once"
    mine, theirs = figures[ours], figures.get(THEIRS)
    others = [side for side in figures if side not in (ours, THEIRS)]

    def row(title: str, column: str, target: float | None = None) -> Row:
        notes = [f"{side}: {figures[side][column]:,.4g}" for side in others]
        notes += [_WORSE] * (theirs is not None and mine[column] > theirs[column])
        note = "; ".join(notes)
        met = target is None or mine[column] <= target
        text = "" if target is None else f"<= {target:g}"
        there = theirs[column] if theirs else None
        return Row(f"{what}: {title}", "", there, mine[column], text, met, note, raw=figures)

    big = mine["pods"] == _BIG.pods
    return [
        row("refreshes, peak over mean", "peak_over_mean", _PEAK_OVER_MEAN if big else None),
        row("STS calls a second, peak", "peak"),
        row("throttled calls", "throttled"),
    ]


def _outage_rows(figures: dict[str, dict[str, Any]]) -> list[Row]:
    name, ours = _name(figures)
    what = f"fleet, {name}, STS out for 30 min ({COMING} | ours)"
    mine, theirs = figures[ours], figures[COMING]
    others = [side for side in figures if side not in (ours, COMING)]

    def row(title: str, column: str, target: float | None = None) -> Row:
        notes = [f"{side}: {figures[side][column]:,.0f}" for side in others]
        notes += [_WORSE] * (mine[column] > theirs[column])
        met = target is None or mine[column] <= target * theirs[column]
        text = "" if target is None else f"<= {target:g} x"
        note = "; ".join(notes)
        return Row(
            f"{what}: {title}", "", theirs[column], mine[column], text, met, note, raw=figures
        )

    return [
        row("pod-seconds without, after it", "excess", _EXCESS),
        row("pod-seconds without, in it", "lacking_in_outage"),
        row("STS calls in it", "calls_in_outage"),
    ]


def show(title: str, results: Sequence[dict[str, Any]]) -> None:
    """Print figures as a table."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("pods x processes", no_wrap=True)
    table.add_column("rules", no_wrap=True)
    for column in _COLUMNS.values():
        table.add_column(column, justify="right")
    before = ""
    for result in results:
        cluster = f"{result['pods']:,} x {result['processes']}"
        cells = [f"{result[name]:,.{0 if result[name] >= 10 else 1}f}" for name in _COLUMNS]  # noqa: PLR2004 - where digits after the point say nothing
        table.add_row("" if cluster == before else cluster, result["side"], *cells)
        before = cluster
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Simulate the default set, or one cluster; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--pods", type=int, help="one cluster of this many")
    parser.add_argument("--processes", type=int, default=1, help="of each of its pods")
    parser.add_argument("--reads", type=float, default=1.0, help="in a second, of each process")
    parser.add_argument("--limit", type=float, default=_BIG.limit, help="of STS, calls in a second")
    parser.add_argument("--outage", type=float, default=0.0, metavar="MINUTES", help="that STS has")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    if options.pods:
        cluster = Cluster(options.pods, options.processes, options.reads, limit=options.limit)
        cluster = replace(cluster, outage=options.outage * MINUTE)
        one = outage_of if cluster.outage else simulate
        tables = {"One cluster": [one(side, cluster) for side in SIDES]}
    else:
        tables = {"Rolled out at once, 3 h": roll_outs(), "STS out for 30 min": outages()}
    for title, results in tables.items():
        show(title, results)
    print(f"{time.monotonic() - start:.0f} s")
    if options.json:
        document = {"versions": versions(), "tables": tables}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
