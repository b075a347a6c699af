"""One pod: the program, unchanged, with or without `irsa_creds.install()`, and the probe.

    python -m demo.side {irsa-creds,botocore} ADVISORY MANDATORY

A report of threads and tasks in JSON, a line each tick, goes to standard output.
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
    # A failed read is in the count; its traceback would only fill the log.
    logging.disable()
    # botocore's windows are for credentials of an hour, and aiobotocore has the same. Unscaled,
    # both would refresh on every read.
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
    # Until nobody listens: a demo that was killed leaves no program behind.
    with contextlib.suppress(BrokenPipeError):
        due = time.monotonic()
        while True:
            print(json.dumps(probe.reports()), flush=True)
            # On a busy machine too, a report is to stand below the phase that it is of.
            due += TICK
            time.sleep(max(0.0, due - time.monotonic()))
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
