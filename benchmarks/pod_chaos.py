"""Chaos in a pod: 32 processes share a cache for 60 s, while everything goes wrong.

Processes are killed (SIGKILL, and others started) or stopped for a while. They find the disk full,
the directory removed, and entries truncated, overwritten, or replaced by a FIFO or a link.
Credentials last 12 s, so there are refreshes all the time. The program is that of the tests.

Targets: no credentials that STS did not return for the role or that had expired, and no failed
read.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks._bench import Row
from benchmarks._measure import clean_environ

_PROGRAM = Path(__file__).parent.parent / "tests" / "shared_cache" / "chaos.py"
_PROCESSES, _SECONDS = 32, 60
# Including start and end.
_MOST_SECONDS = 2.0 * _SECONDS + 60
_ENDS = 30.0


def run() -> list[Row]:
    """Measure."""
    result = _let_it_reign()
    actions: dict[str, int] = result["actions"]
    failed = len(result["failed while valid"]) + sum(result["failed with nothing valid"].values())
    wrong = len(result["wrong"])
    what = f"chaos, {_PROCESSES} processes, {_SECONDS} s"
    return [
        Row(
            f"{what}: wrong credentials",
            "",
            None,
            wrong,
            "0",
            wrong == 0,
            ", ".join(f"{number:,} {action}" for action, number in sorted(actions.items())),
            raw=result,
        ),
        Row(
            f"{what}: failed reads",
            "",
            None,
            failed,
            "0",
            failed == 0,
            f"{result['STS calls']:,} STS calls, whose keys were taken "
            f"{result['keys taken']:,} times",
        ),
    ]


def _let_it_reign() -> dict[str, Any]:
    command = [sys.executable, str(_PROGRAM), f"--processes={_PROCESSES}", f"--seconds={_SECONDS}"]
    with subprocess.Popen(
        command, env=clean_environ({}), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=_MOST_SECONDS)
        finally:
            if process.poll() is None:
                _end(process)
    result: dict[str, Any] = json.loads(output)
    return result


def _end(process: subprocess.Popen[str]) -> None:
    # SIGINT first, so that the program ends its own processes.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_ENDS)
    except subprocess.TimeoutExpired:
        process.kill()
