"""The table: live on a terminal, lines elsewhere, and the summary at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchmarks._measure import LIMIT, OURS, THEIRS
from demo.side import TICK
from demo.tally import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from demo.probe import Report
    from demo.scenario import Phase, Scenario
    from demo.tally import Promise, Tally

__all__ = ["State", "line", "live", "summary"]

_TITLES = {OURS: "irsa-creds", THEIRS: "botocore's own"}
_MARGIN = 12
# From which worst wait on a tick is drawn how, in seconds.
_BARS = (
    (1.0, "█", "red"),
    (0.25, "▆", "yellow"),
    (LIMIT, "▄", "yellow"),
    (0.005, "▂", "green"),
    (0.0, "▁", "green"),
)


@dataclass(frozen=True, slots=True)
class State:
    """All that is shown at one moment."""

    elapsed: float
    phase: Phase
    tallies: Mapping[str, Tally]
    ticks: Mapping[str, Sequence[Report]]


def live(scenario: Scenario, state: State) -> RenderableType:
    """Return the table and the strips below it."""
    return Group(
        Text.assemble(
            "\n",
            (f" {state.elapsed:4.1f} s ", "bold reverse"),
            f" of {scenario.seconds:.0f}   ",
            (state.phase.words, "bold"),
        ),
        _table(state.tallies),
        _strips(scenario, state),
    )


def line(state: State) -> str:
    """Return the same for a log."""
    told = [
        f"{side}: {tally.report.reads} reads, {tally.report.errors} failed, "
        f"{tally.report.waits} waited"
        for side, tally in state.tallies.items()
    ]
    return f"{state.elapsed:4.0f} s  {state.phase.name:<8}  {' | '.join(told)}"


def summary(scenario: Scenario, state: State, promises: Sequence[Promise]) -> RenderableType:
    """Return both sides' figures, and what became of our promises."""
    tallies = state.tallies
    table = _table(tallies)
    table.add_row("different tokens shown to STS", *(str(t.tokens) for t in tallies.values()))
    table.add_row("identity seen by S3", *(_short(t.identities) for t in tallies.values()))
    checks = Table(box=None, padding=(0, 1), show_header=False)
    for promise in promises:
        mark = Text("✓ kept", "green") if promise.kept else Text("✗ BROKEN", "bold red")
        checks.add_row(mark, promise.words, Text(promise.known_by, "dim"))
    title = Text("\n What irsa-creds promises", "bold")
    return Group(table, _strips(scenario, state), title, checks)


def _table(tallies: Mapping[str, Tally]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", style="dim", min_width=28)
    for side in tallies:
        colour = "bold cyan" if side == OURS else "bold magenta"
        table.add_column(Text(_TITLES[side], colour), justify="right", min_width=21)
    reports = [tally.report for tally in tallies.values()]
    table.add_row("reads", *(f"{report.reads:,}" for report in reports))
    table.add_row("reads that failed", *(_count(report.errors) for report in reports))
    table.add_row(
        f"reads that waited > {LIMIT * 1000:.0f} ms", *(_count(report.waits) for report in reports)
    )
    table.add_row("longest wait", *(_wait(report.worst) for report in reports))
    table.add_row(
        "STS calls answered + failed", *(f"{t.answered} + {t.failed}" for t in tallies.values())
    )
    return table


def _count(number: int) -> Text:
    return Text(f"{number:,}", "red" if number else "green")


def _wait(seconds: float) -> Text:
    return Text(milliseconds(seconds), "red" if seconds > LIMIT else "green")


def _short(identities: frozenset[str]) -> str:
    """Return ARNs without the part that all have in common, broken before the session's name."""
    parts = (arn.rpartition(":")[2].rpartition("/") for arn in identities)
    return "\n".join(f"{role}/\n{session}" for role, _, session in parts)


def _strips(scenario: Scenario, state: State) -> RenderableType:
    """Return how it went over time, a character each tick."""
    return Group(
        Text(f" Longest wait for credentials in each {TICK:g} s", "dim"),
        *(_strip(side, ticks) for side, ticks in state.ticks.items()),
        _phases(scenario, state),
        Text.assemble(
            " " * _MARGIN,
            ("▁▂", "green"), (" on time   ", "dim"),
            ("▄▆", "yellow"), (f" > {LIMIT * 1000:.0f} ms   ", "dim"),
            ("█", "red"), (" > 1 s   ", "dim"),
            ("✗", "bold red"), (" reads failed", "dim"),
        ),
    )  # fmt: skip


def _strip(side: str, ticks: Sequence[Report]) -> Text:
    strip = Text(f" {side:<{_MARGIN - 1}}", "bold cyan" if side == OURS else "bold magenta")
    for tick in ticks:
        if tick.tick_errors:
            strip.append("✗", "bold red")
        else:
            bar, colour = next((b, c) for least, b, c in _BARS if tick.tick_worst >= least)
            strip.append(bar, colour)
    return strip


def _phases(scenario: Scenario, state: State) -> Text:
    ruler = Text(" " * _MARGIN)
    for phase in scenario.phases:
        style = "bold" if phase is state.phase else "dim"
        ruler.append(f"└{phase.name}".ljust(round(phase.seconds / TICK)), style)
    return ruler
