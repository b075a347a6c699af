"""The flights of a further role: what they show STS are the credentials of the role before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._assume import Key
from irsa_creds._errors import Failure, IrsaError, RefreshTimeout
from irsa_creds._pilot import Pilot
from irsa_creds._waiting import acquire, wait

if TYPE_CHECKING:
    from irsa_creds import _freshness as fresh
    from irsa_creds._channel import Channel
    from irsa_creds._clock import Clock
    from irsa_creds._engine import Engine
    from irsa_creds._flight import Flight
    from irsa_creds._freshness import Snapshot
    from irsa_creds._pilot import Asking
    from irsa_creds._token import Token

__all__ = ["ChainPilot", "RoleBefore"]

_EXPIRED = {"ExpiredToken", "ExpiredTokenException"}


class RoleBefore:
    """The role before, as those see it who assume another with its credentials.

    They read it as everybody does: while its credentials are valid, nobody waits for its refresh.

    Args:
        engine: its engine.
        pilot: who flies its flights.
    """

    def __init__(self, engine: Engine, pilot: Pilot) -> None:
        self.engine = engine
        self._pilot = pilot

    def key(self, deadline: float, refused: str) -> Key | Failure:
        """Return its credentials, or why there are none.

        Args:
            deadline: the instant until which they are waited for.
            refused: the id of a key that STS has refused as expired: a refresh that is under way
                is waited for as well.
        """
        engine = self.engine
        try:
            snapshot = acquire(engine, timeout=deadline - engine.now())
            flight = engine.under_way
            if flight is not None and snapshot.credentials.access_key_id == refused:
                wait(flight.future, max(0.0, deadline - engine.now()))
                snapshot = acquire(engine, timeout=deadline - engine.now())
        except IrsaError as error:
            failure = _failure_of(error, engine.role_arn)
        else:
            return Key(snapshot.credentials)
        # Its own flight has tried often enough, and says when there is another.
        return failure._replace(attempts=1, again_in=engine.record_left() or failure.again_in)

    def read(self) -> Token:
        """Return the token with which the chain begins.

        Raises:
            TokenError: it cannot be had.
        """
        return self._pilot.peek()

    def signature(self) -> str:
        """Return the id of the key that is valid now, or nothing."""
        snapshot = self.engine.snapshot
        valid = self.engine.now() < snapshot.end_of_use
        return snapshot.credentials.access_key_id if valid else ""


class ChainPilot(Pilot):
    """Flies the flights of the last role of a chain.

    Engines wait for each other in this direction only, on a flight's own thread and no longer than
    that flight lasts.

    Args:
        role_arn: the last role.
        before: the role whose credentials sign.
        exchange: asks STS for the last role.
        ceiling: the longest lifetime that is believed.
        clock: this process's clocks.
        channel: hears of each attempt.
        draw: the source of chance.
    """

    is_chained = True

    def __init__(
        self,
        role_arn: str,
        before: RoleBefore,
        exchange: Asking,
        *,
        ceiling: float,
        clock: Clock,
        channel: Channel,
        draw: fresh.Draw,
    ) -> None:
        super().__init__(
            role_arn, before, exchange, ceiling=ceiling, clock=clock, channel=channel, draw=draw
        )
        self._before = before
        self._refused = ""

    def _proof(self, flight: Flight) -> Key | Failure:
        key = self._before.key(flight.deadline, self._refused)
        self._tried = "" if isinstance(key, Failure) else key.fingerprint
        return key

    def _attempt(self, flight: Flight) -> Snapshot | Failure:
        outcome = super()._attempt(flight)
        # What the role before was told of its own token is no matter of its key.
        if self._tried and isinstance(outcome, Failure) and outcome.code in _EXPIRED:
            self._refused = self._tried
            self._before.engine.distrust(self._tried)
        return outcome

    def token(self) -> Token:
        """Return the token with which the chain begins; a key is what is tried here.

        Raises:
            TokenError: it cannot be had.
        """
        return self.peek()

    def token_changed(self) -> bool:
        """Whether the role before has a key by now that was not tried; looks once a second."""
        if not self._may_look():
            return False
        # It may be that one's token that was bad, and nobody else may be reading it.
        self._before.engine.prefetch()
        return self._before.signature() not in ("", self._tried)

    def needs_this_thread(self) -> bool:
        """Whether this very thread holds what the flights of the roles before need."""
        return self._before.engine.needs_this_thread()

    def is_waited_for_here(self) -> bool:
        """Whether this very thread brings the credentials of a role before."""
        return self._before.engine.is_flown_here()


def _failure_of(error: IrsaError, role_arn: str) -> Failure:
    if error.failure is not None and not isinstance(error, RefreshTimeout):
        return error.failure
    headline = str(error).partition("\n")[0]
    known = error.failure.line() if error.failure else ""
    return Failure(
        kind="timeout",
        code="RefreshTimeout",
        message=headline,
        # What the role before met, unless the headline is it.
        advice=known.removeprefix(headline).strip(),
        role_arn=role_arn,
    )
