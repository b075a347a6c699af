"""Demo: threads and tasks use IRSA while STS gets slow and goes down.

    python -m demo [--quick] [--plain]

Exit status 1 if a promise of irsa-creds is broken.
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
from demo.story import Story, set_up_irsa
from demo.tally import Tally
from demo.view import State, line, live, summary
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from demo.meter import Report

_SIDES = (OURS, THEIRS)
_START_TIMEOUT = 20.0
_WIDTH = 90


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run 8 s instead of 24")
    parser.add_argument("--plain", action="store_true", help="print lines, as without a terminal")
    options = parser.parse_args(arguments)
    scenario = QUICK if options.quick else WHOLE
    live_table = sys.stdout.isatty() and not options.plain
    console = Console(highlight=False, width=None if live_table else _WIDTH)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="irsa-demo-")))
        sandbox = stack.enter_context(Sandbox())
        sandbox.lifetime = scenario.lifetime
        console.rule(
            "[bold]irsa-creds: from a pod's token to S3 reads that never wait for a refresh"
        )
        story = set_up_irsa(console, sandbox, _SIDES, folder)
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
in {program.TASKS} tasks on {program.LOOPS} event loops with aiobotocore. One pod calls \
irsa_creds.install() at its start. The other pod uses the libraries' own providers. Each pod is \
one process; both send HTTP requests to the same STS and S3.

Each loop has its own aiobotocore session, because of the pod without irsa-creds: aiobotocore's \
own credentials belong to one loop, and reads from a second loop fail with RuntimeError. So that \
pod refreshes three sets of credentials, and the pod with irsa-creds refreshes one.

Credentials last {scenario.lifetime:.0f} s here instead of an hour, so the two refresh windows of \
the libraries are shortened in proportion: advisory {scenario.advisory_window:g} s (15 of 60 \
minutes), mandatory {scenario.mandatory_window:g} s (10 of 60). Unscaled, they would refresh on \
every read. An outage of {scenario.outage:g} s corresponds to \
{scenario.outage / scenario.lifetime * 60:.0f} minutes of that hour.

The demo times the wait for credentials in the libraries' signers, not the S3 request. It \
subtracts the time in which the whole process stood still (measured by a 10 ms ticker) or in which \
a waiting task's loop was busy with other tasks, on both sides. It does not count the first fetch, \
for which all readers have to wait."""
    console.print(Padding(words, (1, 2)))


def _await_first_reads(sides: list[Side]) -> None:
    """Wait until both sides have credentials.

    Raises:
        RuntimeError: a side ended, or has no credentials after 20 s.
    """
    deadline = time.monotonic() + _START_TIMEOUT
    while not all(side.reports and _warm(side.reports[-1]) for side in sides):
        for side in sides:
            if (log := side.ended) is not None:
                raise RuntimeError(f"The program with {side.name} ended:\n{log}")
        if time.monotonic() > deadline:
            raise RuntimeError("The program got no credentials: the sandbox does not respond.")
        time.sleep(0.05)


def _warm(reports: Mapping[str, Report]) -> bool:
    return all(report.warm for report in reports.values())


def _moments(scenario: Scenario) -> Iterator[tuple[float, Phase]]:
    """Yield (seconds since the start, phase) for each tick."""
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
    """Run the phases; yield the state to show for each tick."""
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
    """Print the summary and return the exit status."""
    kept = promises(state.tallies[OURS], story.identity(OURS))
    console.print()
    console.rule("[bold]Summary")
    console.print(summary(scenario, state, kept))
    for readers, report in state.tallies[THEIRS].reports.items():
        if error := report.last_error:
            words = f"The last error of {readers} in the pod without irsa-creds: {error}"
            console.print(Padding(words, (1, 1, 0, 1), style="dim"))
    broken = sum(not promise.kept for promise in kept)
    words = (
        f"[bold red]{broken} of these promises broken.[/]"
        if broken
        else "[bold green]All promises kept.[/]"
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
