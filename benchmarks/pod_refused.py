"""50 processes without credentials read again and again, while STS returns AccessDenied.

Each process reads one botocore session 4 times a second, as incoming requests would. irsa-creds's
processes share a cache, and with it STS's error. Target: at most 10 STS calls in 30 s, for all.

botocore's processes keep the machine busy all the time, so they run for 10 s; the figure for 30 s
is extrapolated, and the note says so.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks._bench import Row, calls_of, children, pod_for
from benchmarks._measure import OURS, THEIRS
from benchmarks.pod_crowd import Crowd, crowd
from irsa_creds.testing import Sandbox

_PROCESSES, _PAUSE = 50, 0.25
_SECONDS = {THEIRS: 10.0, OURS: 30.0}
_MOST_CALLS = 10


def run() -> list[Row]:
    """Measure one side after the other."""
    results: dict[str, dict[str, int]] = {}
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        pod = pod_for(sandbox)
        sandbox.faults.fail("AccessDenied")
        for side, seconds in _SECONDS.items():
            plan = Crowd(_PROCESSES, seconds, pause=_PAUSE)
            child = crowd(side, plan, pod, str(Path(folder) / "cache"))
            with children(child):
                child.go()
                reports = child.result()
            results[side] = {
                "calls": calls_of(sandbox, side),
                "reads": sum(each["reads"] for each in reports),
                "errors": sum(each["errors"] for each in reports),
            }
    theirs, ours = results[THEIRS], results[OURS]
    whole, part = _SECONDS[OURS], _SECONDS[THEIRS]
    return [
        Row(
            f"{_PROCESSES} processes, STS denies all calls, {whole:g} s: STS calls",
            "",
            theirs["calls"] * whole / part,
            ours["calls"],
            f"1 to {_MOST_CALLS}",
            1 <= ours["calls"] <= _MOST_CALLS and _PROCESSES < ours["reads"] == ours["errors"],
            f"botocore's extrapolated: {theirs['calls']:,} in {part:g} s; "
            f"{ours['reads']:,} reads here, each with its error",
            raw=results,
        )
    ]
