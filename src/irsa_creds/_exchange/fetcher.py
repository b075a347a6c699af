"""The work of a refresh: read the token, call STS, retry if callers wait."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine import policy
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import log
from irsa_creds._errors import ConfigError, Failure, IrsaError, TokenError
from irsa_creds._identity.claims import claims_fields
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._exchange.request import Assertion
    from irsa_creds._exchange.sts import ExchangeResult
    from irsa_creds._identity.token import Token

    class TokenSource(Protocol):
        """A file or a callable that returns the token."""

        def read(self) -> Token: ...
        def signature(self) -> object | None: ...

    class Client(Protocol):
        """Calls STS once."""

        @property
        def calls(self) -> int: ...
        def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure: ...
        def reset_after_fork(self) -> None: ...


__all__ = ["StsFetcher"]


class StsFetcher:
    """Gets the credentials of one identity; its state is which token was tried."""

    #: Whether a source role's credentials sign the request, in place of a token.
    is_chained = False

    def __init__(
        self,
        role_arn: str,
        token_source: TokenSource,
        client: Client,
        *,
        ceiling: float,
        clock: Clock,
        draw: policy.Draw,
    ) -> None:
        self.role_arn = role_arn
        self._token_source = token_source
        self._client = client
        self._ceiling = ceiling
        self._clock = clock
        self._draw = draw
        # Fingerprints: the last token sent, and the last one tried ("" if it was not readable).
        self._sent = ""
        self._tried = ""
        self._signature: object | None = None

    @property
    def calls(self) -> int:
        """Requests sent to STS."""
        return self._client.calls

    def fetch(self, refresh: Refresh, current: Snapshot) -> Snapshot | Failure:
        """Return new credentials or a failure; retry if callers wait.

        Args:
            refresh: has the deadline, and collects the events.
            current: the process's current credentials.
        """
        del current
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
        except Exception as error:  # noqa: BLE001 - callers wait for the outcome, whatever it is
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
        token = self._assertion(refresh)
        if isinstance(token, Failure):
            return token
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(policy.ATTEMPT_SECONDS, refresh.deadline - sent_at)
        if seconds <= 0:
            return refresh.overdue()
        result = self._client.attempt(token, seconds)
        if isinstance(result, Failure):
            return result
        if result.note:
            log(logging.WARNING, "%s", result.note)
        credentials = result.credentials
        lifetime = policy.lifetime(
            credentials.expiration,
            result.date,
            wall_at,
            requested=result.duration,
            ceiling=self._ceiling,
        )
        # After an outage, all pods without valid credentials refresh at once; a random age keeps
        # them from doing so ever after.
        age = policy.age_after_blocking if refresh.blocking else policy.age_after_background
        snapshot = Snapshot(
            credentials, sent_at, wall_at, lifetime, sent_at + age(lifetime, self._draw)
        )
        if self._clock.now() < snapshot.end_of_use:
            return snapshot
        return Failure(
            kind="exchange",
            code="ExpiredCredentials",
            message="STS returned expired credentials (ExpiredCredentials): their expiration was "
            f"{credentials.expiration:%FT%TZ}.",
            advice="Compare the pod's clock and STS's.",
            role_arn=self.role_arn,
            endpoint=result.endpoint,
            **claims_fields(token.claims),
        )

    def _assertion(self, refresh: Refresh) -> Assertion | Failure:
        """Return what proves the identity to STS now."""
        token = self.token()
        refresh.sent = token.fingerprint
        if self._sent not in ("", token.fingerprint):
            refresh.note("TokenRotated", self.role_arn)
        self._sent = token.fingerprint
        return token

    def token(self) -> Token:
        """Return the token as it is now, and record it as tried.

        Raises:
            TokenError: the token is not readable.
        """
        self._signature = self._token_source.signature()
        self._tried = ""
        token = self._token_source.read()
        self._tried = token.fingerprint
        return token

    def peek(self) -> Token:
        """Read the token without recording it as tried.

        Raises:
            TokenError: the token is not readable.
        """
        return self._token_source.read()

    def token_changed(self) -> bool:
        """Whether the token differs from the one tried last. It does I/O and may be slow."""
        signature = self._token_source.signature()
        if signature is None or signature == self._signature:
            return False
        try:
            return self._token_source.read().fingerprint != self._tried
        except TokenError:
            return False

    def deliver(self) -> None:
        """Deliver log lines and events of other engines, if a refresh caused any."""

    def reset_after_fork(self) -> None:
        """Count only a child's own calls."""
        self._client.reset_after_fork()
