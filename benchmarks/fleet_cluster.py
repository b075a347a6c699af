"""One run of the fleet: a cluster whose pods all start at once, one set of rules, one STS."""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import simpy

from benchmarks._measure import OURS, THEIRS
from benchmarks._planned_rules import PLANNED
from benchmarks.fleet_rules import Botocore, Ours, PlannedRules, Process
from benchmarks.fleet_sts import LIMIT, Ledger, Outage, Sts

__all__ = ["HOUR", "MINUTE", "SHARED", "SIDES", "Cluster", "simulate"]

MINUTE, HOUR = 60.0, 3600.0
SHARED = f"{OURS}, shared cache"
_RULES: dict[str, type[Process]] = {
    THEIRS: Botocore,
    PLANNED: PlannedRules,
    OURS: Ours,
    SHARED: Ours,
}
#: In the order of the tables.
SIDES = tuple(_RULES)
# By this time after an outage, no process waits for credentials any more.
_AFTERMATH = 30 * MINUTE


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster and its outage.

    Attributes:
        pods: number of pods.
        processes: processes of each pod.
        reads: reads per second of each process.
        roll_out: seconds within which all pods start.
        limit: calls per second that STS accepts.
        seconds: length of the simulation; with an outage, until half an hour after its end.
        outage_at: start of the outage, in seconds.
        outage: length of the outage in seconds; 0 for none.
        seed: of the random numbers.
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
        cluster: the cluster.
    """
    outage = None
    seconds = cluster.seconds
    if cluster.outage:
        outage = Outage(cluster.outage_at, cluster.outage_at + cluster.outage)
        seconds = outage.end + _AFTERMATH
    ledger = Ledger(seconds, outage)
    env = simpy.Environment()
    processes = _roll_out(side, cluster, env, Sts(ledger, cluster.limit, outage), ledger)
    # There is no garbage before the end, and collecting takes half of the time.
    gc.disable()
    try:
        env.run(until=seconds)
    finally:
        gc.enable()
    for process in processes:
        process.end()
    return {"side": side, **asdict(cluster), **ledger.result()}


def _roll_out(
    side: str, cluster: Cluster, env: simpy.Environment, sts: Sts, ledger: Ledger
) -> list[Process]:
    random = Random(cluster.seed)
    number = 1 if side == SHARED else cluster.processes
    processes: list[Process] = []
    for _ in range(cluster.pods):
        starts_at = random.uniform(0, cluster.roll_out)
        for _ in range(number):
            process = _RULES[side](
                env,
                sts,
                ledger,
                random,
                starts_at=starts_at,
                # With the shared cache, the reads of all processes count for the one.
                reads=cluster.reads * cluster.processes / number,
                pods=1 / number,
            )
            env.process(process.live())
            processes.append(process)
    return processes
