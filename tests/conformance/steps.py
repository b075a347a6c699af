"""The vocabulary of scenarios: steps, responses of the source, and results of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CACHED",
    "DENIED",
    "DENIES",
    "FAILS",
    "FRESH",
    "NEW",
    "NOTHING",
    "STALE",
    "Advance",
    "Get",
    "Invalidate",
    "Scenario",
    "Seen",
    "Step",
]

#: The result of a call of the application.
CACHED, NEW = "cached", "new"
NOTHING, DENIED = "error", "denial"
#: The response of the source.
FRESH, STALE, FAILS, DENIES = "fresh", "expired", "fails", "denies"


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of a call for credentials.

    Attributes:
        result: what the application gets.
        calls_sts: whether STS is called, by the call or because of it.
        window: seconds before the expiration at which the next refresh is due; None: not compared.
    """

    result: str
    calls_sts: bool
    window: float | None = None


@dataclass(frozen=True, slots=True)
class Get:
    """The application requests credentials.

    Attributes:
        response: of the source, if it is called.
        aws: the result in the specification.
        late: the result of irsa-creds with the latest random refreshes; None: the same.
        early: the result with the earliest random refreshes; None: as with the latest.
        lifetime: of the source's credentials, in seconds.
    """

    response: str | None
    aws: Seen
    late: Seen | None = None
    early: Seen | None = None
    lifetime: float = 3600.0

    @property
    def here(self) -> Seen:
        """The result of irsa-creds with late refreshes."""
        return self.late or self.aws

    @property
    def here_early(self) -> Seen:
        """The result of irsa-creds with early refreshes."""
        return self.early or self.here

    @property
    def differs(self) -> bool:
        """Whether irsa-creds differs, for at least one random number."""
        return self.here != self.aws or self.here_early != self.aws


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Invalidate:
    """A service calls a key expired; `matches` says whether it is the current one."""

    matches: bool


Step = Get | Advance | Invalidate


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario of the specification.

    Attributes:
        title: its subject, as a sentence.
        given: the current credentials: "valid", "advisory" or "mandatory" (in AWS's window of that
            name), "expired" or "none".
        steps: the events, in order.
        why: names of the reasons if irsa-creds differs.
        backs_off: whether it ends with a back-off, of any length.
    """

    title: str
    given: str
    steps: Sequence[Step]
    why: Sequence[str] = ()
    backs_off: bool = False

    @property
    def differs(self) -> bool:
        """Whether irsa-creds differs."""
        return any(isinstance(step, Get) and step.differs for step in self.steps)
