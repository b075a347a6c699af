"""50 processes start cold together, and the one that calls STS for all of them is lost.

It has the lock of the shared cache, its request has reached STS, which takes 0.3 s, and then it is
killed (SIGKILL) or stopped forever (SIGSTOP). Each other process reads one botocore session. There
is no comparison, because botocore's processes share nothing.

Targets: killed, at most 2 STS calls more than the one that is needed, and no wait over 2 s.
Stopped, at most 3 until the last process has credentials, and no wait over 7 s; and all continue to
refresh.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

from benchmarks._bench import Row, children, pod_for
from benchmarks._measure import OURS
from benchmarks.pod_crowd import Crowd, crowd
from irsa_creds.testing import Sandbox

_PROCESSES, _LATENCY, _REFRESHES = 50, 0.3, 2
_LIFETIME = 12.0
# Seconds until all have refreshed, over a lifetime.
_MOST_SECONDS = 4 * _LIFETIME
_ARRIVES = 10.0
_LOST = {
    # The signal, the extra calls, and the longest wait.
    "killed": (signal.SIGKILL, 2, 2.0),
    "stopped": (signal.SIGSTOP, 3, 7.0),
}


def run(mode: str) -> list[Row]:
    """Measure with a lock holder that is `killed` or `stopped`."""
    number, most_calls, most_seconds = _LOST[mode]
    goes_on = mode == "stopped"
    plan = Crowd(_PROCESSES, announced=True)
    if goes_on:
        plan = Crowd(_PROCESSES, _MOST_SECONDS, keys=1 + _REFRESHES, announced=True)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        sandbox.lifetime = _LIFETIME if goes_on else None
        sandbox.faults.latency = _LATENCY
        child = crowd(OURS, plan, pod_for(sandbox), str(Path(folder) / "cache"))
        with children(child):
            child.go()
            holder = child.result()
            _await_call(sandbox)
            os.kill(holder, number)
            reports = child.result()
        calls = [call.at for call in sandbox.sts_calls]
    served = [each["first_at"] for each in reports if each["first_at"] is not None]
    errors = sum(each["errors"] for each in reports)
    extra = sum(at <= max(served, default=0.0) for at in calls) - 1
    slowest = max(each["slowest"] for each in reports)
    what = f"{_PROCESSES} processes, the lock's holder {mode} in mid-exchange"
    whole = len(served) == len(reports) and not errors
    rows = [
        Row(
            f"{what}: extra STS calls",
            "",
            None,
            extra,
            f"<= {most_calls}",
            1 <= extra <= most_calls and whole,
            f"{len(served)} of the other {len(reports)} have credentials, {errors} errors",
            raw={"reports": reports, "calls": len(calls)},
        ),
        Row(
            f"{what}: longest wait",
            "s",
            None,
            slowest,
            f"<= {most_seconds:g}",
            slowest <= most_seconds,
        ),
    ]
    if goes_on:
        refreshed = sum(each["keys"][0] > _REFRESHES for each in reports)
        rows.append(
            Row(
                f"{what}: refreshed {_REFRESHES} times, of {len(reports)}",
                "",
                None,
                refreshed,
                f"{len(reports)}",
                refreshed == len(reports),
                f"{len(calls) - extra - 1} STS calls for {_REFRESHES} refreshes",
                more=True,
            )
        )
    return rows


def _await_call(sandbox: Sandbox) -> None:
    """Wait until a request has reached STS."""
    deadline = time.monotonic() + _ARRIVES
    while not sandbox.sts_calls:
        if time.monotonic() > deadline:
            raise RuntimeError("No process has called STS.")
        time.sleep(0.002)
