"""The token of an attempt: read for each one, and compared with the one tried before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from irsa_creds._engine.fetching import RetryingFetcher
from irsa_creds._errors import TokenError

if TYPE_CHECKING:
    from irsa_creds._engine import timing
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._identity.token import Token

    class TokenSource(Protocol):
        """A file or a callable that returns the token."""

        def read(self) -> Token: ...
        def version(self) -> object | None: ...


__all__ = ["TokenFetcher"]


class TokenFetcher(RetryingFetcher):
    """Gets credentials with a token; it remembers the last token tried.

    Args:
        name: the role, or the source of credentials without a role.
        token_source: a file or a callable.
        clock: this process's clocks.
        uniform: returns a random number between two.
    """

    def __init__(
        self, name: str, token_source: TokenSource, *, clock: Clock, uniform: timing.Uniform
    ) -> None:
        super().__init__(name, clock=clock, uniform=uniform)
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
