"""A log handler on the root logger reads credentials, as one that ships logs to AWS does.

It reads at DEBUG, with the usual guard against the log lines of its own read. `logging` holds the
handler's lock meanwhile, so a thread that logs waits for the read, and a read that waits for such a
thread never ends. STS takes 50 ms. The figure is the time of a program's first log line, whose
handler gets the first credentials of the process.

Target: under a second, with credentials.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import Any

from benchmarks._bench import Row, measured, pod_for, ready
from benchmarks._measure import OURS, THEIRS
from benchmarks._sessions import credentials_of
from irsa_creds.testing import Sandbox

_LATENCY, _MOST = 0.05, 1.0
# More seconds than a caller waits for a refresh.
_HANG = 40.0


def run() -> list[Row]:
    """Measure one side after the other."""
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        sandbox.faults.latency = _LATENCY
        results = {
            side: measured("benchmarks.log_handler", side, (), pod) for side in (THEIRS, OURS)
        }
    theirs, ours = results[THEIRS], results[OURS]
    what = "a log handler reads credentials: the first line takes"
    met = ours["seconds"] < _MOST and not ours["error"]
    errors = [f"{side}: {each['error']}" for side, each in results.items() if each["error"]]
    return [
        Row(
            what,
            "s",
            theirs["seconds"],
            ours["seconds"],
            f"< {_MOST:g}",
            met,
            "; ".join(errors),
            raw=results,
        )
    ]


class _Shipper(logging.Handler):
    """Reads credentials for each line, except for lines of that read.

    Args:
        credentials: the credentials object.
        found: gets the error of the last read.
    """

    def __init__(self, credentials: Any, found: dict[str, Any]) -> None:
        super().__init__(logging.DEBUG)
        self._credentials = credentials
        self._found = found
        self._here = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        del record
        if getattr(self._here, "is_busy", False):
            return
        self._here.is_busy = True
        try:
            self._credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - measured
            self._found["error"] = type(error).__name__
        else:
            self._found["error"] = ""
        finally:
            self._here.is_busy = False


def main(side: str) -> None:
    """Run the child."""
    credentials = credentials_of(side)
    ready()
    found: dict[str, Any] = {"error": f"none after {_HANG:g} s"}
    logging.basicConfig(level=logging.DEBUG, handlers=[_Shipper(credentials, found)])
    program = threading.Thread(target=logging.debug, args=("It starts.",), daemon=True)
    start = time.perf_counter()
    program.start()
    program.join(_HANG)
    found["seconds"] = time.perf_counter() - start
    print(json.dumps(found), flush=True)
    # Some may hang forever.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
