"""One flight from start to end: token, STS, credentials, and the retries of a blocking one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from irsa_creds import _freshness as fresh
from irsa_creds._answer import told_of
from irsa_creds._errors import ConfigError, Failure, IrsaError, TokenError, said
from irsa_creds._freshness import Snapshot
from irsa_creds._lazy import load_exchange_modules

if TYPE_CHECKING:
    from irsa_creds._answer import Proof
    from irsa_creds._channel import Channel
    from irsa_creds._clock import Clock
    from irsa_creds._flight import Flight
    from irsa_creds._sts import Answer
    from irsa_creds._token import Token

    class Source(Protocol):
        """Where the token comes from."""

        def read(self) -> Token: ...
        def signature(self) -> object | None: ...

    class Asking(Protocol):
        """What is asked of an exchange with STS."""

        @property
        def calls(self) -> int: ...
        def attempt(self, token: Proof, seconds: float) -> Answer | Failure: ...
        def reset_after_fork(self) -> None: ...


__all__ = ["Pilot"]

_log = logging.getLogger("irsa_creds")


class Pilot:
    """Flies one identity's flights; all state here is about the token and the connection."""

    #: Whether another role's credentials stand in the place of the token.
    is_chained = False

    def __init__(
        self,
        role_arn: str,
        source: Source,
        exchange: Asking,
        *,
        ceiling: float,
        clock: Clock,
        channel: Channel,
        draw: fresh.Draw,
    ) -> None:
        self.role_arn = role_arn
        self._source = source
        self._exchange = exchange
        self._ceiling = ceiling
        self._clock = clock
        self._channel = channel
        self._draw = draw
        # The last token sent, and the one whose flight is the latest: "" where none could be read.
        self._sent = ""
        self._tried = ""
        self._signature: object | None = None
        self._watched_at = float("-inf")

    @property
    def calls(self) -> int:
        """Requests sent to STS."""
        return self._exchange.calls

    def fly(self, flight: Flight, held: Snapshot) -> Snapshot | Failure:
        """Bring credentials, or say why not; a blocking flight tries a few times.

        Args:
            flight: its deadline bounds all.
            held: what the process has already.
        """
        del held
        attempt = 1
        while True:
            outcome = self._attempt_safely(flight)
            latency = self._clock.now() - flight.started_at
            if isinstance(outcome, Snapshot):
                expiration = outcome.credentials.expiration
                self._channel.succeeded(self.role_arn, attempt, latency, expiration)
                return outcome
            self._channel.failed(self.role_arn, outcome.code, attempt, latency)
            most = min(flight.attempts, outcome.attempts or flight.attempts)
            if attempt >= most or not outcome.retryable:
                return outcome
            pause = fresh.blocking_pause(outcome, attempt, self._draw)
            if self._clock.now() + pause >= flight.deadline:
                return outcome
            self._clock.sleep(pause)
            attempt += 1

    def _attempt_safely(self, flight: Flight) -> Snapshot | Failure:
        try:
            return self._attempt(flight)
        except IrsaError as error:
            code, message, failure = type(error).__name__, str(error), error.failure
        except Exception as error:  # noqa: BLE001 - a defect here must not leave waiters waiting
            code, failure = type(error).__name__, None
            message = f"The refresh failed with {code}: {said(error)}"
        return failure or Failure(
            kind="exchange",
            code=code,
            message=message,
            retryable=code != ConfigError.__name__,
            role_arn=self.role_arn,
        )

    def _attempt(self, flight: Flight) -> Snapshot | Failure:
        load_exchange_modules()
        token = self._proof(flight)
        if isinstance(token, Failure):
            return token
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(fresh.ATTEMPT_SECONDS, flight.deadline - sent_at)
        if seconds <= 0:
            return flight.overdue()
        answer = self._exchange.attempt(token, seconds)
        if isinstance(answer, Failure):
            return answer
        if answer.note:
            _log.warning("%s", answer.note)
        credentials = answer.credentials
        lifetime = fresh.lifetime(
            credentials.expiration,
            answer.date,
            wall_at,
            asked=answer.duration,
            ceiling=self._ceiling,
        )
        # Nothing is valid: at the first start, but in all pods that an outage has left without as
        # well; they would stay in step from then on.
        refresh = fresh.first_refresh if flight.blocking else fresh.later_refresh
        snapshot = Snapshot(
            credentials, sent_at, wall_at, lifetime, sent_at + refresh(lifetime, self._draw)
        )
        if self._clock.now() < snapshot.end_of_use:
            return snapshot
        return Failure(
            kind="exchange",
            code="ExpiredCredentials",
            message=f"STS answered with credentials that expired {credentials.expiration:%FT%TZ}.",
            advice="Compare the pod's clock and STS's.",
            role_arn=self.role_arn,
            endpoint=answer.endpoint,
            **told_of(token),
        )

    def _proof(self, flight: Flight) -> Proof | Failure:
        """Return what shows STS who asks, as it is now."""
        del flight
        token = self.token()
        if self._sent not in ("", token.fingerprint):
            self._channel.rotated(self.role_arn)
        self._sent = token.fingerprint
        return token

    def needs_this_thread(self) -> bool:
        """Whether a flight on another thread would wait for what this very thread holds."""
        return False

    def is_waited_for_here(self) -> bool:
        """Whether this very thread brings what a flight would wait for."""
        return False

    def token(self) -> Token:
        """Return the token as it is now: what comes of this flight is about that one.

        Raises:
            TokenError: it cannot be had.
        """
        self._signature = self._source.signature()
        self._tried = ""
        token = self._source.read()
        self._tried = token.fingerprint
        return token

    def peek(self) -> Token:
        """Return the token as it is now, for who asks whose it is: no flight is about it.

        Raises:
            TokenError: it cannot be had.
        """
        return self._source.read()

    def _may_look(self) -> bool:
        """Whether it is time to look again at what was refused; that is looked at then."""
        now = self._clock.now()
        due = now - self._watched_at >= fresh.TOKEN_WATCH_INTERVAL
        if due:
            self._watched_at = now
        return due

    def token_changed(self) -> bool:
        """Whether the token's content differs from what was sent last; looks once a second."""
        if not self._may_look():
            return False
        signature = self._source.signature()
        if signature is None or signature == self._signature:
            return False
        try:
            return self._source.read().fingerprint != self._tried
        except TokenError:
            return False

    def reset_after_fork(self) -> None:
        """Count a child's own calls only."""
        self._exchange.reset_after_fork()
