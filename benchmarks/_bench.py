"""What all scenarios share: a row of the table, the sandbox's pod, a process for each side."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks._measure import clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from irsa_creds.testing import Pod, Sandbox

__all__ = [
    "Child",
    "Row",
    "calls_of",
    "children",
    "measured",
    "median_of",
    "pod_for",
    "quotient",
    "readers",
    "ready",
    "spread_of",
]

_WHOLE_FROM = 100
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: is measured; what stands before ": " is the heading of several rows.
        unit: of both figures; empty where they count.
        theirs: botocore's or aiobotocore's own; None where there is nothing to compare.
        ours: irsa-creds'.
        target: what ours must reach, in words; empty for a figure that only informs.
        met: whether it does.
        note: what else is to be known.
        more: whether more is better; else the ratio is how many times ours theirs is.
        raw: what was measured, for the JSON.
    """

    what: str
    unit: str
    theirs: float | None
    ours: float | None
    target: str = ""
    met: bool = True
    note: str = ""
    more: bool = False
    raw: dict[str, Any] = field(default_factory=dict)


class Child:
    """A process of one scenario: it says a line when it is ready, and its result at the end.

    Args:
        module: the scenario, whose `__main__` part is the child.
        side: whose provider it uses, or a variant of it; the name of its STS session too.
        arguments: further ones.
        pod: whose environment it gets.
        environ: variables over that.
    """

    def __init__(
        self, module: str, side: str, arguments: Sequence[object], pod: Pod, **environ: str
    ) -> None:
        variables = {**pod.environ, "AWS_ROLE_SESSION_NAME": side, **environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, side, *map(str, arguments)],
            cwd=_ROOT,
            env=clean_environ(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def await_ready(self) -> None:
        """Return when the child says that it is ready."""
        self._line()

    def go(self) -> None:
        """Let it begin."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.write("go\n")
            stdin.flush()

    def result(self) -> Any:
        """Wait for what it measured."""
        return json.loads(self._line())

    def _line(self) -> str:
        stdout = self._process.stdout
        line = stdout.readline() if stdout else ""
        if not line:
            raise RuntimeError("A benchmark's process ended without a result; see its traceback.")
        return line


@contextmanager
def children(*each: Child) -> Iterator[tuple[Child, ...]]:
    """Let several run side by side, and begin together."""
    try:
        for child in each:
            child.await_ready()
        yield each
    finally:
        for child in each:
            child.__exit__()


def measured(module: str, side: str, arguments: Sequence[object], pod: Pod, **environ: str) -> Any:
    """Let one child run alone, and return its result."""
    with children(Child(module, side, arguments, pod, **environ)) as (child,):
        child.go()
        return child.result()


@contextmanager
def readers(pod: Pod, plans: Mapping[str, object]) -> Iterator[dict[str, Child]]:
    """Let a child of `_reading` run for each side or variant; all get credentials at one time."""
    each = {side: Child("benchmarks._reading", side, (plan,), pod) for side, plan in plans.items()}
    with children(*each.values()):
        for child in each.values():
            child.go()
        for child in each.values():
            child.await_ready()
        yield each


def ready() -> None:
    """In a child: say that it is ready, and return when it is to go on."""
    print("ready", flush=True)
    sys.stdin.readline()


def pod_for(sandbox: Sandbox) -> Pod:
    """Return a pod whose role may do nothing: credentials are all that is read here."""
    return sandbox.deploy(bucket=None)


def calls_of(sandbox: Sandbox, side: str) -> int:
    """Return how many requests of a side have reached STS since `reset_calls`."""
    return sum(call.session_name == side for call in sandbox.sts_calls)


def median_of(figures: Sequence[float]) -> float:
    """Return the median: on a busy machine the mean tells of the others."""
    return statistics.median(figures)


def spread_of(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Return, for a row's note, from where to where the figures reached that it has medians of."""
    return (
        f"medians of {len(ours)}, from {_figure(min(theirs))} to {_figure(max(theirs))} "
        f"and from {_figure(min(ours))} to {_figure(max(ours))}"
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.1f}"


def quotient(row: Row) -> float | None:
    """Return how many times better ours is; None where that says nothing."""
    if row.theirs is None or row.ours is None or min(row.theirs, row.ours) <= 0:
        return None
    return row.ours / row.theirs if row.more else row.theirs / row.ours
