"""A process forks during its first refresh, on a CPU that it shares with 16 busy processes.

A pod with a CPU limit is as slow: what takes 0.2 s elsewhere takes seconds there, imports and the
first connection to STS too, and a child inherits them as they are at that moment. One thread gets
the first credentials (ours from `irsa_creds.provider()`: nothing of botocore is imported yet);
meanwhile the main thread forks, again and again. When it has ended with that the busy processes end
as well, and each child reads once what its parent was about to get, as the workers of a preloaded
server do. A child that has neither credentials nor an error after 10 s hangs.

Target: all children have credentials.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks._bench import Child, Row, children, pod_for
from benchmarks._measure import OURS, THEIRS
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.testing import Pod

_BUSY, _PROCESSES = 16, 4
_SPIN = "import sys, time\nend = time.monotonic() + 120\nwhile time.monotonic() < end: pass"


def run() -> list[Row]:
    """Measure, one process after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        results = {side: _forked(side, pod) for side in (THEIRS, OURS)}
    theirs, ours = (results[side]["failed"] + results[side]["hung"] for side in (THEIRS, OURS))
    note = "; ".join(
        f"{side}: of {each['forks']} {each['failed']} failed, {each['hung']} hung"
        for side, each in results.items()
    )
    what = f"forks during the first refresh, {_BUSY} busy processes: children without credentials"
    return [Row(what, "", theirs, ours, "0", ours == 0, note, raw=results)]


def _forked(side: str, pod: Pod) -> dict[str, int]:
    """Return how many children there were, and what became of them."""
    found = {"forks": 0, "failed": 0, "hung": 0}
    for _ in range(_PROCESSES):
        with children(Child("benchmarks._forking", side, (), pod)) as (child,):
            with _busy_cpu():
                child.go()
                child.await_ready()
            child.go()
            result = child.result()
        for name in found:
            found[name] += result[name]
    return found


@contextmanager
def _busy_cpu() -> Iterator[None]:
    """Keep the children's CPU busy."""
    each = []
    try:
        for _ in range(_BUSY):
            process = subprocess.Popen([sys.executable, "-S", "-c", _SPIN])
            each.append(process)
            os.sched_setaffinity(process.pid, {_cpu()})
        yield
    finally:
        for process in each:
            process.kill()
            process.wait()


def _cpu() -> int:
    """Return the CPU on which all of this happens: others of the machine stay free."""
    return max(os.sched_getaffinity(0))
