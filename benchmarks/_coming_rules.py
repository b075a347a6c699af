"""AWS's coming refresh rules, as a model: what its SDKs are to do, so that it can be measured.

The rules, from what is public: pull requests 3733, 3760, 3773 and 3775 of botocore (its branch
`feature/credential-refresh`, June to August 2026, behind `DEFAULT_NEW_CREDENTIAL_REFRESH`), and
the scenarios `credential-refresh-tests.json` that stand in that branch and in smithy-rs.

- Reads alone drive it: no thread refreshes. Each session has credentials of its own.
- The advisory window depends on the lifetime of what was got: up to 20 minutes 5 minutes, below
  90 minutes 15, else 60. The mandatory one is a minute. In the first, one reader refreshes (and
  waits for that) while others go on with what there is; in the second all wait.
- A refresh that failed, in either window or after the end, leaves everybody with what there is,
  expired or not, and for 300 to 600 s (at random) no other is tried. Where nothing was ever got,
  the error is raised, and the next read tries again. An answer that has expired is a failure.
- What nobody can mend but a person (`NON_RECOVERABLE`, from STS) is raised at once, valid
  credentials or not, and raised again without asking for 1 to 5 s (at random).
- A key that a service rejected makes the next read a mandatory refresh; a back-off is obeyed.

Retries within one refresh are the STS client's own, as today. The model is ours: where the branch
changes, this file has to. Which codes STS's are not to be mended differs a little between SDKs;
these are the ones of aws-sdk-go-v2's `stscreds`.
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
    "COMING",
    "ERROR_LASTS",
    "MANDATORY",
    "NON_RECOVERABLE",
    "ComingCredentials",
    "advisory_window",
]

#: The side's name.
COMING = "aws-coming"
MINUTE = 60.0
MANDATORY = 1 * MINUTE
#: Seconds without a try after one that failed, and for which an error is raised again.
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
    """Return how many seconds before the end reads begin to refresh."""
    if lifetime <= 20 * MINUTE:
        return 5 * MINUTE
    return 15 * MINUTE if lifetime < 90 * MINUTE else 60 * MINUTE


class Draw(Protocol):
    """`random.uniform` in shape."""

    def __call__(self, low: float, high: float, /) -> float: ...


class ComingCredentials:
    """A session's credentials under these rules.

    Args:
        refresh_using: asks STS, with the client's own retries; what botocore's own object calls.
        draw: the source of chance.
        wall: the wall clock, by which botocore goes.
    """

    #: What all times are multiplied with, where credentials last seconds and not an hour.
    scale = 1.0

    def __init__(
        self,
        refresh_using: Callable[[], dict[str, Any]],
        *,
        draw: Draw = random.uniform,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._refresh_using = refresh_using
        self._draw = draw
        self._wall = wall
        self._lock = threading.Lock()
        self._held: ReadOnlyCredentials | None = None
        # Whoever ages credentials for a measurement sets it.
        self._expiry_time = datetime.fromtimestamp(0, UTC)
        self._window = 0.0
        self._blocked_until = 0.0
        self._error: Exception | None = None
        self._error_until = 0.0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return what a request is signed with: expired ones as well."""
        if self._is_due(self._window):
            mandatory = self._is_due(MANDATORY * self.scale)
            if self._lock.acquire(blocking=mandatory):
                try:
                    # Whoever had the lock may have brought them.
                    if self._is_due(self._window):
                        self._refresh()
                finally:
                    self._lock.release()
        return self._held

    def invalidate(self, access_key_id: str) -> None:
        """Let the next read refresh: a service rejected that key."""
        if self._held is not None and self._held.access_key == access_key_id:
            self._expiry_time = datetime.fromtimestamp(0, UTC)

    def _is_due(self, window: float) -> bool:
        if self._held is None:
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
                self._error_until = self._now() + self.scale * self._draw(*ERROR_LASTS)
                raise
            if self._held is None:
                raise
            self._blocked_until = self._now() + self.scale * self._draw(*BACK_OFF)

    def _accept(self, found: dict[str, Any]) -> None:
        expires = datetime.fromisoformat(found["expiry_time"])
        lifetime = expires.timestamp() - self._now()
        if lifetime <= 0:
            raise ValueError("The source's credentials have expired already.")
        self._held = ReadOnlyCredentials(
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
