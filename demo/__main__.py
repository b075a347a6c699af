"""The main job, seen: a boto3 program on IRSA while STS gets slow and goes down.

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

import botocore
from rich.console import Console
from rich.live import Live
from rich.padding import Padding

import irsa_creds
from benchmarks._measure import OURS, THEIRS
from demo.scenario import QUICK, WHOLE, Phase, Scenario
from demo.side import TICK
from demo.story import Story, tell
from demo.tally import Side, Tally, promises
from demo.view import State, line, live, summary
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        return _conclude(console, scenario, last, story)


def _announce(console: Console, scenario: Scenario) -> None:
    console.print()
    console.rule("[bold]The same program in two pods, side by side")
    words = f"""\
demo/program.py, an ordinary boto3 program, reads one object in 8 threads that share one client. \
One pod calls irsa_creds.install() before it starts, the other does not: there botocore's own \
provider works. Each is a process of its own; both talk HTTP to the same STS and S3.

Credentials last {scenario.lifetime:.0f} s here instead of an hour, so botocore's two refresh \
windows are shortened in proportion: advisory {scenario.advisory_window:g} s (15 of 60 minutes), \
mandatory {scenario.mandatory_window:g} s (10 of 60). Unscaled, it would refresh on every read. \
An outage of {scenario.outage:g} s is {scenario.outage / scenario.lifetime * 60:.0f} minutes of \
that hour.

What is timed is the wait for credentials inside botocore's signer, not S3's own time; what the \
whole process stood still meanwhile (a ticker of 10 ms tells) is taken off, on both sides. The \
very first fetch, for which everybody must wait, is not counted."""
    console.print(Padding(words, (1, 2)))


def _await_first_reads(sides: list[Side]) -> None:
    """Return when both sides have credentials.

    Raises:
        RuntimeError: one of them ended, or has none after a long time.
    """
    deadline = time.monotonic() + _START_PATIENCE
    while not all(side.reports and side.reports[-1].warm for side in sides):
        for side in sides:
            if (log := side.ended) is not None:
                raise RuntimeError(f"The program on {side.name}'s side ended:\n{log}")
        if time.monotonic() > deadline:
            raise RuntimeError("The program got no credentials; the sandbox does not answer.")
        time.sleep(0.05)


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


def _conclude(console: Console, scenario: Scenario, state: State, story: Story) -> int:
    kept = promises(state.tallies[OURS], story.identity(OURS))
    console.print()
    console.rule("[bold]Summary")
    console.print(summary(scenario, state, kept))
    if error := state.tallies[THEIRS].report.last_error:
        console.print(Padding(f"botocore's last error: {error}", (1, 1, 0, 1), style="dim"))
    broken = sum(not promise.kept for promise in kept)
    words = (
        f"[bold red]{broken} of these promises broke.[/]"
        if broken
        else "[bold green]Every promise was kept.[/]"
    )
    versions = (
        f"irsa-creds {irsa_creds.__version__}, botocore {botocore.__version__}, "
        f"Python {platform.python_version()}"
    )
    console.print(f"\n {words} [dim]{versions}[/]")
    return min(broken, 1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
