"""What happens to STS and to the token, and when."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUICK", "WHOLE", "Phase", "Scenario"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the demo.

    Attributes:
        name: short, for the strip below the table.
        words: what happens.
        seconds: how long.
        latency: seconds before STS answers.
        outage: how STS is broken, as `Faults.outage` names it.
        rotates: whether kubelet puts another token in place at the beginning.
    """

    name: str
    words: str
    seconds: float
    latency: float = 0.0
    outage: str | None = None
    rotates: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """The phases, and how long credentials last in them.

    Attributes:
        lifetime: seconds.
        phases: one after another.
    """

    lifetime: float
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """How long all of it takes."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def outage(self) -> float:
        """How long STS is down."""
        return sum(phase.seconds for phase in self.phases if phase.outage)

    @property
    def advisory_window(self) -> float:
        """The advisory refresh window of botocore: 15 of 60 minutes, in proportion."""
        return self.lifetime / 4

    @property
    def mandatory_window(self) -> float:
        """The mandatory refresh window of botocore: 10 of 60 minutes, in proportion."""
        return self.lifetime / 6


# botocore refreshes 9 s after it got credentials: once while STS is slow, once while it is down.
# We refresh after 4.6 to 6 s: in the first for sure, in the second most times.
WHOLE = Scenario(
    12.0,
    (
        Phase("normal", "All is well.", 3),
        Phase("token", "Kubelet replaces the token.", 3, rotates=True),
        Phase("STS slow", "STS answers after 0.5 s.", 6, latency=0.5),
        Phase("normal", "All is well.", 5),
        Phase("STS down", "STS answers 500 to everything.", 3.6, outage="500"),
        Phase("STS back", "STS answers again.", 3.6),
    ),
)
#: For tests: the same in 8 s.
QUICK = Scenario(
    6.0,
    (
        Phase("token", "Kubelet replaces the token.", 2, rotates=True),
        Phase("STS slow", "STS answers after 0.5 s.", 4, latency=0.5),
        Phase("STS down", "STS answers 500 to everything.", 1, outage="500"),
        Phase("STS back", "STS answers again.", 1),
    ),
)
