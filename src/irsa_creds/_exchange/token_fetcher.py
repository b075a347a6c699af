"""Fetchers that send a token: it is read for each attempt, and compared with the last one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine import timing
from irsa_creds._engine.fetching import RetryingFetcher
from irsa_creds._engine.this_thread import log
from irsa_creds._errors import Failure, TokenError
from irsa_creds._masking import claims_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._exchange.advice import Assertion
    from irsa_creds._exchange.sts import ExchangeResult
    from irsa_creds._identity.token import Token

    class TokenSource(Protocol):
        """A file or a callable that returns the token."""

        def read(self) -> Token: ...
        def version(self) -> object | None: ...

    class Client(Protocol):
        """Calls STS once."""

        @property
        def calls(self) -> int: ...
        def attempt(self, assertion: Assertion, seconds: float) -> ExchangeResult | Failure: ...
        def reset_after_fork(self) -> None: ...


__all__ = ["TokenFetcher", "WebIdentityFetcher"]


class TokenFetcher(RetryingFetcher):
    """Gets credentials with a token; it remembers the last token tried.

    Args:
        name: the role, or the source of credentials without a role.
        token_source: a file or a callable.
        clock: this process's clocks.
    """

    def __init__(self, name: str, token_source: TokenSource, *, clock: Clock) -> None:
        super().__init__(name, clock=clock)
        self.token_source = token_source
        # Fingerprints: the last token sent, and the last one tried ("" if it was not readable).
        self._sent = ""
        self._tried = ""
        self._version: object | None = None

    def _token_to_send(self, refresh: Refresh) -> Token:
        """Return the token for an attempt.

        Raises:
            TokenError: the token is not readable.
        """
        token = self.token()
        refresh.sent = token.fingerprint
        if self._sent not in ("", token.fingerprint):
            refresh.add_event("TokenRotated", self.name)
        self._sent = token.fingerprint
        return token

    def token(self) -> Token:
        """Return the token as it is now, and record it as tried.

        Raises:
            TokenError: the token is not readable.
        """
        self._version = self.token_source.version()
        self._tried = ""
        token = self.token_source.read()
        self._tried = token.fingerprint
        return token

    def token_changed(self) -> bool:
        """Whether the token differs from the one tried last. It does I/O and may be slow."""
        version = self.token_source.version()
        if version is None or version == self._version:
            return False
        try:
            return self.token_source.read().fingerprint != self._tried
        except TokenError:
            return False


class WebIdentityFetcher(TokenFetcher):
    """Gets the credentials of a role from STS with a token.

    Args:
        role_arn: the role.
        token_source: a file or a callable.
        make_client: returns the client that calls STS, and imports the modules that its calls need.
        ceiling: the longest lifetime that is accepted, in seconds.
        clock: this process's clocks.
    """

    def __init__(
        self,
        role_arn: str,
        token_source: TokenSource,
        make_client: Callable[[], Client],
        *,
        ceiling: float,
        clock: Clock,
    ) -> None:
        super().__init__(role_arn, token_source, clock=clock)
        self.role_arn = role_arn
        self._make_client = make_client
        self._clients: list[Client] = []
        self._ceiling = ceiling

    @property
    def calls(self) -> int:
        """Requests sent to STS."""
        return sum(each.calls for each in self._clients)

    def prepare(self) -> Client:
        """Return the client; the first call imports the modules that it needs."""
        if not self._clients:
            # Another thread may append one too. All use the first one, which counts their calls.
            self._clients.append(self._make_client())
        return self._clients[0]

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        client = self.prepare()
        assertion = self._assertion(refresh)
        if isinstance(assertion, Failure):
            return assertion
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(timing.ATTEMPT_SECONDS, refresh.deadline - sent_at)
        if seconds <= 0:
            return refresh.overdue_failure()
        result = client.attempt(assertion, seconds)
        if isinstance(result, Failure):
            return result
        if result.note:
            log(logging.WARNING, "%s", result.note)
        credentials = result.credentials
        lifetime = timing.lifetime(
            credentials.expiration,
            result.date,
            wall_at,
            requested=result.duration,
            ceiling=self._ceiling,
        )
        snapshot = self._snapshot(credentials, lifetime, refresh, sent_at=sent_at, wall_at=wall_at)
        if snapshot is not None:
            return snapshot
        return Failure(
            kind="exchange",
            code="ExpiredCredentials",
            message="STS returned expired credentials (ExpiredCredentials): their expiration was "
            f"{credentials.expiration:%FT%TZ}.",
            advice="Compare the pod's clock and STS's.",
            role_arn=self.role_arn,
            endpoint=result.endpoint,
            **claims_fields(assertion.claims),
        )

    def _assertion(self, refresh: Refresh) -> Assertion | Failure:
        """Return the proof of identity for this attempt."""
        return self._token_to_send(refresh)

    def reset_after_fork(self) -> None:
        """Count only a child's own calls."""
        for each in self._clients:
            each.reset_after_fork()
