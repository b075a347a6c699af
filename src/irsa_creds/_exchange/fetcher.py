"""One attempt of a refresh with a token: read the token, call STS, check the lifetime."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine import timing
from irsa_creds._engine.fetching import RetryingFetcher
from irsa_creds._engine.this_thread import log
from irsa_creds._errors import Failure, TokenError
from irsa_creds._identity.claims import claims_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._exchange.exchange_request import Assertion
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
        def attempt(self, token: Assertion, seconds: float) -> ExchangeResult | Failure: ...
        def reset_after_fork(self) -> None: ...


__all__ = ["WebIdentityFetcher"]


class WebIdentityFetcher(RetryingFetcher):
    """Gets the credentials of a role from STS with a token; it remembers the last token tried.

    Args:
        role_arn: the role.
        token_source: a file or a callable.
        make_client: returns the client that calls STS, and imports what its calls need.
        ceiling: the longest lifetime that is accepted, in seconds.
        clock: this process's clocks.
        uniform: returns a random number between two.
    """

    def __init__(
        self,
        role_arn: str,
        token_source: TokenSource,
        make_client: Callable[[], Client],
        *,
        ceiling: float,
        clock: Clock,
        uniform: timing.Uniform,
    ) -> None:
        super().__init__(role_arn, clock=clock, uniform=uniform)
        self.role_arn = role_arn
        self._token_source = token_source
        self._make_client = make_client
        self._clients: list[Client] = []
        self._ceiling = ceiling
        # Fingerprints: the last token sent, and the last one tried ("" if it was not readable).
        self._sent = ""
        self._tried = ""
        self._version: object | None = None

    @property
    def calls(self) -> int:
        """Requests sent to STS."""
        return sum(each.calls for each in self._clients)

    def prepare(self) -> Client:
        """Return the client; the first call imports what an STS call needs."""
        if not self._clients:
            # Another thread may append one too. All use the first one, which counts their calls.
            self._clients.append(self._make_client())
        return self._clients[0]

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        client = self.prepare()
        token = self._assertion(refresh)
        if isinstance(token, Failure):
            return token
        sent_at, wall_at = self._clock.now(), self._clock.wall()
        seconds = min(timing.ATTEMPT_SECONDS, refresh.deadline - sent_at)
        if seconds <= 0:
            return refresh.overdue()
        result = client.attempt(token, seconds)
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
            **claims_fields(token.claims),
        )

    def _assertion(self, refresh: Refresh) -> Assertion | Failure:
        """Return what proves the identity to STS now."""
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
        self._version = self._token_source.version()
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
        version = self._token_source.version()
        if version is None or version == self._version:
            return False
        try:
            return self._token_source.read().fingerprint != self._tried
        except TokenError:
            return False

    def reset_after_fork(self) -> None:
        """Count only a child's own calls."""
        for each in self._clients:
            each.reset_after_fork()
