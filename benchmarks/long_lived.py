"""Credentials as AWS gives them: 900 s, of which 590 are left, and STS is down for 15 s.

botocore's refresh windows are its own, unscaled: 590 s are in the mandatory one. Nobody waits 310 s
for that: on both sides the credentials are dated back by 310 s once they are there, and ours are
told to refresh at once, which is the hardest that chance could have brought.
"""

from __future__ import annotations

from benchmarks._bench import Row, calls_of, pod_for, readers
from benchmarks._measure import OURS, THEIRS
from benchmarks._reading import Plan
from irsa_creds.testing import Sandbox

_LIFETIME, _LEFT = 900.0, 590.0
_SECONDS = 15.0
_MOST_CALLS = 8


def run() -> list[Row]:
    """Measure."""
    plan = Plan(
        lifetime=_LIFETIME,
        threads=1,
        pause=0.2,
        seconds=_SECONDS,
        scaled=False,
        aged=_LIFETIME - _LEFT,
    )
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        pod = pod_for(sandbox)
        with readers(pod, dict.fromkeys((THEIRS, OURS), plan)) as each:
            sandbox.reset_calls()
            sandbox.faults.outage = "500"
            for child in each.values():
                child.go()
            theirs, ours = (child.result() for child in each.values())
        calls = {side: calls_of(sandbox, side) for side in (THEIRS, OURS)}
    what = "900 s credentials, 590 s left, STS down for 15 s"
    note = f"of {theirs['reads']:.0f} and {ours['reads']:.0f} reads"
    return [
        Row(
            f"{what}: errors",
            "",
            theirs["errors"],
            ours["errors"],
            "0",
            ours["errors"] == 0,
            note,
        ),
        Row(
            f"{what}: STS calls",
            "",
            calls[THEIRS],
            calls[OURS],
            f"1 to {_MOST_CALLS}",
            1 <= calls[OURS] <= _MOST_CALLS,
        ),
    ]
