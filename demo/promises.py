"""What we promise, held against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks._measure import LIMIT
from demo.probe import TASKS, THREADS

if TYPE_CHECKING:
    from demo.tally import Tally

__all__ = ["Promise", "milliseconds", "promises"]

#: What DESIGN promises for an outage: a handful of calls, not one for each read.
_MOST_FAILED_CALLS = 9


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of ours: whether it was kept, and by what that is known."""

    words: str
    kept: bool
    known_by: str


def promises(tally: Tally, identity: str) -> list[Promise]:
    """Return what we promise, to threads and to tasks, held against what happened on our side."""
    threads, tasks = tally.reports[THREADS], tally.reports[TASKS]
    both = threads, tasks
    calls = tally.calls
    # A call in the last instant has not been used yet, or not by both.
    wasted = calls.answered - tally.keys > 1
    apart = len(set(threads.keys) ^ set(tasks.keys)) > 1
    shared = len(set(threads.keys) & set(tasks.keys))
    return [
        Promise(
            "No read failed",
            all(each.reads and not each.errors for each in both) and not tally.refused,
            f"threads {threads.errors} of {threads.reads + threads.errors:,}, "
            f"tasks {tasks.errors} of {tasks.reads + tasks.errors:,}",
        ),
        Promise(
            f"No read waited over {LIMIT * 1000:.0f} ms",
            not any(each.waits for each in both),
            f"threads {threads.waits}, tasks {tasks.waits}; "
            f"worst {milliseconds(max(each.worst for each in both))}",
        ),
        Promise(
            "One STS call per refresh, for all",
            tally.keys > 1 and not wasted and not apart,
            f"{calls.answered} calls answered, {shared} keys used by both",
        ),
        Promise(
            "An outage of STS is no stampede",
            calls.failed <= _MOST_FAILED_CALLS,
            f"calls that failed: {calls.failed}",
        ),
        Promise(
            "The rotated token was read", calls.tokens > 1, f"{calls.tokens} tokens shown to STS"
        ),
        Promise(
            "The identity never changed",
            tally.identities == {identity},
            f"S3 saw {', '.join(_session(arn) for arn in tally.identities) or 'nobody'}",
        ),
    ]


def _session(arn: str) -> str:
    """Return role and session of an assumed role's ARN."""
    return arn.partition("assumed-role/")[2] or arn


def milliseconds(seconds: float) -> str:
    """Return a duration as the tables show it."""
    number = seconds * 1000
    return f"{number:,.{0 if number > 10 else 1}f} ms"  # noqa: PLR2004 - two digits at least
