"""The main job, seen: threads and tasks on IRSA while STS gets slow and goes down.

    python -m demo [--quick] [--plain]

Exit status 1 if one of our promises broke.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import aiobotocore
import botocore
from rich.console import Console
from rich.live import Live
from rich.padding import Padding

import irsa_creds
from benchmarks._measure import OURS, THEIRS
from demo import program
from demo.process import Side
from demo.promises import promises
from demo.scenario import QUICK, WHOLE, Phase, Scenario
from demo.side import TICK
from demo.story import Story, tell
from demo.tally import Tally
from demo.view import State, line, live, summary
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from demo.meter import Report

_SIDES = (OURS, THEIRS)
_START_PATIENCE = 20.0
_WIDTH = 90


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="in 8 s instead of 24")
    parser.add_argument("--plain", action="store_true", help="lines, as where there is no terminal")
    options = parser.parse_args(arguments)
    scenario = QUICK if options.quick else WHOLE
    live_table = sys.stdout.isatty() and not options.plain
    console = Console(highlight=False, width=None if live_table else _WIDTH)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="irsa-demo-")))
        sandbox = stack.enter_context(Sandbox())
        sandbox.lifetime = scenario.lifetime
        console.rule("[bold]irsa-creds: from a pod's token to an S3 read that no refresh stalls")
        story = tell(console, sandbox, _SIDES, folder)
        _announce(console, scenario)
        sides = [
            stack.enter_context(
                Side(name, story.pods[name].environ, scenario, folder / f"{name}.log")
            )
            for name in _SIDES
        ]
        _await_first_reads(sides)
        states = _play(scenario, sandbox, story, sides)
        last = (_show_table if live_table else _show_lines)(console, scenario, states)
        return conclude(console, scenario, last, story)


def _announce(console: Console, scenario: Scenario) -> None:
    console.print()
    console.rule("[bold]The same program in two pods, side by side")
    words = f"""\
demo/program.py reads one object in {program.THREADS} threads that share one boto3 client, and \
in {program.TASKS} tasks on {program.LOOPS} event loops through aiobotocore. One pod calls \
irsa_creds.install() before it starts, the other does not: there the libraries' own providers \
work. Each pod is a process of its own; both talk HTTP to the same STS and S3.

Each loop has an aiobotocore session of its own, for the sake of the other pod: aiobotocore's \
own credentials belong to one loop, and where two loops share them, reads fail with RuntimeError. \
So that pod refreshes three sets of credentials, and the one with irsa-creds refreshes one.

Credentials last {scenario.lifetime:.0f} s here instead of an hour, so the libraries' two refresh \
windows are shortened in proportion: advisory {scenario.advisory_window:g} s (15 of 60 minutes), \
mandatory {scenario.mandatory_window:g} s (10 of 60). Unscaled, they would refresh on every read. \
An outage of {scenario.outage:g} s is {scenario.outage / scenario.lifetime * 60:.0f} minutes of \
that hour.

What is timed is the wait for credentials inside the libraries' signers, not S3's own time. What \
the whole process stood still meanwhile (a ticker of 10 ms tells) is taken off, on both sides; so \
is the time that a waiting task's loop was busy with other tasks. The very first fetch, for which \
everybody must wait, is not counted."""
    console.print(Padding(words, (1, 2)))


def _await_first_reads(sides: list[Side]) -> None:
    """Return when both sides have credentials.

    Raises:
        RuntimeError: one of them ended, or has none after a long time.
    """
    deadline = time.monotonic() + _START_PATIENCE
    while not all(side.reports and _warm(side.reports[-1]) for side in sides):
        for side in sides:
            if (log := side.ended) is not None:
                raise RuntimeError(f"The program on {side.name}'s side ended:\n{log}")
        if time.monotonic() > deadline:
            raise RuntimeError("The program got no credentials; the sandbox does not answer.")
        time.sleep(0.05)


def _warm(reports: Mapping[str, Report]) -> bool:
    return all(report.warm for report in reports.values())


def _moments(scenario: Scenario) -> Iterator[tuple[float, Phase]]:
    """Yield seconds since the start and the phase, a tick each."""
    start = time.monotonic()
    ends_at = 0.0
    for phase in scenario.phases:
        ends_at += phase.seconds
        while (elapsed := time.monotonic() - start) < ends_at:
            yield elapsed, phase
            time.sleep(max(0.0, min(TICK, ends_at - (time.monotonic() - start))))


def _show_table(console: Console, scenario: Scenario, states: Iterator[State]) -> State:
    with Live(console=console, auto_refresh=False, transient=True) as display:
        for state in states:
            display.update(live(scenario, state), refresh=True)
    return state


def _show_lines(console: Console, scenario: Scenario, states: Iterator[State]) -> State:
    """Print a line each second."""
    del scenario
    due = 0
    for state in states:
        if state.elapsed >= due:
            console.print(line(state), soft_wrap=True)
            due += 1
    return state


def _play(scenario: Scenario, sandbox: Sandbox, story: Story, sides: list[Side]) -> Iterator[State]:
    """Let things happen to STS and the token; yield what is to be seen, once each tick."""
    before = {side.name: len(side.reports) for side in sides}
    current: Phase | None = None
    for elapsed, phase in _moments(scenario):
        if phase is not current:
            current = phase
            sandbox.faults.latency, sandbox.faults.outage = phase.latency, phase.outage
            if phase.rotates:
                for pod in story.pods.values():
                    pod.rotate_token()
        yield State(
            elapsed,
            phase,
            {side.name: Tally.of(side, sandbox) for side in sides},
            {side.name: side.reports[before[side.name] :] for side in sides},
        )


def conclude(console: Console, scenario: Scenario, state: State, story: Story) -> int:
    """Print what became of our promises; return the exit status."""
    kept = promises(state.tallies[OURS], story.identity(OURS))
    console.print()
    console.rule("[bold]Summary")
    console.print(summary(scenario, state, kept))
    for readers, report in state.tallies[THEIRS].reports.items():
        if error := report.last_error:
            words = f"The other pod's {readers} last failed with {error}"
            console.print(Padding(words, (1, 1, 0, 1), style="dim"))
    broken = sum(not promise.kept for promise in kept)
    words = (
        f"[bold red]{broken} of these promises broke.[/]"
        if broken
        else "[bold green]Every promise was kept.[/]"
    )
    versions = (
        f"irsa-creds {irsa_creds.__version__}, botocore {botocore.__version__}, "
        f"aiobotocore {aiobotocore.__version__}, "
        f"Python {platform.python_version()}"
    )
    console.print(f"\n {words}\n [dim]{versions}[/]")
    return min(broken, 1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
