"""A simulated fleet: clusters whose pods all start at once, an STS with a limit, and an outage.

    python -m benchmarks.fleet [--json FILE] [--pods N --processes N [--outage MINUTES] ...]
    python -m benchmarks.fleet --choices

A simulation of discrete events (SimPy) shows what cannot be measured on two cores. The sides are
botocore's rules of today, AWS's planned rules (`_planned_rules`), irsa-creds, and irsa-creds with
the shared cache. irsa-creds's times come from the library's own `timing` and `backoff`; a test runs
the same outages on its engine and compares. Credentials last an hour, each process reads once a
second (one that reads rarely is refreshed every 27 to 30 minutes, and not at all after an hour
without reads: `quiet`), all pods start within 10 s, and STS accepts 600 calls a second. An outage
is 30 minutes of 503, which begins at three moments, 15 minutes apart: rules that all pods follow in
step suffer at one moment and not at another. Random numbers are seeded: two runs give the same
figures.

A pod lacks credentials: with irsa-creds and AWS's planned rules, when they have expired (AWS's
rules serve expired ones); with botocore, when a read raises, as each read does whose refresh fails
in the last 10 minutes. `excess` is the lack after STS's recovery; the lack before it has its own
column.

Targets, with 10,000 pods:
- In a roll-out, STS throttles no more calls than with botocore, and the busiest second has no more.
- Refreshes in bins of a minute over 3 hours have a peak over mean of at most 1.5, without the
  minute of the start.
- In an outage of 30 minutes there are at most twice the calls of AWS's planned SDK refresh rules,
  and the excess after it is at most 5 % of theirs.

The table shows where irsa-creds is worse: in an outage, a pod without valid credentials calls STS
every 10 to 20 s, and under AWS's rules up to 5 times every 5 to 10 minutes. That is the price of
the smaller excess. `--choices` shows the figures that the pauses in `timing` are based on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks._bench import Row
from benchmarks._measure import OURS, THEIRS
from benchmarks._planned_rules import PLANNED
from benchmarks._table import versions
from benchmarks.fleet_cluster import MINUTE, SHARED, SIDES, Cluster, simulate
from irsa_creds._engine import timing

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "availability",
    "longest_pauses",
    "outages",
    "pauses",
    "roll_outs",
    "run",
    "throttled_pauses",
]

_OUTAGE = 30 * MINUTE
# A third of the time between two refreshes under botocore's and AWS's planned rules.
_MOMENTS = 0.0, 15 * MINUTE, 30 * MINUTE
_BIG = Cluster(10_000)
_ROLL_OUTS: tuple[tuple[Cluster, tuple[str, ...]], ...] = (
    (Cluster(100), SIDES[:3]),
    (Cluster(1_000, 16), SIDES),
    (_BIG, SIDES[:3]),
    # 160,000 processes without the cache would take minutes to simulate.
    (Cluster(10_000, 16), (SHARED,)),
)
_OUTAGES: tuple[tuple[Cluster, tuple[str, ...]], ...] = (
    (Cluster(1_000, 4), SIDES),
    (_BIG, (PLANNED, OURS)),
)
_WORSE = "here ours is worse"
_PEAK_OVER_MEAN, _CALLS, _EXCESS = 1.5, 2.0, 0.05
_MEANS = "calls_in_outage", "lacking_in_outage", "excess", "throttled"
_OF_ANY = {"cluster": "pods x processes", "side": "rules"}
_OF_A_ROLL_OUT = {
    **_OF_ANY,
    "peak": "calls/s: peak",
    "mean": "mean",
    "p99": "p99",
    "throttled": "throttled",
    "failed_starts": "first reads that fail",
    "peak_over_mean": "refreshes: peak/mean",
    "lacking_at_start": "lacking at start, pod-s",
}
_OF_AN_OUTAGE = {
    **_OF_ANY,
    "peak": "calls/s: peak",
    "throttled": "throttled",
    "calls_in_outage": "calls in outage",
    "lacking_in_outage": "lacking, pod-s: in outage",
    "excess": "excess",
}
_OF_A_FIRST_PAUSE = {
    "choice": "longest pause after the first throttled attempt",
    "throttled": "throttled",
    "peak": "calls/s: peak",
    "failed_starts": "first reads that fail",
    "lacking_at_start": "lacking at start, pod-s",
}
_OF_A_LONGEST_PAUSE = {
    "choice": "longest pause, attempts",
    "calls_in_outage_30": "30 min: calls",
    "excess_30": "excess",
    "calls_in_outage_60": "60 min: calls",
    "excess_60": "excess",
}
_LENGTHS = 5, 15, 30, 45, 60, 90, 120
# A tenth of the pods and of the limit gives the same shares in a tenth of the time.
_SMALL = Cluster(1_000, limit=_BIG.limit / 10)
_FIRST_PAUSES = 0.5, 1.0, 1.5, 2.0, 3.0, 4.0
_LONGEST_PAUSES = 10.0, 15.0, 20.0, 30.0, 45.0, 60.0


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
    """Return the means over an outage's three moments, and the highest of the peaks."""
    moments = [cluster.outage_at + moment for moment in _MOMENTS]
    each = [simulate(side, replace(cluster, outage_at=moment)) for moment in moments]
    means = {name: sum(one[name] for one in each) / len(each) for name in _MEANS}
    peak = max(one["peak"] for one in each)
    return {"side": side, **asdict(cluster), "outage_at": moments, **means, "peak": peak}


def availability(pods: int = 30, processes: int = 2) -> dict[str, list[tuple[float, float]]]:
    """Return for each side (minutes of outage, share of pod-time with valid credentials).

    The time is that of the outage and half an hour after it.
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


def throttled_pauses(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the figures of a roll-out for botocore and for each pause after throttling.

    Args:
        cluster: the cluster.
    """
    found = [{"choice": THEIRS, **simulate(THEIRS, cluster)}]
    for seconds in _FIRST_PAUSES:
        with patch.object(timing, "THROTTLED_SECONDS", seconds):
            found.append({"choice": f"{seconds:g} s", **simulate(OURS, cluster)})
    return found


def longest_pauses(cluster: Cluster) -> list[dict[str, Any]]:
    """Return, for each longest pause without credentials, the ratios to AWS's planned rules.

    Args:
        cluster: the cluster, with outages of 30 and of 60 minutes.
    """
    long = {minutes: replace(cluster, outage=minutes * MINUTE) for minutes in (30, 60)}
    theirs = {minutes: outage_of(PLANNED, each) for minutes, each in long.items()}
    found = []
    for bursts in (True, False):
        for seconds in _LONGEST_PAUSES:
            attempts = "4 attempts" if bursts else "1 attempt"
            row: dict[str, Any] = {
                "choice": f"{seconds:g} s, {attempts}",
                "pause": seconds,
                "attempts": attempts,
                **asdict(cluster),
            }
            with (
                patch.object(timing, "CACHED_FAILURE_SECONDS", seconds),
                patch.object(timing, "LATER_ATTEMPTS", timing.BLOCKING_ATTEMPTS if bursts else 1),
            ):
                for minutes, each in long.items():
                    ours = outage_of(OURS, each)
                    for name in ("calls_in_outage", "excess"):
                        row[f"{name}_{minutes}"] = ours[name] / theirs[minutes][name]
            found.append(row)
    return found


def pauses() -> dict[str, list[tuple[float, float, float]]]:
    """Return for each number of attempts (calls, excess, longest pause), for the plot.

    The calls are those in an outage of 30 minutes, in times of AWS's planned rules; the excess is
    that of 60 minutes, in percent of theirs.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in longest_pauses(_SMALL):
        point = row["calls_in_outage_30"], 100 * row["excess_60"], row["pause"]
        found.setdefault(row["attempts"], []).append(point)
    return found


def run() -> list[Row]:
    """Simulate, for the table of `make bench`."""
    at_start, in_outage = roll_outs(), outages()
    rows = [row for figures in _by_cluster(at_start) for row in _start_rows(figures)]
    return rows + [row for figures in _by_cluster(in_outage) for row in _outage_rows(figures)]


def _by_cluster(results: Sequence[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Return the figures of each side for each cluster."""
    found: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    for result in results:
        key = result["pods"], result["processes"]
        found.setdefault(key, {})[result["side"]] = result
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Rows of one cluster, with the figures of the shared cache if there are any.

    Attributes:
        figures: of each side.
        happens: what happens, for the heading.
        rival: the side to compare with.
    """

    figures: dict[str, dict[str, Any]]
    happens: str
    rival: str

    def row(self, title: str, column: str, most: float | None = None, target: str = "") -> Row:
        """Return a row; `most` is the limit of irsa-creds's figure."""
        ours = SHARED if SHARED in self.figures else OURS
        theirs = self.figures[self.rival][column] if self.rival in self.figures else None
        mine = self.figures[ours][column]
        notes = [
            f"{side}: {_number(figures[column])}"
            for side, figures in self.figures.items()
            if side not in (ours, self.rival)
        ]
        notes += [_WORSE] * (theirs is not None and mine > theirs)
        name = _name_of(self.figures[ours]).replace(" x ", " pods x ")
        what = f"fleet, {name}{', shared cache' * (ours == SHARED)}, {self.happens}: {title}"
        return Row(what, "", theirs, mine, target, most is None or mine <= most, "; ".join(notes))


def _start_rows(figures: dict[str, dict[str, Any]]) -> list[Row]:
    row = _Comparison(figures, "rolled out at once", THEIRS).row
    # Small clusters have no target, because chance alone makes some minutes busier.
    has_target = _is_big(figures)
    target = (_PEAK_OVER_MEAN, f"<= {_PEAK_OVER_MEAN:g}") if has_target else ()
    first = row("refreshes, peak over mean", "peak_over_mean", *target)

    def no_more(title: str, column: str) -> Row:
        is_compared = has_target and THEIRS in figures
        return row(title, column, *((figures[THEIRS][column], "<= 1 x") if is_compared else ()))

    return [
        replace(first, raw=figures),
        no_more("STS calls a second, peak", "peak"),
        no_more("throttled calls", "throttled"),
        row("first reads that fail", "failed_starts"),
    ]


def _outage_rows(figures: dict[str, dict[str, Any]]) -> list[Row]:
    row = _Comparison(figures, f"STS out for 30 min ({PLANNED} | ours)", PLANNED).row
    most = _EXCESS * figures[PLANNED]["excess"]
    calls = figures[PLANNED]["calls_in_outage"]
    first = row("pod-seconds without, after it", "excess", most, f"<= {_EXCESS:g} x")
    return [
        replace(first, raw=figures),
        row("pod-seconds without, in it", "lacking_in_outage"),
        row("STS calls in it", "calls_in_outage", _CALLS * calls, f"<= {_CALLS:g} x"),
    ]


def _is_big(figures: dict[str, dict[str, Any]]) -> bool:
    return all(one["pods"] == _BIG.pods for one in figures.values())


def _name_of(result: dict[str, Any]) -> str:
    return f"{result['pods']:,} x {result['processes']}"


def _number(value: float) -> str:
    # Larger numbers need no decimals.
    return f"{value:,.{0 if value >= 10 else 2}f}"  # noqa: PLR2004 - two significant digits


def show(title: str, results: Sequence[dict[str, Any]], columns: dict[str, str]) -> None:
    """Print figures as a table."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for name, heading in columns.items():
        is_text = name in {*_OF_ANY, "choice"}
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=is_text)
    for result in results:
        cells = {"cluster": _name_of(result), **result}
        table.add_row(
            *(each if isinstance(each := cells[name], str) else _number(each) for name in columns)
        )
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Simulate the default clusters, or one cluster; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--pods", type=int, help="simulate one cluster of N pods")
    parser.add_argument("--processes", type=int, default=1, help="processes of each pod")
    parser.add_argument("--reads", type=float, default=1.0, help="of each process, per second")
    parser.add_argument(
        "--limit", type=float, default=_BIG.limit, help="STS calls per second", metavar="N"
    )
    parser.add_argument("--outage", type=float, default=0.0, metavar="MINUTES", help="of an outage")
    parser.add_argument("--choices", action="store_true", help="print figures for other pauses")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    if options.pods:
        cluster = Cluster(options.pods, options.processes, options.reads, limit=options.limit)
        cluster = replace(cluster, outage=options.outage * MINUTE)
        one = outage_of if cluster.outage else simulate
        columns = _OF_AN_OUTAGE if cluster.outage else _OF_A_ROLL_OUT
        shown = [("One cluster", [one(side, cluster) for side in SIDES], columns)]
    elif options.choices:
        shares = f"Outages: shares of {PLANNED}"
        shown = [
            ("Rolled out at once", throttled_pauses(_SMALL), _OF_A_FIRST_PAUSE),
            (shares, longest_pauses(_SMALL), _OF_A_LONGEST_PAUSE),
        ]
    else:
        shown = [
            ("Rolled out at once, 3 h", roll_outs(), _OF_A_ROLL_OUT),
            ("STS out for 30 min", outages(), _OF_AN_OUTAGE),
        ]
    for table in shown:
        show(*table)
    print(f"{time.monotonic() - start:.0f} s")
    if options.json:
        tables = {title: results for title, results, _ in shown}
        document = {"versions": versions(), "tables": tables}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
