"""The facts of an STS call, and the failure that it may end in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus

from irsa_creds._errors import Failure, instant
from irsa_creds._exchange.classification import CAUSES, classify
from irsa_creds._exchange.preload import load_advice
from irsa_creds._identity.arns import ROLE_PARTS
from irsa_creds._identity.claims import claims_fields
from irsa_creds._masking import mask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any, Protocol

    from irsa_creds._exchange.classification import Classification

    class Assertion(Protocol):
        """What proves the identity to STS: a token, or the credentials that sign a request."""

        @property
        def value(self) -> str: ...
        @property
        def secrets(self) -> tuple[str, ...]: ...
        @property
        def fingerprint(self) -> str: ...
        @property
        def claims(self) -> Mapping[str, Any] | None: ...
        @property
        def written(self) -> datetime | None: ...
        def shape(self) -> str: ...


__all__ = ["ExchangeFacts", "ExchangeRequest", "bare_url"]

# A shorter external ID is not a secret, and may be an ordinary word.
_LEAST_SECRET = 8
# Seconds: STS's `Date` has whole ones, and a response takes time.
_LEAST_SKEW = 5


class ExchangeFacts(NamedTuple):
    """What the advice of a failure is made from; it holds no secret.

    Attributes:
        cause: why the call failed, as `classify` names it.
        signer: the source role, which signed the request, in role chaining.
        duration: the requested lifetime in seconds.
        is_jwt: whether the token has claims.
        shape: the token's length and segments.
        written: when the token's file was written, in seconds since the epoch.
        token_file: the token's file.
        skew: seconds by which STS's clock is ahead of this machine's.
    """

    cause: str
    signer: str | None
    duration: int | None
    is_jwt: bool
    shape: str
    written: float | None
    token_file: str | None
    skew: float | None

    def values(self, failure: Failure) -> dict[str, object]:
        """Return what the templates of causes quote."""
        role = re.fullmatch(ROLE_PARTS, failure.role_arn or "")
        written = instant(self.written)
        return {
            "role": failure.role_arn,
            "account": f" {role[2]}" if role and role[2] else "",
            "signer": self.signer,
            "endpoint": failure.endpoint,
            "shape": self.shape,
            "subject": failure.sub or "the token",
            "written": f"; its file was written at {written}" if written else "",
            "skew": _skew(self.skew),
        }

    def likely_cause(self, failure: Failure, /) -> str:
        """Return the first sentence of the advice; a log line has no more."""
        return CAUSES[self.cause].format_map(self.values(failure))

    def add_advice(self, failure: Failure, /) -> Failure:
        """Return `failure` with its advice and command."""
        add_advice = load_advice()
        if add_advice is None:
            return failure._replace(advice=self.likely_cause(failure), facts=None)
        return add_advice(failure, self)


class ExchangeRequest(NamedTuple):
    """The facts of a request that its failure quotes.

    Attributes:
        role_arn: the role to assume.
        endpoint: STS's URL.
        duration: the requested lifetime in seconds.
        token: the proof of identity that was sent, or that signed the request.
        signer: the source role, which signed, in role chaining.
        token_file: the token's file; None if a callable returns the token.
        external_id: of role chaining; some organizations use a passphrase.
    """

    role_arn: str
    endpoint: str
    duration: int | None
    token: Assertion
    signer: str | None = None
    token_file: str | None = None
    external_id: str | None = None

    @property
    def operation(self) -> str:
        """The name of the API call."""
        return "AssumeRole" if self.signer else "AssumeRoleWithWebIdentity"

    def classify(self, code: str, words: str = "", status: int | None = None) -> Classification:
        """Return what an error means for this request."""
        return classify(code, words, status, chained=self.signer is not None)

    def failure(
        self,
        code: str,
        message: str,
        found: Classification,
        *,
        skew: float | None = None,
        **details: Any,
    ) -> Failure:
        """Return the failure of this request.

        Args:
            code: STS's code, or the class name of a network error.
            message: what happened.
            found: what the code means.
            skew: seconds by which STS's clock is ahead of this machine's.
            details: more fields of the failure.
        """
        token = self.token
        return Failure(
            kind="exchange",
            code=code,
            message=message,
            endpoint=bare_url(self.endpoint),
            retryable=found.retryable,
            throttled=found.throttled,
            bad_token=found.bad_token,
            attempts=found.attempts,
            role_arn=self.role_arn,
            operation=self.operation,
            facts=ExchangeFacts(
                cause=found.cause,
                signer=self.signer,
                duration=self.duration,
                is_jwt=token.claims is not None,
                shape=token.shape(),
                written=token.written.timestamp() if token.written else None,
                token_file=self.token_file,
                skew=skew,
            ),
            **claims_fields(token.claims),
            **details,
        )

    def mask(self, text: str) -> str:
        """Return `text` without this request's secrets, and without what looks like one."""
        secrets = self.secrets()
        return mask(text, *secrets, *map(quote_plus, secrets))

    def secrets(self) -> list[str]:
        """Return what was sent or signed with, and must not be shown."""
        external = self.external_id or ""
        return [*self.token.secrets, *([external] if len(external) >= _LEAST_SECRET else [])]


def _skew(skew: float | None) -> str:
    """Return the difference of the clocks as a clause; empty if it is small or unknown."""
    if skew is None or abs(skew) < _LEAST_SKEW:
        return ""
    where = "ahead of" if skew > 0 else "behind"
    return f", and STS's clock is {abs(skew):,.0f} s {where} this machine's"


def bare_url(url: str) -> str:
    """Return a URL without user and password."""
    return re.sub(r"(?s)(?<=//).*@", "", url)
