"""Two engines, the second of a role that the first one's credentials assume; on one fake clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from engine_fakes import FakeSts, Rig, low, rig
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._exchange.chained_fetcher import AssumeRoleFetcher, SourceRole

if TYPE_CHECKING:
    from irsa_creds._engine.policy import Draw
    from irsa_creds._errors import Failure
    from irsa_creds._exchange.response import Assertion
    from irsa_creds._exchange.sts import ExchangeResult

SECOND = "arn:aws:iam::210987654321:role/second"
THIRD = "arn:aws:iam::210987654321:role/third"


@dataclass
class SignedSts(FakeSts):
    """An STS that writes down which key signed."""

    signers: list[str] = field(default_factory=list)

    def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure:
        self.signers.append(token.fingerprint)
        return super().attempt(token, seconds)


def further(before: Rig, role_arn: str = SECOND, *, draw: Draw = low, first_key: int = 1001) -> Rig:
    """Return the engine of a role that is assumed with the credentials of `before`."""
    clock, subscribers = before.clock, Subscribers()
    sts = SignedSts(clock, _serial=count(first_key))
    role = SourceRole(before.engine)
    pilot = AssumeRoleFetcher(role_arn, role, sts, ceiling=3600.0, clock=clock, draw=draw)
    engine = Engine(pilot, clock, None, subscribers, draw)
    return Rig(clock, before.token, sts, subscribers, pilot, engine)


@dataclass
class Pair:
    """The role of the token, and the one behind it."""

    first: Rig
    second: Rig

    @property
    def signers(self) -> list[str]:
        """The keys of the first role that signed, each time."""
        assert isinstance(self.second.sts, SignedSts)
        return self.second.sts.signers

    def clock(self, seconds: float) -> None:
        """Let time pass."""
        self.first.clock.advance(seconds)

    def clock_to_refresh(self) -> None:
        """Let a refresh of either be due, whatever chance said."""
        self.clock(2800)

    def finish(self) -> None:
        """Wait until no thread of a refresh is left, of either."""
        self.first.sts.hold.set()
        self.second.finish()


def pair(*, draw: Draw = low) -> Pair:
    """Return both, of which nothing has been read yet."""
    first = rig(draw=draw)
    return Pair(first, further(first, draw=draw))


def key(number: int) -> str:
    return f"ASIA{number:016d}"
