"""The facts of an STS call that its failure quotes, and the proof of identity."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from irsa_creds._masking import mask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any, Protocol

    class Assertion(Protocol):
        """Proves the identity to STS: a token, or the credentials that sign a request."""

        @property
        def value(self) -> str: ...
        @property
        def secrets(self) -> tuple[str, ...]: ...
        @property
        def claims(self) -> Mapping[str, Any] | None: ...
        @property
        def written(self) -> datetime | None: ...
        def shape(self) -> str: ...


__all__ = ["ExchangeRequest"]

# A shorter external ID is not a secret, and may be an ordinary word.
_SHORTEST_SECRET = 8


class ExchangeRequest:
    """The facts of a request that its failure quotes.

    Args:
        role_arn: the role to assume.
        endpoint: STS's URL.
        duration: the requested lifetime in seconds.
        assertion: the token that was sent, or the credentials that signed the request.
        signer: the source role, which signed, in role chaining.
        token_file: the token's file; None if a callable returns the token.
        external_id: of role chaining; some organizations use a passphrase.
    """

    def __init__(
        self,
        role_arn: str,
        endpoint: str,
        duration: int | None,
        assertion: Assertion,
        *,
        signer: str | None = None,
        token_file: str | None = None,
        external_id: str | None = None,
    ) -> None:
        self.role_arn = role_arn
        self.endpoint = endpoint
        self.duration = duration
        self.assertion = assertion
        self.signer = signer
        self.token_file = token_file
        self.external_id = external_id

    def __repr__(self) -> str:
        # Without the external ID.
        return f"<ExchangeRequest {self.operation} of {self.role_arn}>"

    @property
    def operation(self) -> str:
        """The name of the API call."""
        return "AssumeRole" if self.signer else "AssumeRoleWithWebIdentity"

    def mask(self, text: str) -> str:
        """Return `text` without this request's secrets, and without what looks like one."""
        secrets = self.secrets()
        return mask(text, *secrets, *map(quote_plus, secrets))

    def secrets(self) -> list[str]:
        """Return the secrets that were sent or used to sign."""
        external = self.external_id or ""
        return [*self.assertion.secrets, *([external] if len(external) >= _SHORTEST_SECRET else [])]
