"""Two engines on one fake clock: the first one's credentials assume the second one's role."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, cast

from engine_fakes import FakeSts, Rig, low, rig
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._exchange.chained_fetcher import AssumeRoleFetcher, SigningCredentials

if TYPE_CHECKING:
    from irsa_creds._engine.timing import Uniform
    from irsa_creds._errors import Failure
    from irsa_creds._exchange.advice import Assertion
    from irsa_creds._exchange.sts import ExchangeResult

SECOND = "arn:aws:iam::210987654321:role/second"
THIRD = "arn:aws:iam::210987654321:role/third"


@dataclass
class SignedSts(FakeSts):
    """An STS that records the signing keys."""

    signers: list[str] = field(default_factory=list)

    def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure:
        self.signers.append(cast("SigningCredentials", assertion).access_key)
        return super().attempt(assertion, seconds)


def target(source: Rig, role_arn: str = SECOND, *, first_key: int = 1001) -> Rig:
    """Return the engine of a role that the credentials of `source` assume."""
    clock, subscribers = source.clock, Subscribers()
    sts = SignedSts(clock, _serial=count(first_key))
    fetcher = AssumeRoleFetcher(role_arn, source.engine, lambda: sts, ceiling=3600.0, clock=clock)
    engine = Engine(fetcher, clock, None, subscribers)
    return Rig(clock, source.token, sts, subscribers, fetcher, engine)


@dataclass
class Pair:
    """A source role and the role that it assumes."""

    first: Rig
    second: Rig

    @property
    def signers(self) -> list[str]:
        """The first role's keys that signed, one for each call."""
        assert isinstance(self.second.sts, SignedSts)
        return self.second.sts.signers

    def clock(self, seconds: float) -> None:
        """Move the clock."""
        self.first.clock.advance(seconds)

    def clock_to_refresh(self) -> None:
        """Move the clock until both are due for a refresh."""
        self.clock(2800)

    def finish(self) -> None:
        """Wait until no refresh thread is left."""
        self.first.sts.hold.set()
        self.second.finish()


def pair(*, uniform: Uniform = low) -> Pair:
    """Return two engines that have no credentials yet."""
    first = rig(uniform=uniform)
    return Pair(first, target(first))


def key(number: int) -> str:
    return f"ASIA{number:016d}"
