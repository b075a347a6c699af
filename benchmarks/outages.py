"""STS fails for 12 s while credentials of an hour are new, in the refresh window, or expiring.

    python -m benchmarks outages-500 outages-refused outages-throttled outages-black-hole ...

To save waiting, the bench dates the credentials of each side back, so that 50 minutes, 13 minutes
(in the advisory window of botocore and of AWS's planned rules) or 60 s are left; all windows are
unscaled. irsa-creds's refresh is due immediately, which is the hardest case, and the others follow
their windows: with new credentials, only irsa-creds calls STS. Each side has two threads and ten
tasks on an event loop that read (AWS's planned rules, a model: threads only). All five processes
read at the same time.

Target: no failed read, and no read > 50 ms.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks._bench import Row, calls_of, pod_for, readers
from benchmarks._measure import LIMIT, OURS, THEIRS
from benchmarks._planned_rules import PLANNED
from benchmarks._readers import Plan
from irsa_creds.testing import OUTAGES, Sandbox

if TYPE_CHECKING:
    from irsa_creds.testing import Pod

__all__ = ["run"]

_LIFETIME = 3600.0
_OUTAGE, _SECONDS = 12.0, 15.0
#: Seconds left when the outage begins.
_BEGINNINGS = {"fresh": 3000.0, "in the refresh window": 780.0, "60 s before the end": 60.0}
_READERS = {
    "threads": {"threads": 2, "pause": 0.1},
    "tasks": {"tasks": 10, "pause": 0.5},
}
_SIDES = {"threads": (THEIRS, OURS, PLANNED), "tasks": (THEIRS, OURS)}


def run(mode: str) -> list[Row]:
    """Measure one kind of outage: one of `OUTAGES`, or STS's error code."""
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        pod = pod_for(sandbox)
        return [
            row
            for beginning, left in _BEGINNINGS.items()
            for row in _rows(
                f"STS {mode} for 12 s, {beginning}", _measure(sandbox, pod, mode, left)
            )
        ]


def _measure(sandbox: Sandbox, pod: Pod, mode: str, left: float) -> dict[str, dict[str, float]]:
    """Return the counts of each side's reads."""
    plans = {
        f"{side}-{kind}": Plan(
            lifetime=_LIFETIME,
            seconds=_SECONDS,
            scaled=False,
            aged=_LIFETIME - left,
            **how,  # type: ignore[arg-type]  # all are numbers
        )
        for kind, how in _READERS.items()
        for side in _SIDES[kind]
    }
    with readers(pod, plans) as each:
        sandbox.reset_calls()
        if mode in OUTAGES:
            sandbox.faults.outage = mode
        else:
            sandbox.faults.fail(mode)
        for child in each.values():
            child.go()
        time.sleep(_OUTAGE)
        sandbox.faults.clear()
        results = {name: child.result() for name, child in each.items()}
    for name, result in results.items():
        result["calls"] = calls_of(sandbox, name)
    return results


def _rows(where: str, results: dict[str, dict[str, float]]) -> list[Row]:
    def total(side: str, name: str) -> float:
        return sum(results[f"{side}-{kind}"][name] for kind in _READERS)

    def row(what: str, name: str, target: str = "") -> Row:
        ours, coming = total(OURS, name), results[f"{PLANNED}-threads"]
        note = f"{PLANNED}, threads alone: {coming[name]:,.0f}"
        if name == "bad":
            note += f" of {coming['reads']:,.0f}"
            note = f"of {total(THEIRS, 'reads'):,.0f} and {total(OURS, 'reads'):,.0f}; {note}"
        met = not target or ours == 0
        title = f"{where}: {what}"
        return Row(title, "", total(THEIRS, name), ours, target, met, note, raw=results)

    return [
        row(f"reads that failed or took > {LIMIT * 1000:.0f} ms", "bad", "0"),
        row("STS calls", "calls"),
    ]
