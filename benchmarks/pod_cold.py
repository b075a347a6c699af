"""16 processes of a pod, 4 sessions in each, start cold together, and refresh three times.

irsa-creds's processes share a cache in a directory; botocore's own provider shares nothing. A
thread reads each session until it has seen 4 keys, so both sides have the same number of refreshes,
whatever their time. botocore's windows are scaled to the lifetime. The lifetimes differ, because
botocore refreshes 64 sessions at once after three quarters of a lifetime, and irsa-creds after two
fifths to a half. Targets: 1 STS call for the start, and at most 4 in all.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._bench import Row, calls_of, children, pod_for
from benchmarks._measure import OURS, THEIRS
from benchmarks.pod_crowd import Crowd, crowd
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from irsa_creds.testing import Pod

_PROCESSES, _SESSIONS, _REFRESHES = 16, 4, 3
_ALL = _PROCESSES * _SESSIONS
_LIFETIMES = {THEIRS: 8.0, OURS: 24.0}
# In lifetimes, a little more than both sides need.
_MOST = 4.0


def run() -> list[Row]:
    """Measure one side after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        results = {side: _measured(sandbox, pod, side) for side in (THEIRS, OURS)}
    theirs, ours = results[THEIRS], results[OURS]
    what = f"{_PROCESSES} processes x {_SESSIONS} sessions, shared cache"
    most = 1 + _REFRESHES
    return [
        Row(
            f"{what}: STS calls of a cold start together",
            "",
            theirs["cold"],
            ours["cold"],
            "1",
            ours["cold"] == 1 and ours["started"] == _ALL,
            raw=results,
        ),
        Row(
            f"{what}: STS calls through {_REFRESHES} refreshes, in all",
            "",
            theirs["calls"],
            ours["calls"],
            f"<= {most}",
            ours["calls"] <= most and ours["refreshed"] == _ALL and not ours["errors"],
            f"{theirs['refreshed']} and {ours['refreshed']} sessions had all of them; "
            f"{theirs['errors']} and {ours['errors']} errors",
        ),
    ]


def _measured(sandbox: Sandbox, pod: Pod, side: str) -> dict[str, int]:
    lifetime = _LIFETIMES[side]
    sandbox.lifetime = lifetime
    start = Crowd(_PROCESSES, sessions=_SESSIONS)
    through = Crowd(_PROCESSES, _MOST * lifetime, _SESSIONS, keys=1 + _REFRESHES, lifetime=lifetime)
    started = _reports(side, start, pod)
    cold = calls_of(sandbox, side)
    sandbox.reset_calls()
    refreshed = _reports(side, through, pod)
    return {
        "cold": cold,
        "started": _sessions_with(started, 1),
        "calls": calls_of(sandbox, side),
        "refreshed": _sessions_with(refreshed, through.keys),
        "errors": sum(each["errors"] for each in (*started, *refreshed)),
    }


def _reports(side: str, plan: Crowd, pod: Pod) -> list[dict[str, Any]]:
    """Run a pod with a new cache."""
    with tempfile.TemporaryDirectory() as folder:
        child = crowd(side, plan, pod, str(Path(folder) / "cache"))
        with children(child):
            child.go()
            reports: list[dict[str, Any]] = child.result()
            return reports


def _sessions_with(reports: list[dict[str, Any]], keys: int) -> int:
    return sum(seen >= keys for each in reports for seen in each["keys"])
