"""The process of one side, and its reports."""

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
_END_TIMEOUT = 3.0


class Side:
    """A process that runs the program, and all its reports, of threads and of tasks.

    Args:
        name: of the side, and of its STS session.
        environ: the pod's variables.
        scenario: for botocore's windows.
        log: file for its standard error.
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
        # As the kubelet ends a container.
        self._process.terminate()
        try:
            self._process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()

    @property
    def ended(self) -> str | None:
        """The process's log after its end; None while it runs."""
        return None if self._process.poll() is None else self._log.read_text()

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                reports = json.loads(line)
                self.reports.append({kind: Report(**reports[kind]) for kind in reports})
