"""The promises of irsa-creds, checked against the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks._measure import LIMIT
from demo.probe import TASKS, THREADS

if TYPE_CHECKING:
    from demo.tally import Tally

__all__ = ["Promise", "milliseconds", "promises"]

#: Failed calls allowed in an outage, independent of the number of reads.
_MOST_FAILED_CALLS = 9


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, whether it was kept, and the figures that show it."""

    words: str
    kept: bool
    figures: str


def promises(tally: Tally, identity: str) -> list[Promise]:
    """Return the promises, checked against the side of irsa-creds."""
    threads, tasks = tally.reports[THREADS], tally.reports[TASKS]
    both = threads, tasks
    calls = tally.calls
    # The last call's key may not have been used yet, or not by both.
    unused = calls.successful - tally.keys > 1
    separate = len(set(threads.keys) ^ set(tasks.keys)) > 1
    shared = len(set(threads.keys) & set(tasks.keys))
    return [
        Promise(
            "No read failed",
            all(each.reads and not each.errors for each in both) and not tally.denied,
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
            tally.keys > 1 and not unused and not separate,
            f"{calls.successful} successful calls, {shared} keys used by both",
        ),
        Promise(
            "An STS outage causes few calls",
            calls.failed <= _MOST_FAILED_CALLS,
            f"failed calls: {calls.failed}",
        ),
        Promise(
            "The rotated token was read", calls.tokens > 1, f"{calls.tokens} tokens sent to STS"
        ),
        Promise(
            "The identity never changed",
            tally.identities == {identity},
            f"S3 saw {', '.join(_session(arn) for arn in tally.identities) or 'no caller'}",
        ),
    ]


def _session(arn: str) -> str:
    """Return the role and the session of an assumed role's ARN."""
    return arn.partition("assumed-role/")[2] or arn


def milliseconds(seconds: float) -> str:
    """Return a duration in milliseconds for the tables."""
    number = seconds * 1000
    return f"{number:,.{0 if number > 10 else 1}f} ms"  # noqa: PLR2004 - at least two digits
