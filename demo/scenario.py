"""The phases of the demo."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUICK", "WHOLE", "Phase", "Scenario"]


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase.

    Attributes:
        name: short name below the strips.
        words: what happens.
        seconds: duration.
        latency: seconds before STS responds.
        outage: value of `Faults.outage`.
        rotates: whether the kubelet replaces the token at the beginning.
    """

    name: str
    words: str
    seconds: float
    latency: float = 0.0
    outage: str | None = None
    rotates: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A sequence of phases.

    Attributes:
        lifetime: of credentials, in seconds.
        phases: the phases in order.
    """

    lifetime: float
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """The duration of all phases."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def outage(self) -> float:
        """The seconds in which STS is down."""
        return sum(phase.seconds for phase in self.phases if phase.outage)

    @property
    def advisory_window(self) -> float:
        """Botocore's advisory refresh window (15 of 60 minutes), in proportion."""
        return self.lifetime / 4

    @property
    def mandatory_window(self) -> float:
        """Botocore's mandatory refresh window (10 of 60 minutes), in proportion."""
        return self.lifetime / 6


# botocore refreshes 9 s after a refresh: once while STS is slow, once while it is down. irsa-creds
# refreshes after 4.6 to 6 s: always while STS is slow, mostly while it is down.
WHOLE = Scenario(
    12.0,
    (
        Phase("normal", "STS works.", 3),
        Phase("token", "The kubelet replaces the token.", 3, rotates=True),
        Phase("STS slow", "STS responds after 0.5 s.", 6, latency=0.5),
        Phase("normal", "STS works.", 5),
        Phase("STS down", "STS returns 500 to all calls.", 3.6, outage="500"),
        Phase("STS back", "STS works again.", 3.6),
    ),
)
#: The same in 8 s, for tests.
QUICK = Scenario(
    6.0,
    (
        Phase("token", "The kubelet replaces the token.", 2, rotates=True),
        Phase("STS slow", "STS responds after 0.5 s.", 4, latency=0.5),
        Phase("STS down", "STS returns 500 to all calls.", 1, outage="500"),
        Phase("STS back", "STS works again.", 1),
    ),
)
