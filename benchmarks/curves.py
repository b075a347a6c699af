"""The curves of the plots: each side while one thing grows.

- `latency`: STS takes longer and longer, and credentials of an hour have 890 s left, so a refresh
  is due on all sides. Four threads read. The figure is the worst wait for credentials that are
  valid all the time, as the median of three runs, since one run's worst may be the machine's.
- `processes`: a growing number of processes of a pod, with 4 sessions each, start cold together.
  The figure is the number of STS calls.
- `availability`: an outage grows longer. The figure is the share of pod-time with valid credentials
  in the outage and the half hour after it, from the simulation (`fleet`); lifetimes are an hour.
- `pauses`: the longest pause between attempts grows, for a pod without valid credentials. The
  figures are the STS calls in an outage, and the time without credentials after it (`fleet`).

`benchmarks.plots` draws them from the JSON that `python -m benchmarks --json` writes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import fleet
from benchmarks._bench import Row, calls_of, children, median_of, pod_for, readers
from benchmarks._measure import OURS, THEIRS
from benchmarks._planned_rules import PLANNED
from benchmarks._readers import Plan
from benchmarks.fleet_cluster import SHARED
from benchmarks.pod_crowd import Crowd, crowd
from irsa_creds._engine import timing
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.testing import Pod

__all__ = ["run"]

Curve = list[tuple[float, float]]

_LATENCIES = 0.02, 0.1, 0.3, 1.0, 3.0
_RUNS = 3
_LIFETIME, _LEFT = 3600.0, 890.0
_PROCESSES = 1, 2, 4, 8, 16
_SESSIONS = 4


def run(which: str) -> list[Row]:
    """Measure one curve; the row has its last point, and `raw` all points."""
    if which == "pauses":
        return [_pauses()]
    what, measure = {
        "latency": ("STS answers in 3 s: worst wait of 4 threads, s", _latency),
        "processes": ("16 processes x 4 sessions start: STS calls", _processes),
        "availability": (
            "STS out for 2 h (simulated): pod-time with credentials, %",
            _availability,
        ),
    }[which]
    curves = measure()
    ours = SHARED if SHARED in curves else OURS
    note = "; ".join(
        f"{side}: {curve[-1][1]:,.3g}"
        for side, curve in curves.items()
        if side not in (THEIRS, ours)
    )
    raw = {"curve": which, "series": curves}
    theirs, mine = curves[THEIRS][-1][1], curves[ours][-1][1]
    return [Row(what, "", theirs, mine, note=note, more=which == "availability", raw=raw)]


def _latency() -> dict[str, Curve]:
    curves: dict[str, Curve] = {THEIRS: [], PLANNED: [], OURS: []}
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        pod = pod_for(sandbox)
        for latency in _LATENCIES:
            plan = Plan(
                lifetime=_LIFETIME,
                pause=0.05,
                seconds=latency + 2,
                threads=4,
                scaled=False,
                aged=_LIFETIME - _LEFT,
            )
            plans = dict.fromkeys(curves, plan)
            worst = [_worst_waits(sandbox, pod, latency, plans) for _ in range(_RUNS)]
            for side, curve in curves.items():
                curve.append((latency, median_of([each[side] for each in worst])))
    return curves


def _worst_waits(
    sandbox: Sandbox, pod: Pod, latency: float, plans: Mapping[str, Plan]
) -> dict[str, float]:
    """Return each side's worst wait in one run."""
    # Without the first fetch.
    sandbox.faults.clear()
    with readers(pod, plans) as each:
        sandbox.faults.latency = latency
        for child in each.values():
            child.go()
        return {side: child.result()["worst"] for side, child in each.items()}


def _processes() -> dict[str, Curve]:
    curves: dict[str, Curve] = {THEIRS: [], OURS: [], SHARED: []}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        for number in _PROCESSES:
            for side, curve in curves.items():
                curve.append((float(number), _calls_of_start(sandbox, pod, side, number)))
    return curves


def _calls_of_start(sandbox: Sandbox, pod: Pod, side: str, number: int) -> float:
    sandbox.reset_calls()
    with tempfile.TemporaryDirectory() as folder:
        cache_dir = str(Path(folder) / "cache") if side == SHARED else ""
        name = OURS if side == SHARED else side
        with children(crowd(name, Crowd(number, sessions=_SESSIONS), pod, cache_dir)) as (child,):
            child.go()
            child.result()
    return float(calls_of(sandbox, name))


def _pauses() -> Row:
    curves = fleet.pauses()
    chosen = timing.CACHED_FAILURE_SECONDS
    ((calls, excess, _),) = (each for each in curves["1 attempt"] if each[2] == chosen)
    return Row(
        f"STS out for 30 min (simulated), pauses up to {chosen:g} s: calls, times AWS's",
        "",
        None,
        calls,
        note=f"without credentials after 60 min: {excess:.2g} % of AWS's time",
        raw={"curve": "pauses", "series": curves},
    )


def _availability() -> dict[str, Curve]:
    return {
        side: [(minutes, 100 * share) for minutes, share in curve]
        for side, curve in fleet.availability().items()
    }
