"""The refresh of a target role: its source role's credentials sign the STS call."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from irsa_creds._engine.waiting import acquire, join
from irsa_creds._errors import EXPIRED_TOKEN, Failure, IrsaError, RefreshTimeout
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._credentials import Credentials
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._exchange.token_fetcher import Client
    from irsa_creds._identity.token import Token

__all__ = ["AssumeRoleFetcher", "SigningCredentials"]


class SigningCredentials(Record):
    """The source role's credentials, which sign the request.

    botocore's signer accepts it: it reads `access_key`, `secret_key` and `token`. The import of
    botocore's own class takes 46 ms.

    Attributes:
        credentials: of the source role.
    """

    __slots__ = ()

    credentials: Credentials

    # It is not a JWT, and not from a file.
    claims = None
    written = None

    @property
    def access_key(self) -> str:
        return self.credentials.access_key_id

    @property
    def secret_key(self) -> str:
        return self.credentials.secret_access_key

    @property
    def token(self) -> str:
        return self.credentials.session_token

    @property
    def value(self) -> str:
        """The secret that is sent."""
        return self.token

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values to mask in messages: the server knows the secret key, which is not sent."""
        return self.token, self.secret_key

    def shape(self) -> str:
        """Return the length of the session token."""
        return f"{len(self.value):,} characters"

    def __repr__(self) -> str:
        return f"<SigningCredentials ...{self.access_key[-4:]}>"


class AssumeRoleFetcher(WebIdentityFetcher):
    """Gets the credentials of a target role.

    Its engine waits for its source role's engine, never the other way around: on the refresh's
    thread, and until the refresh's deadline. While the source role's credentials are valid, it does
    not wait for their refresh.

    Args:
        role_arn: the target role.
        source: the source role's engine; its credentials sign the request.
        make_client: returns the client that calls STS for the target role.
        ceiling: the longest lifetime that is accepted.
        clock: this process's clocks.
    """

    is_chained = True

    def __init__(
        self,
        role_arn: str,
        source: Engine,
        make_client: Callable[[], Client],
        *,
        ceiling: float,
        clock: Clock,
    ) -> None:
        # The token of the first role: the shared cache names an entry by its claims.
        first = cast("WebIdentityFetcher", source.fetcher).token_source
        super().__init__(role_arn, first, make_client, ceiling=ceiling, clock=clock)
        self._source = source
        # The key that is expired for STS: the refresh waits for the next one.
        self._expired = ""

    def _assertion(self, refresh: Refresh) -> SigningCredentials | Failure:
        self._tried = ""
        try:
            found = self._source_credentials(refresh)
        except IrsaError as error:
            failure = _failure_of(error, self._source.name)
        else:
            self._tried = found.access_key_id
            return SigningCredentials(found)
        # The source role's own refresh has retried, and its back-off says when the next one starts.
        return failure._replace(
            attempts=1, again_in=self._source.cached_failure_left() or failure.again_in
        )

    def _source_credentials(self, refresh: Refresh) -> Credentials:
        source, must_not_wait = self._source, refresh.must_not_wait

        def credentials() -> Credentials:
            left = refresh.deadline - source.now()
            return acquire(
                source, timeout=left, for_target_role=True, must_not_wait=must_not_wait
            ).credentials

        found, current = credentials(), source.refresh
        if current is None or found.access_key_id != self._expired:
            return found
        join(source, current, refresh.deadline, must_not_wait=must_not_wait)
        return credentials()

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        outcome = super()._attempt(refresh)
        # If no key was tried, the failure is the source role's own.
        if self._tried and isinstance(outcome, Failure) and outcome.code in EXPIRED_TOKEN:
            self._expired = self._tried
            self._source.mark_stale(self._tried)
        return outcome

    def token(self) -> Token:
        """Return the token of the first role, without recording it as tried.

        Raises:
            TokenError: the token is not readable.
        """
        return self.token_source.read()

    def deliver(self) -> None:
        """Deliver the log lines and events of the source role's refreshes on this thread."""
        self._source.deliver()

    def token_changed(self) -> bool:
        """Whether the source role has a key that was not tried."""
        # The source role's token may be the cause, and no other caller may read that role.
        self._source.prefetch()
        snapshot = self._source.snapshot
        is_valid = self._source.now() < snapshot.end_of_use
        return is_valid and snapshot.credentials.access_key_id != self._tried


def _failure_of(error: IrsaError, role_arn: str) -> Failure:
    if error.failure is not None and not isinstance(error, RefreshTimeout):
        return error.failure
    headline = str(error).partition("\n")[0]
    cause = error.failure
    known = f"{cause.message} {cause.advice}" if cause else ""
    return Failure(
        kind="timeout",
        code="RefreshTimeout",
        message=headline,
        # Why the source role has no credentials, unless the headline says it.
        advice=known.removeprefix(headline).strip(),
        role_arn=role_arn,
    )
