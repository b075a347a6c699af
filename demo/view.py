"""The live table, the lines without a terminal, and the summary at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchmarks._measure import LIMIT, OURS, THEIRS
from demo import program
from demo.probe import READERS, TASKS, THREADS
from demo.promises import milliseconds
from demo.side import TICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from demo.meter import Report
    from demo.promises import Promise
    from demo.scenario import Phase, Scenario
    from demo.tally import Calls, Tally

__all__ = ["State", "line", "live", "summary"]

# The library that provides the credentials of a side's readers.
_TITLES = {
    (OURS, THREADS): "irsa-creds",
    (OURS, TASKS): "irsa-creds",
    (THEIRS, THREADS): "botocore",
    (THEIRS, TASKS): "aiobotocore",
}
_NUMBERS = {THREADS: f"{program.THREADS} threads", TASKS: f"{program.TASKS} tasks"}
_STYLES = {OURS: "bold cyan", THEIRS: "bold magenta"}
# Together with the ticks of the whole scenario, 80 columns.
_MARGIN = 19
# Least seconds of a tick's worst wait, and how it is drawn.
_BARS = (
    (1.0, "█", "red"),
    (0.25, "▆", "yellow"),
    (LIMIT, "▄", "yellow"),
    (0.005, "▂", "green"),
    (0.0, "▁", "green"),
)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is shown at one moment."""

    elapsed: float
    phase: Phase
    tallies: Mapping[str, Tally]
    ticks: Mapping[str, Sequence[Mapping[str, Report]]]


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
    """Return one line for a log."""
    texts = []
    for side, tally in state.tallies.items():
        reports = tally.reports.values()
        failed, waited = sum(each.errors for each in reports), sum(each.waits for each in reports)
        reads = failed + sum(each.reads for each in reports)
        texts.append(f"{side}: {failed} failed, {waited} waited of {reads:,}")
    return f"{state.elapsed:3.0f} s  {state.phase.name:<8}  {' | '.join(texts)}"


def summary(scenario: Scenario, state: State, promises: Sequence[Promise]) -> RenderableType:
    """Return both sides' figures and the promises."""
    table = _table(state.tallies)
    table.add_row(
        "tokens sent to STS",
        *_calls(state.tallies, lambda calls: str(calls.tokens)),
    )
    checks = Table(box=None, padding=(0, 1), show_header=False)
    for promise in promises:
        mark = Text("✓ kept", "green") if promise.kept else Text("✗ BROKEN", "bold red")
        checks.add_row(mark, promise.words, Text(promise.figures, "dim"))
    title = Text("\n What irsa-creds promises", "bold")
    return Group(table, _strips(scenario, state), title, checks)


def _table(tallies: Mapping[str, Tally]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", style="dim", min_width=21)
    for side in tallies:
        for readers in READERS:
            title = Text.assemble(
                (_TITLES[side, readers], _STYLES[side]), "\n", (_NUMBERS[readers], "not bold dim")
            )
            table.add_column(title, justify="right", min_width=11)
    reports = [report for tally in tallies.values() for report in tally.reports.values()]
    table.add_row("reads", *(f"{report.reads:,}" for report in reports))
    table.add_row("failed", *(_count(report.errors) for report in reports))
    table.add_row(f"waited > {LIMIT * 1000:.0f} ms", *(_count(report.waits) for report in reports))
    table.add_row("longest wait", *(_wait(report.worst) for report in reports))
    table.add_row(
        "STS calls ok + failed",
        *_calls(tallies, lambda calls: f"{calls.successful} + {calls.failed}"),
    )
    return table


def _calls(tallies: Mapping[str, Tally], words: Callable[[Calls], str]) -> Iterator[Text]:
    """Yield texts about the calls for threads and tasks of each side."""
    for tally in tallies.values():
        if by_kind := tally.calls_by_kind:
            yield from (Text(words(by_kind[readers])) for readers in READERS)
        else:
            yield from (Text(words(tally.calls)), Text("the same", "dim"))


def _count(number: int) -> Text:
    return Text(f"{number:,}", "red" if number else "green")


def _wait(seconds: float) -> Text:
    return Text(milliseconds(seconds), "red" if seconds > LIMIT else "green")


def _strips(scenario: Scenario, state: State) -> RenderableType:
    """Return the waits over time, one character for each tick."""
    return Group(
        Text(f"Longest wait for credentials in each {TICK:g} s", "dim"),
        *(_strip(side, each, ticks) for side, ticks in state.ticks.items() for each in READERS),
        _phases(scenario, state),
        Text.assemble(
            " " * _MARGIN,
            ("▁▂", "green"), (" on time   ", "dim"),
            ("▄▆", "yellow"), (f" > {LIMIT * 1000:.0f} ms   ", "dim"),
            ("█", "red"), (" > 1 s   ", "dim"),
            ("✗", "bold red"), (" reads failed", "dim"),
        ),
    )  # fmt: skip


def _strip(side: str, readers: str, ticks: Sequence[Mapping[str, Report]]) -> Text:
    title = f"{_TITLES[side, readers]} {readers}"
    strip = Text(title.ljust(_MARGIN), _STYLES[side])
    for tick in ticks:
        report = tick[readers]
        if report.tick_errors:
            strip.append("✗", "bold red")
        else:
            bar, color = next((b, c) for least, b, c in _BARS if report.tick_worst >= least)
            strip.append(bar, color)
    return strip


def _phases(scenario: Scenario, state: State) -> Text:
    """Return the start of each phase, on two alternating lines if one is too narrow."""
    lasts = [round(phase.seconds / TICK) for phase in scenario.phases]
    narrow = any(
        len(phase.name) >= ticks for phase, ticks in zip(scenario.phases, lasts, strict=True)
    )
    rows = [Text(" " * _MARGIN) for _ in range(1 + narrow)]
    elapsed = 0.0
    for number, phase in enumerate(scenario.phases):
        row = rows[number % len(rows)]
        row.pad_right(_MARGIN + round(elapsed / TICK) - len(row))
        row.append(f"└{phase.name}", "bold" if phase is state.phase else "dim")
        elapsed += phase.seconds
    return Text("\n").join(rows)
