"""STS breaks down as soon as credentials of 30 s are there, and is back after 20 s.

On botocore's side its refresh windows are once as they are: 30 s lie in them from the beginning,
as the last 10 minutes of an hour's credentials do, which is "the same place". And once they are in
proportion (7.5 and 5 s), which puts its refresh behind the end of this outage: botocore sees
nothing of it then, and the note says so. All three read at the same time, 4 threads each.
"""

from __future__ import annotations

import time

from benchmarks._bench import Row, calls_of, pod_for, readers
from benchmarks._measure import LIMIT, OURS, THEIRS
from benchmarks._reading import Plan
from irsa_creds.testing import OUTAGES, Sandbox

_LIFETIME, _OUTAGE, _SECONDS = 30.0, 20.0, 23.0
_THREADS, _PAUSE = 4, 0.05
_SCALED = "botocore-scaled"
_MOST_CALLS, _MOST_REFUSED = 9, 5


def run(mode: str) -> list[Row]:
    """Measure one kind of outage: one of `OUTAGES`, or the code of a refusal."""
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME
        pod = pod_for(sandbox)
        plans = {side: _plan(scaled=side != THEIRS) for side in (THEIRS, OURS, _SCALED)}
        with readers(pod, plans) as each:
            sandbox.reset_calls()
            _break(sandbox, mode)
            for child in each.values():
                child.go()
            time.sleep(_OUTAGE)
            sandbox.faults.clear()
            results = {side: child.result() for side, child in each.items()}
        calls = {side: calls_of(sandbox, side) for side in each}
    return _rows(mode, results, calls)


def _plan(*, scaled: bool) -> Plan:
    return Plan(lifetime=_LIFETIME, threads=_THREADS, pause=_PAUSE, seconds=_SECONDS, scaled=scaled)


def _break(sandbox: Sandbox, mode: str) -> None:
    if mode in OUTAGES:
        sandbox.faults.outage = mode
    else:
        sandbox.faults.fail(mode)


def _rows(mode: str, results: dict[str, dict[str, float]], calls: dict[str, int]) -> list[Row]:
    theirs, ours, scaled = results[THEIRS], results[OURS], results[_SCALED]
    most = _MOST_CALLS if mode in OUTAGES else _MOST_REFUSED
    reads = f"of {theirs['reads']:,.0f} and {ours['reads']:,.0f}"
    where = f"STS down ({mode}) for 20 s" if mode in OUTAGES else f"STS refuses ({mode}) for 20 s"

    def row(what: str, name: str) -> Row:
        return Row(
            f"{where}: {what}",
            "",
            theirs[name],
            ours[name],
            "0",
            ours[name] == 0,
            f"{reads}; windows scaled: {scaled[name]:.0f}",
        )

    return [
        row("errors", "errors"),
        row(f"reads > {LIMIT * 1000:.0f} ms", "waits"),
        Row(
            f"{where}: STS calls",
            "",
            calls[THEIRS],
            calls[OURS],
            f"1 to {most}",
            1 <= calls[OURS] <= most,
            f"windows scaled: {calls[_SCALED]}",
        ),
    ]
