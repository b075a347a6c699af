"""Credentials of 900 s with 590 s left, while STS is down for 15 s.

botocore's refresh windows are unscaled: 590 s are in the mandatory one. To save waiting 310 s, the
bench dates the credentials of both sides back by 310 s, and makes irsa-creds's refresh due
immediately, which is the hardest case. A thread reads, and in a process of its own a task. Target:
no error, and 1 to 8 STS calls.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks._bench import Row, calls_of, pod_for, readers
from benchmarks._measure import OURS, THEIRS
from benchmarks._readers import Plan
from irsa_creds.testing import Sandbox

_LIFETIME, _LEFT = 900.0, 590.0
_PLAN = Plan(lifetime=_LIFETIME, pause=0.2, seconds=15.0, scaled=False, aged=_LIFETIME - _LEFT)
_READERS = {"thread": replace(_PLAN, threads=1), "task": replace(_PLAN, tasks=1)}
_MOST_CALLS = 8


def run() -> list[Row]:
    """Measure."""
    plans = {f"{side}-{kind}": plan for kind, plan in _READERS.items() for side in (THEIRS, OURS)}
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        with readers(pod_for(sandbox), plans) as each:
            sandbox.reset_calls()
            sandbox.faults.outage = "500"
            for child in each.values():
                child.go()
            results = {name: child.result() for name, child in each.items()}
        for name, result in results.items():
            result["calls"] = calls_of(sandbox, name)
    return [
        row
        for kind in _READERS
        for row in _rows(kind, results[f"{THEIRS}-{kind}"], results[f"{OURS}-{kind}"])
    ]


def _rows(kind: str, theirs: dict[str, float], ours: dict[str, float]) -> list[Row]:
    what = f"900 s credentials, 590 left, STS down 15 s, a {kind}"
    return [
        Row(
            f"{what}: errors",
            "",
            theirs["errors"],
            ours["errors"],
            "0",
            ours["errors"] == 0,
            # A read that hangs at the end is not an error yet.
            f"of {theirs['reads']:.0f} ({theirs['hung']:.0f} hung) and {ours['reads']:.0f} reads",
            raw={THEIRS: theirs, OURS: ours},
        ),
        Row(
            f"{what}: STS calls",
            "",
            theirs["calls"],
            ours["calls"],
            f"1 to {_MOST_CALLS}",
            1 <= ours["calls"] <= _MOST_CALLS,
        ),
    ]
