"""Reads across refreshes while STS takes 0.5 s: how many wait for it?

16 threads share one session on each side; both sides run at the same time with one STS. Credentials
last 8 s, and botocore's refresh windows are in proportion. Target: no read, in 3 or more refreshes.
"""

from __future__ import annotations

from benchmarks._bench import STS, Row, calls_of, pod_for, readers
from benchmarks._measure import LIMIT, OURS, THEIRS
from benchmarks._readers import Plan
from irsa_creds.testing import Sandbox

_LIFETIME = 8.0
_LATENCY = 0.5
_SECONDS = 20.0
_LEAST_REFRESHES = 3


def run(source: str = STS) -> list[Row]:
    """Measure.

    Args:
        source: `STS` or `AGENT`.
    """
    plan = Plan(lifetime=_LIFETIME, threads=16, pause=0.02, seconds=_SECONDS)
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        pod = pod_for(sandbox, source)
        with readers(pod, dict.fromkeys((THEIRS, OURS), plan)) as each:
            sandbox.faults.latency = _LATENCY
            sandbox.reset_calls()
            for child in each.values():
                child.go()
            theirs, ours = (child.result() for child in each.values())
        refreshes = {side: calls_of(sandbox, side) for side in (THEIRS, OURS)}
    met = ours["waits"] == 0 and ours["errors"] == 0 and refreshes[OURS] >= _LEAST_REFRESHES
    note = f"in {refreshes[THEIRS]} and {refreshes[OURS]} refreshes"
    what = f"{source} answers in 0.5 s, 16 threads: reads > {LIMIT * 1000:.0f} ms"
    longest = Row(
        f"{source} answers in 0.5 s, 16 threads: longest wait", "ms", _ms(theirs), _ms(ours)
    )
    return [Row(what, "", theirs["waits"], ours["waits"], "0", met, note), longest]


def _ms(result: dict[str, float]) -> float:
    return result["worst"] * 1000
