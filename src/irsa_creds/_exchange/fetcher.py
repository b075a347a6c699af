"""One refresh from start to end: token, STS, credentials, and the retries of a blocking one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine import policy
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import log
from irsa_creds._errors import ConfigError, Failure, IrsaError, TokenError
from irsa_creds._exchange.response import claims_fields
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._exchange.response import Assertion
    from irsa_creds._exchange.sts import ExchangeResult
    from irsa_creds._identity.token import Token

    class Source(Protocol):
        """Where the token comes from."""

        def read(self) -> Token: ...
        def signature(self) -> object | None: ...

    class Asking(Protocol):
        """What is asked of an exchange with STS."""

        @property
        def calls(self) -> int: ...
        def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure: ...
        def reset_after_fork(self) -> None: ...


__all__ = ["StsFetcher"]


class StsFetcher:
    """Gets one identity's credentials from STS; all state here is about the token."""

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
        draw: policy.Draw,
    ) -> None:
        self.role_arn = role_arn
        self._source = source
        self._exchange = exchange
        self._ceiling = ceiling
        self._clock = clock
        self._draw = draw
        # The last token sent, and the one that was tried last: "" where none could be read.
        self._sent = ""
        self._tried = ""
        self._signature: object | None = None

    @property
    def calls(self) -> int:
        """Requests sent to STS."""
        return self._exchange.calls

    def fetch(self, refresh: Refresh, held: Snapshot) -> Snapshot | Failure:
        """Return new credentials, or why there are none; a blocking refresh tries a few times.

        Args:
            refresh: its deadline bounds all, and it keeps the events.
            held: what the process has already.
        """
        del held
        attempt = 1
        while True:
            outcome = self._attempt_safely(refresh)
            latency = self._clock.now() - refresh.started_at
            if isinstance(outcome, Snapshot):
                expiration = outcome.credentials.expiration
                refresh.note("RefreshSucceeded", self.role_arn, attempt, latency, expiration)
                return outcome
            refresh.failed_attempts = attempt
            refresh.note("RefreshFailed", self.role_arn, outcome.code, attempt, latency)
            most = min(refresh.attempts, outcome.attempts or refresh.attempts)
            if attempt >= most or not outcome.retryable:
                return outcome
            pause = policy.blocking_pause(outcome, attempt, self._draw)
            if self._clock.now() + pause >= refresh.deadline:
                return outcome
            self._clock.sleep(pause)
            attempt += 1

    def _attempt_safely(self, refresh: Refresh) -> Snapshot | Failure:
        try:
            return self._attempt(refresh)
        except IrsaError as error:
            code, message, failure = type(error).__name__, str(error), error.failure
        except Exception as error:  # noqa: BLE001 - a defect here must not leave waiters waiting
            code, failure = type(error).__name__, None
            message = f"The refresh failed with {code}: {safe_str(error)}"
        return failure or Failure(
            kind="exchange",
            code=code,
            message=message,
            retryable=code != ConfigError.__name__,
            role_arn=self.role_arn,
        )

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        token = self._proof(refresh)
        if isinstance(token, Failure):
            return token
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(policy.ATTEMPT_SECONDS, refresh.deadline - sent_at)
        if seconds <= 0:
            return refresh.overdue()
        answer = self._exchange.attempt(token, seconds)
        if isinstance(answer, Failure):
            return answer
        if answer.note:
            log(logging.WARNING, "%s", answer.note)
        credentials = answer.credentials
        lifetime = policy.lifetime(
            credentials.expiration,
            answer.date,
            wall_at,
            requested=answer.duration,
            ceiling=self._ceiling,
        )
        # Nothing is valid: at the first start, but in all pods that an outage has left without as
        # well; they would stay in step from then on.
        age = policy.first_refresh if refresh.blocking else policy.later_refresh
        snapshot = Snapshot(
            credentials, sent_at, wall_at, lifetime, sent_at + age(lifetime, self._draw)
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
            **claims_fields(token),
        )

    def _proof(self, refresh: Refresh) -> Assertion | Failure:
        """Return what proves the identity to STS, as it is now."""
        token = self.token()
        refresh.sent = token.fingerprint
        if self._sent not in ("", token.fingerprint):
            refresh.note("TokenRotated", self.role_arn)
        self._sent = token.fingerprint
        return token

    def token(self) -> Token:
        """Return the token as it is now, and record it as tried.

        Raises:
            TokenError: it cannot be had.
        """
        self._signature = self._source.signature()
        self._tried = ""
        token = self._source.read()
        self._tried = token.fingerprint
        return token

    def peek(self) -> Token:
        """Read the token without recording it as tried.

        Raises:
            TokenError: it cannot be had.
        """
        return self._source.read()

    def token_changed(self) -> bool:
        """Whether the token's content differs from what was tried last. It may be slow: I/O."""
        signature = self._source.signature()
        if signature is None or signature == self._signature:
            return False
        try:
            return self._source.read().fingerprint != self._tried
        except TokenError:
            return False

    def deliver(self) -> None:
        """Log and tell what else came of a refresh."""

    def reset_after_fork(self) -> None:
        """Count a child's own calls only."""
        self._exchange.reset_after_fork()
