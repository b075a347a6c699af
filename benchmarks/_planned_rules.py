"""A model of AWS's planned SDK refresh rules, so that they can be measured.

The rules, from what is public: pull requests 3733, 3760, 3773 and 3775 of botocore (its branch
`feature/credential-refresh`, June to August 2026, behind `DEFAULT_NEW_CREDENTIAL_REFRESH`), and
the scenarios `credential-refresh-tests.json` of that branch and of smithy-rs.

- Only reads refresh: there is no thread for it. Each session has credentials of its own.
- The advisory window depends on the lifetime: 5 minutes up to a lifetime of 20 minutes, 15 below
  90 minutes, else 60. The mandatory window is a minute. In the advisory window one read refreshes
  (and waits), while others use the current credentials; in the mandatory window all wait.
- After a failed refresh, in either window or after expiration, all reads get the current
  credentials, expired or not, and no refresh is tried for 300 to 600 s (at random). Without any
  credentials the error is raised, and the next read tries again. Credentials that have expired on
  arrival are a failure.
- An error that only a person can fix (`NON_RECOVERABLE`, from STS) is raised immediately, even with
  valid credentials, and raised again without a call for 1 to 5 s (at random).
- A key that a service rejected makes the next read a mandatory refresh; a back-off still applies.

Retries within one refresh are the STS client's own, as today. If the branch changes, this file has
to change. The set of non-recoverable codes differs a little between SDKs; these are the ones of
aws-sdk-go-v2's `stscreds`.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BACK_OFF",
    "ERROR_LASTS",
    "MANDATORY",
    "NON_RECOVERABLE",
    "PLANNED",
    "PlannedCredentials",
    "advisory_window",
]

#: The side's name, also in figures of earlier runs.
PLANNED = "aws-coming"
MINUTE = 60.0
MANDATORY = 1 * MINUTE
#: Seconds without an attempt after a failed one, and seconds for which an error is raised again.
BACK_OFF = 5 * MINUTE, 10 * MINUTE
ERROR_LASTS = 1.0, 5.0
NON_RECOVERABLE = frozenset(
    {
        "AccessDenied",
        "IDPRejectedClaim",
        "InvalidIdentityToken",
        "MalformedPolicyDocument",
        "PackedPolicyTooLarge",
        "RegionDisabled",
    }
)


def advisory_window(lifetime: float) -> float:
    """Return the seconds before expiration at which reads begin to refresh."""
    if lifetime <= 20 * MINUTE:
        return 5 * MINUTE
    return 15 * MINUTE if lifetime < 90 * MINUTE else 60 * MINUTE


class Uniform(Protocol):
    """The signature of `random.uniform`."""

    def __call__(self, low: float, high: float, /) -> float: ...


class PlannedCredentials:
    """A session's credentials under these rules.

    Args:
        refresh_using: calls STS, with the client's own retries, as botocore's own object does.
        uniform: returns a random number between two.
        wall: the wall clock, which botocore uses too.
    """

    #: Factor of all times, for credentials that last seconds and not an hour.
    scale = 1.0

    def __init__(
        self,
        refresh_using: Callable[[], dict[str, Any]],
        *,
        uniform: Uniform = random.uniform,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._refresh_using = refresh_using
        self._uniform = uniform
        self._wall = wall
        self._lock = threading.Lock()
        self._current: ReadOnlyCredentials | None = None
        # Scenarios date credentials back by it.
        self._expiry_time = datetime.fromtimestamp(0, UTC)
        self._window = 0.0
        self._blocked_until = 0.0
        self._error: Exception | None = None
        self._error_until = 0.0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials to sign with, expired or not."""
        if self._is_due(self._window):
            mandatory = self._is_due(MANDATORY * self.scale)
            if self._lock.acquire(blocking=mandatory):
                try:
                    # The lock's last holder may have refreshed.
                    if self._is_due(self._window):
                        self._refresh()
                finally:
                    self._lock.release()
        return self._current

    def invalidate(self, access_key_id: str) -> None:
        """Make the next read refresh, because a service rejected the key."""
        if self._current is not None and self._current.access_key == access_key_id:
            self._expiry_time = datetime.fromtimestamp(0, UTC)

    def _is_due(self, window: float) -> bool:
        if self._current is None:
            return True
        if self._now() < self._blocked_until:
            return False
        return self._expiry_time.timestamp() - self._now() < window

    def _refresh(self) -> None:
        if self._error is not None and self._now() < self._error_until:
            raise self._error
        try:
            self._accept(self._refresh_using())
        except Exception as error:
            if _is_non_recoverable(error):
                self._error = error
                self._error_until = self._now() + self.scale * self._uniform(*ERROR_LASTS)
                raise
            if self._current is None:
                raise
            self._blocked_until = self._now() + self.scale * self._uniform(*BACK_OFF)

    def _accept(self, found: dict[str, Any]) -> None:
        expires = datetime.fromisoformat(found["expiry_time"])
        lifetime = expires.timestamp() - self._now()
        if lifetime <= 0:
            raise ValueError("The source's credentials have expired already.")
        self._current = ReadOnlyCredentials(
            found["access_key"], found["secret_key"], found["token"], found.get("account_id")
        )
        self._expiry_time = expires
        self._window = self.scale * advisory_window(lifetime / self.scale)
        self._blocked_until, self._error = 0.0, None

    def _now(self) -> float:
        return self._wall().timestamp()


def _is_non_recoverable(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code.removesuffix("Exception") in NON_RECOVERABLE
