"""Figures of one side, from its probe, STS and S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from demo.meter import Report
from demo.probe import READERS, TASKS, THREADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from demo.process import Side
    from irsa_creds.testing import Sandbox, StsCall

__all__ = ["Calls", "Tally"]


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls to STS.

    Attributes:
        successful: calls that returned credentials.
        failed: calls that returned an error.
        tokens: number of different tokens.
    """

    successful: int = 0
    failed: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, calls: Iterable[StsCall]) -> Self:
        """Count them."""
        calls = list(calls)
        return cls(
            successful=sum(call.outcome == "OK" for call in calls),
            failed=sum(call.outcome not in {"OK", "pending"} for call in calls),
            tokens=len({call.token_sha256 for call in calls}),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Figures of one side.

    Attributes:
        reports: the probe's reports of threads and tasks.
        calls: all calls of the side.
        calls_by_kind: calls for threads and for tasks; None if both share them.
        keys: number of different keys that S3 saw.
        identities: ARNs of the callers that S3 saw.
        denied: requests that S3 denied.
    """

    reports: Mapping[str, Report]
    calls: Calls
    calls_by_kind: Mapping[str, Calls] | None
    keys: int
    identities: frozenset[str]
    denied: int

    @classmethod
    def of(cls, side: Side, sandbox: Sandbox) -> Self:
        """Return the current figures."""
        calls = [call for call in sandbox.sts_calls if call.session_name == side.name]
        keys = {call.access_key_id for call in calls} - {None}
        requests = [call for call in sandbox.s3_identities if call.access_key_id in keys]
        return cls(
            reports=side.reports[-1] if side.reports else {each: Report() for each in READERS},
            calls=Calls.of(calls),
            calls_by_kind=_by_kind(calls),
            keys=len({call.access_key_id for call in requests}),
            identities=frozenset(str(call.arn) for call in requests),
            denied=sum(call.status >= 400 for call in requests),  # noqa: PLR2004 - HTTP
        )


def _by_kind(calls: list[StsCall]) -> dict[str, Calls] | None:
    """Separate the calls of threads and tasks by their `User-Agent`."""
    agents = [(call.headers.get("User-Agent", ""), call) for call in calls]
    if any(agent.startswith("irsa-creds/") for agent, _ in agents):
        return None
    return {
        THREADS: Calls.of(call for agent, call in agents if "aiobotocore/" not in agent),
        TASKS: Calls.of(call for agent, call in agents if "aiobotocore/" in agent),
    }
