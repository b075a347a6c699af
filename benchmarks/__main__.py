"""Benchmarks of irsa-creds and of botocore's and aiobotocore's own providers in one run.

    python -m benchmarks [--json FILE] [NAME ...]

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._bench import AGENT, Row, quotient
from benchmarks._table import show, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ALONE: dict[str, tuple[str, ...]] = {
    "hot-read": ("hot_read",),
    "reads": ("reads",),
    "slow-sts": ("slow_sts",),
    "slow-agent": ("slow_sts", AGENT),
    "mixed": ("mixed",),
    "herd": ("herd",),
    "herd-both": ("herd_both",),
    "herd-agent": ("herd", AGENT),
    "herd-both-agent": ("herd_both", AGENT),
    "failing-cold": ("failing_cold",),
    "failing-both": ("failing_both",),
    "cold-start": ("cold_start",),
    "cold-async": ("cold_async",),
    "cold-process": ("cold_process",),
    "start-below-run": ("start_below_run",),
    "lag": ("lag",),
    "slow-volume": ("slow_volume",),
    "cold-identities": ("cold_identities",),
    "fork-throttled": ("fork_throttled",),
    "fork-throttled-agent": ("fork_throttled", AGENT),
    "many-reads": ("many_identities", "read"),
    "pod-cold": ("pod_cold",),
    "pod-killed": ("pod_holder", "killed"),
    "pod-stopped": ("pod_holder", "stopped"),
    "pod-refused": ("pod_refused",),
    "pod-warm": ("pod_warm",),
    "pod-chaos": ("pod_chaos",),
    "curve-latency": ("curves", "latency"),
    "curve-processes": ("curves", "processes"),
    "curve-availability": ("curves", "availability"),
    "curve-pauses": ("curves", "pauses"),
    "fleet": ("fleet",),
}
# These mostly wait, or measure no time, so they run together; the others run alone.
_TOGETHER: dict[str, tuple[str, ...]] = {
    "outage-500": ("outage", "500"),
    "outage-black-hole": ("outage", "black hole"),
    "outage-slow-drip": ("outage", "slow drip"),
    "outage-agent": ("outage", "500", AGENT),
    "throttled": ("outage", "Throttling"),
    "refused": ("outage", "AccessDenied"),
    "outages-500": ("outages", "500"),
    "outages-refused": ("outages", "AccessDenied"),
    "outages-throttled": ("outages", "Throttling"),
    "outages-black-hole": ("outages", "black hole"),
    "outages-slow-drip": ("outages", "slow drip"),
    "long-lived": ("long_lived",),
    "cancelled": ("cancelled",),
    "memory": ("memory",),
    "idle": ("idle",),
    "quiet": ("quiet",),
    "log-handler": ("log_handler",),
    "signals": ("signals",),
    "many-calls": ("many_identities", "calls"),
}
_SCENARIOS = _ALONE | _TOGETHER
# With more of them, two cores would be busy all the time, and delay the reads.
_AT_ONCE = 3


def main(arguments: list[str] | None = None) -> int:
    """Run scenarios; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_SCENARIOS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - _SCENARIOS.keys():
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}")
    if options.one:
        print(json.dumps([asdict(row) for row in _run_here(options.names[0])]))
        return 0
    start = time.monotonic()
    rows = _run_all(options.names or list(_SCENARIOS))
    show(rows, time.monotonic() - start)
    if options.json:
        figures = [{**asdict(row), "ratio": quotient(row)} for row in rows]
        document = {"versions": versions(), "rows": figures}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if all(row.met for row in rows) else 1


def _run_here(name: str) -> list[Row]:
    """Run one scenario in this process."""
    module, *arguments = _SCENARIOS[name]
    scenario: Callable[..., list[Row]] = import_module(f"benchmarks.{module}").run
    return scenario(*arguments)


def _run_in_new_process(name: str) -> list[Row]:
    """Run one scenario in a new process, because a process can have one sandbox."""
    command = [sys.executable, "-m", "benchmarks", "--one", name]
    start = time.monotonic()
    found: list[dict[str, Any]] = json.loads(subprocess.check_output(command, text=True))
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return [Row(**fields) for fields in found]


def _run_all(names: Sequence[str]) -> list[Row]:
    together = [name for name in names if name in _TOGETHER]
    rows = {name: _run_in_new_process(name) for name in names if name in _ALONE}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rows |= zip(together, pool.map(_run_in_new_process, together), strict=True)
    return [row for name in names for row in rows[name]]


if __name__ == "__main__":
    sys.exit(main())
