"""Parts of all scenarios: a row of the table, the pod in the sandbox, a process for each side."""

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
    "AGENT",
    "STS",
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

#: Who returns credentials, as the table names them.
STS, AGENT = "STS", "Pod Identity agent"
_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
_WHOLE_FROM = 100
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: what is measured; the text before ": " is the heading of several rows.
        unit: of both figures; empty for counts.
        theirs: the figure of botocore or aiobotocore; None without a comparison.
        ours: the figure of irsa-creds.
        target: the target of irsa-creds in words, or empty.
        met: whether irsa-creds meets it.
        note: printed below the row.
        more: whether more is better.
        raw: the measurements, for the JSON.
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
    """A process of one scenario: it prints a line when it is ready, and its result at the end.

    Args:
        module: the scenario, whose `__main__` part is the child.
        side: the side or a variant of it; also the name of its STS session.
        arguments: further arguments.
        pod: the pod whose environment it gets.
        environ: further variables.
    """

    def __init__(
        self, module: str, side: str, arguments: Sequence[object], pod: Pod, **environ: str
    ) -> None:
        variables = {**pod.environ, "AWS_ROLE_SESSION_NAME": side, **environ}
        if _TOKEN_FILE in variables:
            # The agent's requests have no session name, and its cache is by token.
            own = pod.volume.directory / f"token-of-{side}"
            own.write_text(pod.token(side=side))
            variables[_TOKEN_FILE] = str(own)
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
        """Wait until the child is ready."""
        self._line()

    def go(self) -> None:
        """Start the child's measurement."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.write("go\n")
            stdin.flush()

    def result(self) -> Any:
        """Wait for the child's result and return it."""
        return json.loads(self._line())

    def _line(self) -> str:
        stdout = self._process.stdout
        line = stdout.readline() if stdout else ""
        if not line:
            raise RuntimeError("A benchmark's process ended without a result; see its traceback.")
        return line


@contextmanager
def children(*each: Child) -> Iterator[tuple[Child, ...]]:
    """Run several children, and yield when all are ready."""
    try:
        for child in each:
            child.await_ready()
        yield each
    finally:
        for child in each:
            child.__exit__()


def measured(module: str, side: str, arguments: Sequence[object], pod: Pod, **environ: str) -> Any:
    """Run one child and return its result."""
    with children(Child(module, side, arguments, pod, **environ)) as (child,):
        child.go()
        return child.result()


@contextmanager
def readers(pod: Pod, plans: Mapping[str, object]) -> Iterator[dict[str, Child]]:
    """Run a child of `_reading` for each side or variant; yield when all have credentials."""
    each = {side: Child("benchmarks._reading", side, (plan,), pod) for side, plan in plans.items()}
    with children(*each.values()):
        for child in each.values():
            child.go()
        for child in each.values():
            child.await_ready()
        yield each


def ready() -> None:
    """In a child: print that it is ready, and wait until it may start."""
    print("ready", flush=True)
    sys.stdin.readline()


def pod_for(sandbox: Sandbox, source: str = STS) -> Pod:
    """Return a pod whose role has no permissions: scenarios only read credentials."""
    return sandbox.deploy(bucket=None, pod_identity=source == AGENT)


def calls_of(sandbox: Sandbox, side: str) -> int:
    """Return the number of a side's requests to STS or the agent since `reset_calls`."""
    calls = sandbox.sts_calls
    return sum(side in {call.session_name, call.claims.get("side")} for call in calls)


def median_of(figures: Sequence[float]) -> float:
    """Return the median, because other processes of a busy machine distort the mean."""
    return statistics.median(figures)


def spread_of(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Return a note with the range of the figures of both sides."""
    return (
        f"medians of {len(ours)}, from {_figure(min(theirs))} to {_figure(max(theirs))} "
        f"and from {_figure(min(ours))} to {_figure(max(ours))}"
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.1f}"


def quotient(row: Row) -> float | None:
    """Return how many times better irsa-creds is, or None if that is undefined."""
    if row.theirs is None or row.ours is None or min(row.theirs, row.ours) <= 0:
        return None
    return row.ours / row.theirs if row.more else row.theirs / row.ours
