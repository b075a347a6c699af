"""The process of one side, and what it reports."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from benchmarks._measure import clean_environ
from demo.meter import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.scenario import Scenario

__all__ = ["Side"]

_ROOT = Path(__file__).parent.parent
_PATIENCE = 3.0


class Side:
    """A process that runs the program, and all reports it has sent: of threads and of tasks.

    Args:
        name: of the side, and of its session at STS.
        environ: the pod's.
        scenario: for botocore's windows.
        log: where its standard error goes.
    """

    def __init__(
        self, name: str, environ: Mapping[str, str], scenario: Scenario, log: Path
    ) -> None:
        self.name = name
        self.reports: list[dict[str, Report]] = []
        self._log = log
        self._command = [
            *(sys.executable, "-m", "demo.side", name),
            *(str(scenario.advisory_window), str(scenario.mandatory_window)),
        ]
        self._environ = clean_environ(environ)

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=_ROOT, env=self._environ, stdout=subprocess.PIPE, stderr=log
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,))
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        # As kubelet ends a container.
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()

    @property
    def ended(self) -> str | None:
        """What the process left in its log, where it is over; None while it runs."""
        return None if self._process.poll() is None else self._log.read_text()

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                told = json.loads(line)
                self.reports.append({readers: Report(**told[readers]) for readers in told})
