from __future__ import annotations

import asyncio
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock
from rich.console import Console

from benchmarks._measure import OURS, THEIRS, Standstills
from demo.__main__ import conclude
from demo.meter import Meter, Report, Wait
from demo.probe import TASKS, THREADS
from demo.promises import promises
from demo.scenario import QUICK, WHOLE, Scenario
from demo.side import TICK
from demo.suspension import NoteSuspension
from demo.tally import Calls, Tally
from demo.view import State, live, summary

ROOT = Path(__file__).parents[2]

# The demo runs in a process of its own, because it opens a sandbox, and a process can have one.


class Demo:
    """Runs the demo, one run at a time, because two would slow each other down.

    Args:
        folder: shared by all workers of the test run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """Return the finished run, of this worker or of another one."""
        output = self._folder / f"demo-{'-'.join(environ)}.json"
        with FileLock(self._folder / "demo.lock", timeout=110):
            if not output.exists():
                run = self._run(environ)
                output.write_text(json.dumps([run.args, run.returncode, run.stdout, run.stderr]))
        return subprocess.CompletedProcess(*json.loads(output.read_text()))

    def _run(self, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "demo", "--quick"],
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.getbasetemp()
    # A worker's folder is inside that of the whole run.
    return Demo(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="module")
def finished(demo: Demo) -> subprocess.CompletedProcess[str]:
    return demo()


@pytest.fixture(scope="module")
def output(finished: subprocess.CompletedProcess[str]) -> str:
    """The demo's output, without its line breaks."""
    return " ".join(finished.stdout.split())


def test_every_promise_is_kept_while_sts_is_slow_and_down(
    finished: subprocess.CompletedProcess[str],
) -> None:
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "All promises kept." in finished.stdout
    assert finished.stdout.count("✓ kept") == 6
    assert "BROKEN" not in finished.stdout


def test_the_summary_counts_for_threads_and_tasks_of_both_sides(
    finished: subprocess.CompletedProcess[str],
) -> None:
    number = r"  +([\d,.]+)(?: ms)?"
    for row in "reads", "failed", "waited > 50 ms", "longest wait":
        assert re.search(rf"^ +{re.escape(row)}{number * 4} *$", finished.stdout, re.MULTILINE), row
    reads = re.search(rf"^ +reads{number * 4}", finished.stdout, re.MULTILINE)
    assert reads
    assert all(int(count.replace(",", "")) > 0 for count in reads.groups())


def test_threads_and_tasks_share_one_refresh_with_irsa_creds_only(
    finished: subprocess.CompletedProcess[str],
) -> None:
    calls = r"  +\d+ \+ \d+"
    row = rf"^ +STS calls ok \+ failed{calls}  +the same{calls}{calls} *$"
    assert re.search(row, finished.stdout, re.MULTILINE), finished.stdout
    assert re.search(r"✓ kept +One STS call per refresh.* [1-9] keys used by both", finished.stdout)


def test_it_explains_how_the_comparison_is_fair(output: str) -> None:
    assert "advisory 1.5 s (15 of 60 minutes)" in output
    assert "mandatory 1 s (10 of 60)" in output
    assert "Each loop has its own aiobotocore session" in output


def test_no_line_is_wider_than_a_terminal(finished: subprocess.CompletedProcess[str]) -> None:
    assert max(map(len, finished.stdout.splitlines())) <= 100


def test_no_token_and_no_secret_is_shown(finished: subprocess.CompletedProcess[str]) -> None:
    assert "system:serviceaccount:shop:reports" in finished.stdout
    assert "S3 saw reports/irsa-creds" in finished.stdout
    assert "eyJ" not in finished.stdout
    assert "IQoJ" not in finished.stdout


def test_a_broken_promise_changes_the_exit_status(demo: Demo) -> None:
    # The side of irsa-creds then has the libraries' own providers, which wait for a slow STS and
    # share nothing.
    broken = demo(IRSA_CREDS_DISABLE="1")

    assert broken.returncode == 1, broken.stdout + broken.stderr
    waited = r"✗ BROKEN +No read waited over 50 ms +threads \d+, tasks [1-9]"
    assert re.search(waited, broken.stdout), broken.stdout
    assert re.search(r"✗ BROKEN +One STS call per refresh.* 0 keys used by both", broken.stdout)
    assert re.search(r"\d of these promises broken\.", broken.stdout)


IDENTITY = "arn:aws:sts::123456789012:assumed-role/reports/irsa-creds"
READ = Report(reads=100, warm=True, keys=["first", "second"])
KEPT = Tally(
    reports={THREADS: READ, TASKS: READ},
    calls=Calls(successful=2, failed=1, tokens=2),
    calls_by_kind=None,
    keys=2,
    identities=frozenset({IDENTITY}),
    denied=0,
)


def of_one(readers: str, **changes: Any) -> Tally:
    """Return a run with a fault of the threads only, or of the tasks only."""
    return replace(KEPT, reports={**KEPT.reports, readers: replace(READ, **changes)})


def exit_status(tally: Tally) -> int:
    """Return the exit status of the demo after a run."""
    state = State(8.0, QUICK.phases[-1], {OURS: tally, THEIRS: KEPT}, {OURS: [], THEIRS: []})
    story: Any = SimpleNamespace(identity=lambda side: IDENTITY)
    return conclude(Console(file=io.StringIO()), QUICK, state, story)


def test_a_run_with_all_promises_kept_exits_with_zero() -> None:
    assert all(promise.kept for promise in promises(KEPT, IDENTITY))
    assert exit_status(KEPT) == 0


@pytest.mark.parametrize("readers", [THREADS, TASKS])
@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"errors": 1}, "No read failed"),
        ({"reads": 0}, "No read failed"),
        ({"waits": 1, "worst": 0.5}, "No read waited over 50 ms"),
        ({"keys": ["third", "fourth"]}, "One STS call per refresh, for all"),
    ],
)
def test_a_fault_of_threads_or_of_tasks_breaks_a_promise(
    readers: str, changes: dict[str, Any], broken: str
) -> None:
    tally = of_one(readers, **changes)

    assert [each.words for each in promises(tally, IDENTITY) if not each.kept] == [broken]
    assert exit_status(tally) == 1


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"denied": 1}, "No read failed"),
        ({"calls": Calls(4, 1, 2)}, "One STS call per refresh, for all"),
        ({"calls": Calls(2, 10, 2)}, "An STS outage causes few calls"),
        ({"calls": Calls(2, 1, 1)}, "The rotated token was read"),
        ({"identities": frozenset({IDENTITY, "node"})}, "The identity never changed"),
    ],
)
def test_a_fault_seen_by_sts_or_s3_breaks_a_promise(changes: dict[str, Any], broken: str) -> None:
    tally = replace(KEPT, **changes)

    assert [each.words for each in promises(tally, IDENTITY) if not each.kept] == [broken]
    assert exit_status(tally) == 1


def test_only_threads_may_have_used_the_last_key() -> None:
    tally = replace(
        of_one(THREADS, keys=["first", "second", "third"]), calls=Calls(3, 1, 2), keys=3
    )

    assert exit_status(tally) == 0


@pytest.mark.parametrize("scenario", [QUICK, WHOLE])
def test_everything_fits_a_terminal_of_80_columns(scenario: Scenario) -> None:
    many = replace(READ, reads=99_999, worst=9.999)
    tally = replace(
        KEPT,
        reports={THREADS: many, TASKS: many},
        calls_by_kind={THREADS: Calls(99, 99, 2), TASKS: Calls(99, 99, 2)},
    )
    ticks = [tally.reports] * math.ceil(scenario.seconds / TICK)
    sides = dict.fromkeys((OURS, THEIRS), ticks)
    state = State(scenario.seconds, scenario.phases[-1], dict.fromkeys(sides, tally), sides)
    out = io.StringIO()
    console = Console(file=out, width=80, height=24)
    console.print(live(scenario, state))
    assert len(out.getvalue().splitlines()) < 24
    console.print(summary(scenario, state, []))
    text = out.getvalue()

    assert text.count("aiobotocore") == 4, "a title and a strip each"
    assert text.count("99,999") == 8
    assert text.count("99 + 99") == 8
    assert "…" not in text
    for phase in scenario.phases:
        assert f"└{phase.name}" in text
    # No strip needs a second line.
    assert not re.search(r"^[▁▂▄▆█]", text, re.MULTILINE)


class Standstill(Standstills):
    """Standstills at given times."""

    def __init__(self, *spans: tuple[float, float]) -> None:
        super().__init__()
        self._spans.extend(spans)


@pytest.fixture
def start() -> float:
    """An instant so long ago that all waits can be counted."""
    return time.perf_counter() - 60


def counted_report(start: float, wait: Wait, process: Standstills | None = None) -> Report:
    """Return the report after one wait for credentials that had their first fetch before."""
    meter = Meter(process or Standstill())
    meter._first[wait.credentials] = start - 1
    meter._waits.add(wait)
    return meter.report()


def test_a_wait_counts_without_standstills_of_the_process(start: float) -> None:
    wait = Wait(1, None, start, None, start + 0.5)

    counted = counted_report(start, wait)
    without_standstill = counted_report(start, wait, Standstill((start + 0.01, start + 0.48)))

    assert (counted.waits, without_standstill.waits) == (1, 0)
    assert counted.worst == pytest.approx(0.5)
    assert without_standstill.worst == pytest.approx(0.03)


def test_a_busy_loop_does_not_count_for_a_suspended_task(
    start: float,
) -> None:
    busy = Standstill((start + 0.02, start + 0.49))
    wait = Wait(1, busy, start, start + 0.01, start + 0.5)

    assert counted_report(start, wait).worst == pytest.approx(0.03)


def test_credentials_that_block_their_loop_count_as_a_wait(start: float) -> None:
    busy = Standstill((start, start + 0.5))
    blocks_throughout = Wait(1, busy, start, None, start + 0.5)
    blocks_first = Wait(1, busy, start, start + 0.4, start + 0.5)

    assert counted_report(start, blocks_throughout).worst == pytest.approx(0.5)
    assert counted_report(start, blocks_first).worst == pytest.approx(0.4)


def test_a_read_that_waits_at_the_end_counts(start: float) -> None:
    meter = Meter(Standstill())
    meter._first[1] = start - 1
    meter._waits.add(Wait(1, None, start))

    # Once, in every report.
    assert [meter.report().waits for _ in range(3)] == [1, 1, 1]
    assert meter.report().worst == pytest.approx(60, abs=10)


def test_nothing_is_counted_before_every_credentials_object_had_its_first_fetch(
    start: float,
) -> None:
    meter = Meter(Standstill(), objects=2)
    meter._first[1] = start - 1
    meter._waits.add(Wait(1, None, start, None, start + 0.5))
    assert (meter.report().waits, meter.report().warm) == (0, False)

    meter._waits = {
        Wait(1, None, start, None, start + 0.5),
        Wait(1, None, start + 2, None, start + 3),
    }
    meter._first[2] = start + 1
    assert meter.report().waits == 1
    assert meter.report().warm


def test_credentials_are_known_by_their_keys(start: float) -> None:
    meter = Meter(Standstill())
    for key in "first", "first", "second":
        with meter.waiting(Wait(1)) as wait:
            pass
        meter.found(wait, key)

    assert meter.report().keys == ["first", "second"]


def test_reads_are_counted_by_how_they_end() -> None:
    meter = Meter(Standstill())

    def failing() -> None:
        with meter.reading():
            raise ConnectionError("no route")

    with meter.reading():
        pass
    with pytest.raises(ConnectionError):
        failing()

    first, second = meter.report(), meter.report()
    assert (first.reads, first.errors, first.tick_errors, second.tick_errors) == (1, 1, 1, 0)
    assert first.last_error == "ConnectionError: no route"


def test_the_first_suspension_is_noted_once() -> None:
    noted: list[str] = []

    async def at_once() -> str:
        return "at once"

    async def later() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "later"

    async def main() -> list[Any]:
        return [
            await NoteSuspension(at_once(), lambda: noted.append("at once")),
            await NoteSuspension(later(), lambda: noted.append("later")),
        ]

    assert asyncio.run(main()) == ["at once", "later"]
    assert noted == ["later"]


def test_a_cancellation_reaches_the_coroutine() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async def watched() -> None:
        await NoteSuspension(waits(), lambda: None)

    async def main() -> bool:
        task = asyncio.create_task(watched())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(main())
    assert seen == ["ended"]
