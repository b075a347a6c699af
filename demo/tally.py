"""What one side did, as its probe, STS and S3 saw it."""

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
        answered: with credentials.
        failed: with an error.
        tokens: how many different tokens they showed.
    """

    answered: int = 0
    failed: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, calls: Iterable[StsCall]) -> Self:
        """Count them."""
        calls = list(calls)
        return cls(
            answered=sum(call.outcome == "OK" for call in calls),
            failed=sum(call.outcome not in {"OK", "pending"} for call in calls),
            tokens=len({call.token_sha256 for call in calls}),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Figures of one side.

    Attributes:
        reports: what its probe measured, of threads and of tasks.
        calls: all of the side's.
        calls_apart: those for threads and those for tasks; None where they are made for both.
        keys: how many different keys S3 saw.
        identities: whom S3 saw.
        refused: requests that S3 refused.
    """

    reports: Mapping[str, Report]
    calls: Calls
    calls_apart: Mapping[str, Calls] | None
    keys: int
    identities: frozenset[str]
    refused: int

    @classmethod
    def of(cls, side: Side, sandbox: Sandbox) -> Self:
        """Return the figures as they are now."""
        calls = [call for call in sandbox.sts_calls if call.session_name == side.name]
        given = {call.access_key_id for call in calls} - {None}
        requests = [call for call in sandbox.s3_identities if call.access_key_id in given]
        return cls(
            reports=side.reports[-1] if side.reports else {each: Report() for each in READERS},
            calls=Calls.of(calls),
            calls_apart=_apart(calls),
            keys=len({call.access_key_id for call in requests}),
            identities=frozenset(str(call.arn) for call in requests),
            refused=sum(call.status >= 400 for call in requests),  # noqa: PLR2004 - HTTP
        )


def _apart(calls: list[StsCall]) -> dict[str, Calls] | None:
    """Tell by `User-Agent` who made them."""
    agents = [(call.headers.get("User-Agent", ""), call) for call in calls]
    if any(agent.startswith("irsa-creds/") for agent, _ in agents):
        return None
    return {
        THREADS: Calls.of(call for agent, call in agents if "aiobotocore/" not in agent),
        TASKS: Calls.of(call for agent, call in agents if "aiobotocore/" in agent),
    }
