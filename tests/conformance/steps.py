"""What scenarios are told in: what happens, what a source answers, and what a call comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CACHED",
    "FAILS",
    "FRESH",
    "NEW",
    "NOTHING",
    "REFUSED",
    "REFUSES",
    "STALE",
    "Advance",
    "Get",
    "Invalidate",
    "Scenario",
    "Seen",
    "Step",
]

#: What a call of the application's comes back with.
CACHED, NEW = "cached", "new"
NOTHING, REFUSED = "error", "denial"
#: What the source answers.
FRESH, STALE, FAILS, REFUSES = "fresh", "expired", "fails", "denies"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call for credentials comes to.

    Attributes:
        result: what the application gets.
        asked: whether STS is asked, by the call or because of it.
        window: seconds before the end at which what is held then is refreshed; None: not looked at.
    """

    result: str
    asked: bool
    window: float | None = None

    def __str__(self) -> str:
        """What the page shows."""
        asked = "call" if self.asked else "no call"
        window = "" if self.window is None else f", window {self.window:g} s"
        return f"{self.result}, {asked}{window}"


@dataclass(frozen=True, slots=True)
class Get:
    """The application asks for credentials.

    Attributes:
        answer: what the source says, if it is asked.
        aws: what the specification has there.
        ours: what happens here where chance drew refreshes as late as may be; None: the same.
        early: where it drew them as early as may be; None: as where it drew them late.
        lifetime: seconds, of what the source gives.
    """

    answer: str | None
    aws: Seen
    ours: Seen | None = None
    early: Seen | None = None
    lifetime: float = 3600.0

    @property
    def here(self) -> Seen:
        """What happens here with late refreshes."""
        return self.ours or self.aws

    @property
    def here_early(self) -> Seen:
        """What happens here with early refreshes."""
        return self.early or self.here

    @property
    def differs(self) -> bool:
        """Whether ours does anything else, for some draw at least."""
        return self.here != self.aws or self.here_early != self.aws


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Invalidate:
    """A service calls a key expired; `matches` says whether it is the one that is held."""

    matches: bool


Step = Get | Advance | Invalidate


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of the specification's.

    Attributes:
        title: what it is about, as a sentence.
        given: what is held: "valid", "advisory" or "mandatory" (in that window of theirs),
            "expired" or "none".
        steps: what happens.
        why: names of the reasons if ours differs.
        backs_off: whether it ends with a back-off, whose length it does not look at.
    """

    title: str
    given: str
    steps: Sequence[Step]
    why: Sequence[str] = ()
    backs_off: bool = False

    @property
    def differs(self) -> bool:
        """Whether ours does anything else."""
        return any(isinstance(step, Get) and step.differs for step in self.steps)
