"""STS fails as soon as credentials of 30 s are there, and recovers after 20 s.

Each side has a process that reads in 4 threads, and one that reads in 20 tasks on an event loop. On
botocore's and aiobotocore's side, the refresh windows are first unscaled: 30 s lie in them from the
beginning, as the last 10 minutes of an hour's credentials do, which the table calls "the same
place". Then they are in proportion (7.5 and 5 s), which puts the refresh after the end of this
outage, and the note says so. All six processes read at the same time.

Target: no error, no read > 50 ms, and 1 to 9 STS calls in all (AccessDenied: 1 to 5).
"""

from __future__ import annotations

import time
from dataclasses import replace

from benchmarks._bench import STS, Row, calls_of, pod_for, readers
from benchmarks._measure import LIMIT, OURS, THEIRS
from benchmarks._readers import Plan
from irsa_creds.testing import OUTAGES, Sandbox

_OUTAGE, _SECONDS = 20.0, 23.0
_READERS = {
    "threads": Plan(lifetime=30.0, pause=0.05, seconds=_SECONDS, threads=4),
    "tasks": Plan(lifetime=30.0, pause=0.25, seconds=_SECONDS, tasks=20),
}
_SCALED = "botocore-scaled"
_RETRY_AFTER = 6.0
_MOST_CALLS, _MOST_DENIED = 9, 5


def run(mode: str, source: str = STS) -> list[Row]:
    """Measure one kind of outage.

    Args:
        mode: one of `OUTAGES`, "Throttling", or another error code.
        source: `STS` or `AGENT`.
    """
    plans = {
        f"{side}-{kind}": replace(plan, scaled=side != THEIRS)
        for kind, plan in _READERS.items()
        for side in (THEIRS, OURS, _SCALED)
    }
    with Sandbox() as sandbox:
        sandbox.lifetime = 30.0
        with readers(pod_for(sandbox, source), plans) as each:
            sandbox.reset_calls()
            where, most = _break(sandbox, mode, source)
            for child in each.values():
                child.go()
            time.sleep(_OUTAGE)
            sandbox.faults.clear()
            results = {name: child.result() for name, child in each.items()}
        for name, result in results.items():
            result["calls"] = calls_of(sandbox, name)
    return [
        row
        for kind, plan in _READERS.items()
        for row in _rows(
            f"{where} for 20 s, {plan.threads or plan.tasks} {kind}",
            most,
            *(results[f"{side}-{kind}"] for side in (THEIRS, OURS, _SCALED)),
        )
    ]


def _break(sandbox: Sandbox, mode: str, source: str) -> tuple[str, int]:
    """Break STS; return a description and the allowed numbers of calls."""
    if mode in OUTAGES:
        sandbox.faults.outage = mode
        return f"{source} down ({mode})", _MOST_CALLS
    if mode == "Throttling":
        sandbox.faults.fail(mode, retry_after=_RETRY_AFTER)
        return f"{source} throttles (Retry-After: {_RETRY_AFTER:g})", _MOST_CALLS
    sandbox.faults.fail(mode)
    return f"{source} denies all calls ({mode})", _MOST_DENIED


def _rows(
    where: str,
    most: int,
    theirs: dict[str, float],
    ours: dict[str, float],
    scaled: dict[str, float],
) -> list[Row]:
    reads = f"of {theirs['reads']:,.0f} and {ours['reads']:,.0f}"
    raw = {THEIRS: theirs, OURS: ours, _SCALED: scaled}

    hang = f"{theirs['hung']:.0f} there hang; " if theirs["hung"] else ""

    def row(what: str, name: str, note: str) -> Row:
        met = ours[name] == 0
        note = f"{note}windows scaled: {scaled[name]:.0f}"
        return Row(f"{where}: {what}", "", theirs[name], ours[name], "0", met, note)

    return [
        row("errors", "errors", f"{reads}; "),
        row(f"reads > {LIMIT * 1000:.0f} ms", "waits", hang),
        Row(
            f"{where}: calls a minute",
            "",
            theirs["calls"] * 60 / _SECONDS,
            ours["calls"] * 60 / _SECONDS,
            f"1 to {most} calls",
            1 <= ours["calls"] <= most,
            f"{theirs['calls']:,} and {ours['calls']} in {_SECONDS:g} s; "
            f"windows scaled: {scaled['calls']}",
            raw=raw,
        ),
    ]
