"""The refreshes of a target role: what proves it to STS are the credentials of its source role."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from irsa_creds._engine.waiting import acquire, join
from irsa_creds._errors import Failure, IrsaError, RefreshTimeout
from irsa_creds._exchange.assume_role import SigningCredentials
from irsa_creds._exchange.fetcher import StsFetcher

if TYPE_CHECKING:
    from irsa_creds._engine import policy
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.refresh import Refresh
    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._exchange.fetcher import Asking
    from irsa_creds._identity.token import Token

__all__ = ["AssumeRoleFetcher", "SourceRole"]

_EXPIRED = {"ExpiredToken", "ExpiredTokenException"}


class SourceRole:
    """The source role of a target role, which assumes the other with its credentials.

    They are read as any others: while they are valid, no target waits for their refresh.

    Args:
        engine: its engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def key(self, refresh: Refresh, expired: str) -> SigningCredentials | Failure:
        """Return its credentials, or why there are none.

        Args:
            refresh: the target's, which waits for them until its own deadline.
            expired: the id of a key that STS called expired: its next one is waited for.
        """
        engine = self.engine

        def snapshot() -> Snapshot:
            left = refresh.deadline - engine.now()
            return acquire(engine, timeout=left, here=True, alone=refresh.alone)

        try:
            found = snapshot()
            current = engine.refresh
            if current is not None and found.credentials.access_key_id == expired:
                join(engine, current, refresh.deadline, alone=refresh.alone)
                found = snapshot()
        except IrsaError as error:
            failure = _failure_of(error, engine.role_arn)
        else:
            return SigningCredentials(found.credentials)
        # Its own refresh has tried often enough, and says when there is another.
        return failure._replace(
            attempts=1, again_in=engine.cached_failure_left() or failure.again_in
        )

    def read(self) -> Token:
        """Return the token with which the chain begins.

        Raises:
            TokenError: it cannot be had.
        """
        return cast("StsFetcher", self.engine.fetcher).peek()

    def signature(self) -> str:
        """Return the id of the key that is valid now, or nothing."""
        snapshot = self.engine.snapshot
        valid = self.engine.now() < snapshot.end_of_use
        return snapshot.credentials.access_key_id if valid else ""


class AssumeRoleFetcher(StsFetcher):
    """Gets the credentials of the last role of a chain.

    Engines wait for each other in this direction only, on a refresh's own thread and no longer than
    that refresh lasts.

    Args:
        role_arn: the last role.
        before: the role whose credentials sign.
        exchange: asks STS for the last role.
        ceiling: the longest lifetime that is believed.
        clock: this process's clocks.
        draw: the source of chance.
    """

    is_chained = True

    def __init__(
        self,
        role_arn: str,
        before: SourceRole,
        exchange: Asking,
        *,
        ceiling: float,
        clock: Clock,
        draw: policy.Draw,
    ) -> None:
        super().__init__(role_arn, before, exchange, ceiling=ceiling, clock=clock, draw=draw)
        self._before = before
        self._expired = ""

    def _proof(self, refresh: Refresh) -> SigningCredentials | Failure:
        key = self._before.key(refresh, self._expired)
        self._tried = "" if isinstance(key, Failure) else key.fingerprint
        return key

    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        outcome = super()._attempt(refresh)
        # What the role before was told of its own token is no matter of its key.
        if self._tried and isinstance(outcome, Failure) and outcome.code in _EXPIRED:
            self._expired = self._tried
            self._before.engine.mark_stale(self._tried)
        return outcome

    def token(self) -> Token:
        """Return the token with which the chain begins; a key is what is tried here.

        Raises:
            TokenError: it cannot be had.
        """
        return self.peek()

    def deliver(self) -> None:
        """Log and tell what came of the source role's refreshes that ran on a target's thread."""
        self._before.engine.deliver()

    def token_changed(self) -> bool:
        """Whether the source role has a key by now that was not tried."""
        # It may be that role's token that was bad, and no other thread may be reading it.
        self._before.engine.prefetch()
        return self._before.signature() not in ("", self._tried)


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
