"""16 threads and 200 tasks on 2 event loops read across refreshes, while STS takes 0.5 s.

Each side is one process with three sessions: that of the threads, and one for each loop. Both sides
run at the same time with one STS; credentials last 8 s, and botocore's refresh windows are in
proportion. The figure is the number of reads that wait > 50 ms for credentials: one per refresh and
session with botocore. Target: none, and no error.

On two cores, a loop with 100 tasks may be late for reasons other than credentials. So tasks read
every 0.1 s, out of step (1,000 reads a second on a loop, some microseconds each), and what the
loop's own 10 ms ticker overslept is subtracted from the waits of that time; for threads, a thread's
ticker does it. This is the same on both sides.
"""

from __future__ import annotations

from benchmarks._bench import Row, calls_of, pod_for, readers
from benchmarks._measure import LIMIT, OURS, THEIRS
from benchmarks._readers import Plan
from irsa_creds.testing import Sandbox

_PLAN = Plan(lifetime=8.0, pause=0.1, seconds=20.0, threads=16, tasks=200, loops=2)
_LATENCY = 0.5
_LEAST_REFRESHES = 3


def run() -> list[Row]:
    """Measure."""
    with Sandbox() as sandbox:
        sandbox.lifetime = _PLAN.lifetime
        pod = pod_for(sandbox)
        with readers(pod, dict.fromkeys((THEIRS, OURS), _PLAN)) as each:
            sandbox.faults.latency = _LATENCY
            sandbox.reset_calls()
            for child in each.values():
                child.go()
            theirs, ours = (child.result() for child in each.values())
        refreshes = {side: calls_of(sandbox, side) for side in (THEIRS, OURS)}
    met = ours["waits"] == ours["errors"] == 0 and refreshes[OURS] >= _LEAST_REFRESHES
    note = (
        f"of {theirs['reads']:,.0f} and {ours['reads']:,.0f}, "
        f"in {refreshes[THEIRS]} and {refreshes[OURS]} refreshes"
    )
    what = "STS answers in 0.5 s, 16 threads, 200 tasks, 2 loops"
    return [
        Row(
            f"{what}: reads > {LIMIT * 1000:.0f} ms",
            "",
            theirs["waits"],
            ours["waits"],
            "0",
            met,
            note,
            raw={THEIRS: theirs, OURS: ours, "refreshes": refreshes},
        ),
        Row(f"{what}: longest wait", "ms", theirs["worst"] * 1000, ours["worst"] * 1000),
    ]
