"""One pod: the unchanged program, with or without `irsa_creds.install()`, and the probe.

    python -m demo.side {irsa-creds,botocore} ADVISORY MANDATORY

It prints a line of JSON, with reports of threads and tasks, for each tick.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import runpy
import sys
import threading
import time
from pathlib import Path

from aiobotocore.credentials import AioRefreshableCredentials
from botocore.credentials import RefreshableCredentials

import irsa_creds
from benchmarks._measure import OURS
from demo import program
from demo.probe import Probe
from irsa_creds.aiobotocore import AioIrsaCredentials
from irsa_creds.botocore import IrsaCredentials

__all__ = ["TICK"]

#: Seconds between two reports.
TICK = 0.4


def main(side: str, advisory: float, mandatory: float) -> None:
    """Run the program until SIGTERM."""
    # Failed reads are counted; their tracebacks would only fill the log.
    logging.disable()
    # The windows of botocore and aiobotocore are meant for credentials of an hour. Unscaled, both
    # would refresh on every read.
    RefreshableCredentials._advisory_refresh_timeout = advisory  # noqa: SLF001
    RefreshableCredentials._mandatory_refresh_timeout = mandatory  # noqa: SLF001
    if side == OURS:
        irsa_creds.install()
    probe = Probe(program.LOOPS)
    probe.watch_threads(RefreshableCredentials, IrsaCredentials)
    probe.watch_tasks(AioRefreshableCredentials, AioIrsaCredentials)
    threading.Thread(target=_report, args=(probe,), daemon=True).start()
    runpy.run_path(str(Path(__file__).with_name("program.py")), run_name="__main__")


def _report(probe: Probe) -> None:
    # When the demo is killed, the pipe breaks and the program ends.
    with contextlib.suppress(BrokenPipeError):
        due = time.monotonic()
        while True:
            print(json.dumps(probe.reports()), flush=True)
            # Without drift, so that a report belongs to its phase on a busy machine too.
            due += TICK
            time.sleep(max(0.0, due - time.monotonic()))
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
