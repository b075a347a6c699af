"""A process forks during its first refresh, on a CPU that it shares with 16 busy processes.

A pod with a CPU limit is as slow: imports and the first connection to STS take seconds instead of
0.2 s, and a child inherits them half done. One thread makes and gets the first credentials, imports
included; meanwhile the main thread forks again and again. Then the busy processes end, and each
child reads once what its parent was about to get, as the workers of a preloaded server do. A child
without credentials or an error after 10 s hangs.

Target: all children have credentials.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks._bench import STS, Child, Row, children, pod_for
from benchmarks._measure import OURS, THEIRS
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.testing import Pod

_BUSY, _PROCESSES = 16, 4
_SPIN = "import sys, time\nend = time.monotonic() + 120\nwhile time.monotonic() < end: pass"


def run(source: str = STS) -> list[Row]:
    """Measure one process after the other.

    Args:
        source: `STS` or `AGENT`.
    """
    with Sandbox() as sandbox:
        pod = pod_for(sandbox, source)
        results = {side: _forked(side, pod) for side in (THEIRS, OURS)}
    theirs, ours = (results[side]["failed"] + results[side]["hung"] for side in (THEIRS, OURS))
    note = "; ".join(
        f"{side}: of {each['forks']} {each['failed']} failed, {each['hung']} hung"
        for side, each in results.items()
    )
    of = "" if source == STS else f" ({source})"
    what = (
        f"forks during the first refresh{of}, {_BUSY} busy processes: children without credentials"
    )
    return [Row(what, "", theirs, ours, "0", ours == 0, note, raw=results)]


def _forked(side: str, pod: Pod) -> dict[str, int]:
    """Return the number of children, and of those that failed or hung."""
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
    """Return the CPU for all processes; the machine's other CPUs stay free."""
    return max(os.sched_getaffinity(0))
