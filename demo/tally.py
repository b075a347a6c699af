"""What one side did, as its probe, STS and S3 saw it, and which of our promises that keeps."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from benchmarks._measure import LIMIT, clean_environ
from demo.probe import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.scenario import Scenario
    from irsa_creds.testing import Sandbox

__all__ = ["Promise", "Side", "Tally", "milliseconds", "promises"]

_ROOT = Path(__file__).parent.parent
_PATIENCE = 3.0
#: What DESIGN promises for an outage: a handful of calls, not one for each read.
_MOST_FAILED_CALLS = 9


class Side:
    """A process that runs the program, and all reports it has sent.

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
        self.reports: list[Report] = []
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
                self.reports.append(Report(**json.loads(line)))


@dataclass(frozen=True, slots=True)
class Tally:
    """Figures of one side.

    Attributes:
        report: what its probe measured.
        answered: calls that STS answered with credentials.
        failed: calls that STS answered with an error.
        tokens: how many different tokens STS was shown.
        keys: how many different keys S3 saw.
        identities: whom S3 saw.
        refused: requests that S3 refused.
    """

    report: Report
    answered: int
    failed: int
    tokens: int
    keys: int
    identities: frozenset[str]
    refused: int

    @classmethod
    def of(cls, side: Side, sandbox: Sandbox) -> Tally:
        """Return the figures as they are now."""
        calls = [call for call in sandbox.sts_calls if call.session_name == side.name]
        given = {call.access_key_id for call in calls} - {None}
        requests = [call for call in sandbox.s3_identities if call.access_key_id in given]
        return cls(
            report=side.reports[-1] if side.reports else Report(),
            answered=len(given),
            failed=sum(call.outcome not in {"OK", "pending"} for call in calls),
            tokens=len({call.token_sha256 for call in calls}),
            keys=len({call.access_key_id for call in requests}),
            identities=frozenset(str(call.arn) for call in requests),
            refused=sum(call.status >= 400 for call in requests),  # noqa: PLR2004 - HTTP
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of ours: whether it was kept, and by what that is known."""

    words: str
    kept: bool
    known_by: str


def promises(tally: Tally, identity: str) -> list[Promise]:
    """Return what we promise, held against what happened on our side."""
    report = tally.report
    # A call in the last instant has not been used yet.
    wasted = max(0, tally.answered - tally.keys - 1)
    return [
        Promise(
            "No read failed",
            report.errors == 0 and report.reads > 0 and tally.refused == 0,
            f"{report.reads:,} reads; S3 refused {tally.refused}",
        ),
        Promise(
            f"No read waited over {LIMIT * 1000:.0f} ms for credentials",
            report.waits == 0,
            f"{report.waits} did; worst {milliseconds(report.worst)}",
        ),
        Promise(
            "One STS call per refresh",
            tally.keys > 1 and wasted == 0,
            f"{tally.answered} calls answered, {tally.keys} keys used",
        ),
        Promise(
            "An outage of STS is no stampede",
            tally.failed <= _MOST_FAILED_CALLS,
            f"calls that failed: {tally.failed}",
        ),
        Promise(
            "The rotated token was read", tally.tokens > 1, f"{tally.tokens} tokens shown to STS"
        ),
        Promise(
            "The identity never changed",
            tally.identities == {identity},
            f"S3 saw {', '.join(_session(arn) for arn in tally.identities) or 'nobody'}",
        ),
    ]


def _session(arn: str) -> str:
    """Return role and session of an assumed role's ARN."""
    return arn.partition("assumed-role/")[2] or arn


def milliseconds(seconds: float) -> str:
    """Return a duration as the tables show it."""
    number = seconds * 1000
    return f"{number:,.{0 if number > 10 else 1}f} ms"  # noqa: PLR2004 - two digits at least
