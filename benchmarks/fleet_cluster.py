"""One run of the fleet: a cluster that is rolled out at once, one set of rules, one STS."""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import simpy

from benchmarks._coming_rules import COMING
from benchmarks._measure import OURS, THEIRS
from benchmarks.fleet_rules import Botocore, Coming, Ours, Process
from benchmarks.fleet_sts import LIMIT, Ledger, Outage, Sts

__all__ = ["HOUR", "MINUTE", "SHARED", "SIDES", "Cluster", "simulate"]

MINUTE, HOUR = 60.0, 3600.0
SHARED = f"{OURS}, shared cache"
_RULES: dict[str, type[Process]] = {
    THEIRS: Botocore,
    COMING: Coming,
    OURS: Ours,
    SHARED: Ours,
}
#: In the order of the tables.
SIDES = tuple(_RULES)
# Once an outage is over: by then nobody waits for anything any more.
_AFTERMATH = 30 * MINUTE


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is rolled out, and what happens.

    Attributes:
        pods: how many.
        processes: of each pod.
        reads: in a second, of each process.
        roll_out: seconds within which all pods start.
        limit: of STS, calls in a second.
        seconds: how long it is looked at; with an outage to half an hour after its end.
        outage_at: when STS goes out, in seconds from the roll-out.
        outage: for how many seconds; 0 for none.
        seed: of chance.
    """

    pods: int
    processes: int = 1
    reads: float = 1.0
    roll_out: float = 10.0
    limit: float = LIMIT
    seconds: float = 3 * HOUR
    outage_at: float = 2 * HOUR
    outage: float = 0.0
    seed: int = 1


def simulate(side: str, cluster: Cluster) -> dict[str, Any]:
    """Return the figures of one side in one cluster.

    Args:
        side: one of `SIDES`.
        cluster: what is rolled out.
    """
    outage = None
    seconds = cluster.seconds
    if cluster.outage:
        outage = Outage(cluster.outage_at, cluster.outage_at + cluster.outage)
        seconds = outage.end + _AFTERMATH
    ledger = Ledger(seconds, outage)
    env = simpy.Environment()
    everyone = _roll_out(side, cluster, env, Sts(ledger, cluster.limit, outage), ledger)
    # Nothing here is garbage before the end, and looking for it takes half of the time.
    gc.disable()
    try:
        env.run(until=seconds)
    finally:
        gc.enable()
    for process in everyone:
        process.end()
    return {"side": side, **asdict(cluster), **ledger.result()}


def _roll_out(
    side: str, cluster: Cluster, env: simpy.Environment, sts: Sts, ledger: Ledger
) -> list[Process]:
    chance = Random(cluster.seed)
    number = 1 if side == SHARED else cluster.processes
    everyone: list[Process] = []
    for _ in range(cluster.pods):
        starts_at = chance.uniform(0, cluster.roll_out)
        for _ in range(number):
            process = _RULES[side](
                env,
                sts,
                ledger,
                chance,
                starts_at=starts_at,
                # Any of a pod's readers finds that there is nothing.
                reads=cluster.reads * cluster.processes / number,
                pods=1 / number,
            )
            env.process(process.live())
            everyone.append(process)
    return everyone
