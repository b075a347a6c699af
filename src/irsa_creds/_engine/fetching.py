"""The attempts of one refresh, for every source of credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from irsa_creds._engine import timing
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._errors import ConfigError, Failure, IrsaError
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from irsa_creds._credentials import Credentials
    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.refresh import Refresh

__all__ = ["NO_EXPIRATION", "RetryingFetcher"]

#: The expiration of credentials that have none. Not `datetime.max`: a rounded sum would be later.
NO_EXPIRATION = datetime(9999, 12, 31, tzinfo=UTC)


class RetryingFetcher(ABC):
    """Gets the credentials of one identity, in more than one attempt if callers wait.

    Args:
        name: the role, or the source of credentials without a role, in messages and events.
        clock: this process's clocks.
    """

    #: Whether a source role's credentials are needed first.
    is_chained = False
    #: The role of the credentials; None if they have none, or if it is not known in advance.
    role_arn: str | None = None
    #: The service and its operation, in the text of failures.
    service = "STS"
    operation = "AssumeRoleWithWebIdentity"

    def __init__(self, name: str, *, clock: Clock) -> None:
        self.name = name
        self._clock = clock

    @property
    def label(self) -> str:
        """The name as log lines have it."""
        return f"role={self.role_arn}" if self.role_arn else f"source={self.name}"

    @property
    @abstractmethod
    def calls(self) -> int:
        """Requests sent by this process."""

    def prepare(self) -> object:  # noqa: B027 - a fetcher may need no more imports
        """Import the modules that an attempt needs: a refresh imports nothing."""

    @abstractmethod
    def _attempt(self, refresh: Refresh) -> Snapshot | Failure:
        """Try once, until the deadline of `refresh` at most."""

    @abstractmethod
    def reset_after_fork(self) -> None:
        """Count only a child's own calls."""

    def token_changed(self) -> bool:
        """Whether the token that STS denied has been replaced; it may do I/O."""
        return False

    def fetch(self, refresh: Refresh, current: Snapshot) -> Snapshot | Failure:
        """Return new credentials or a failure; retry if callers wait.

        Args:
            refresh: has the deadline, and collects the events.
            current: the process's current credentials.
        """
        # Only the shared cache compares the new ones with them.
        del current
        attempt = 1
        while True:
            outcome = self._attempt_safely(refresh)
            latency = self._clock.now() - refresh.started_at
            if isinstance(outcome, Snapshot):
                expiration = outcome.credentials.expiration
                refresh.add_event("RefreshSucceeded", self.name, attempt, latency, expiration)
                return outcome
            refresh.failed_attempts = attempt
            refresh.add_event("RefreshFailed", self.name, outcome.code, attempt, latency)
            most = min(refresh.attempts, outcome.attempts or refresh.attempts)
            if attempt >= most or not outcome.retryable:
                return outcome
            pause = timing.blocking_pause(outcome, attempt, self._clock.uniform)
            if self._clock.now() + pause >= refresh.deadline:
                return outcome
            self._clock.sleep(pause)
            attempt += 1

    def _attempt_safely(self, refresh: Refresh) -> Snapshot | Failure:
        try:
            return self._attempt(refresh)
        except IrsaError as error:
            code, message, failure = type(error).__name__, str(error), error.failure
        except Exception as error:  # noqa: BLE001 - callers get every exception as the outcome
            code, failure = type(error).__name__, None
            message = f"The refresh failed with {code}: {safe_str(error)}"
        return failure or Failure(
            kind="exchange",
            code=code,
            message=message,
            retryable=code != ConfigError.__name__,
            role_arn=self.role_arn,
            service=self.service,
            operation=self.operation,
        )

    def _snapshot(
        self,
        credentials: Credentials,
        lifetime: float,
        refresh: Refresh,
        *,
        sent_at: float,
        wall_at: float,
        longest_age: float = float("inf"),
    ) -> Snapshot | None:
        """Return credentials with the time of their next refresh; None if they are expired.

        Args:
            credentials: the new ones.
            lifetime: seconds, from `sent_at` on.
            refresh: got them.
            sent_at: the instant of the request.
            wall_at: the same by the wall clock, in seconds since the epoch.
            longest_age: seconds after which to look for newer ones, however long these last.
        """
        # After an outage, all pods without valid credentials refresh at once; a random age keeps
        # them from doing so ever after.
        age = timing.age_after_blocking if refresh.blocking else timing.age_after_background
        refresh_at = sent_at + min(age(lifetime, self._clock.uniform), longest_age)
        made = Snapshot(
            credentials, sent_at, wall_at, lifetime, refresh_at, longest_age=longest_age
        )
        return made if self._clock.now() < made.end_of_use else None

    def deliver(self) -> None:  # noqa: B027 - most fetchers have nothing to do
        """Deliver log lines and events of other engines, if a refresh caused any."""
