"""The fleet's STS: responds within a limit, or not at all, and records the calls.

A token bucket refills continuously and contains one second's worth; a throttled call takes nothing
from it. The default is STS's quota of 600 requests per second for an account in a region (source:
IAM user guide, "IAM and AWS STS quotas").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from irsa_creds._errors import Failure
from irsa_creds._exchange.causes import classify

__all__ = ["LATENCY", "LIMIT", "Ledger", "Outage", "Sts"]

LIMIT = 600.0
#: Seconds until any response.
LATENCY = 0.05
_BIN = 60.0


def _failure(code: str, status: int) -> Failure:
    """Return the library's failure for an error."""
    found = classify(code, "", status)
    return Failure(
        kind="exchange",
        code=code,
        message=f"STS returned {code}.",
        retryable=found.retryable,
        throttled=found.throttled,
        attempts=found.attempts,
        status=status,
    )


DOWN = _failure("ServiceUnavailable", 503)
THROTTLED = _failure("Throttling", 400)


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which STS returns 503 to all calls."""

    start: float
    end: float

    def __contains__(self, now: float) -> bool:
        return self.start <= now < self.end

    def overlap(self, since: float, until: float) -> float:
        """Return the seconds of a span that lie in the outage."""
        return max(0.0, min(until, self.end) - max(since, self.start))


class Ledger:
    """Figures of one run.

    Args:
        seconds: length of the run.
        outage: the outage, or None.
    """

    def __init__(self, seconds: float, outage: Outage | None) -> None:
        self._outage = outage
        self._calls = [0] * (int(seconds) + 1)
        self._refreshes = [0] * (int(seconds / _BIN) + 1)
        self.throttled = 0
        self.calls_in_outage = 0
        #: First reads of a process that raise.
        self.failed_starts = 0
        #: Pod-seconds without valid credentials: before, in and after the outage.
        self.lacking_at_start = self.lacking_in_outage = self.excess = 0.0

    def called(self, now: float) -> None:
        """Record a call."""
        self._calls[int(now)] += 1
        if self._outage is not None and now in self._outage:
            self.calls_in_outage += 1

    def refreshed(self, now: float) -> None:
        """Record a call that returned credentials to a process that had some before."""
        self._refreshes[int(now / _BIN)] += 1

    def lacked(self, since: float, until: float, pods: float) -> None:
        """Record a time without valid credentials.

        Args:
            since: start of the time.
            until: end of the time.
            pods: the share of a pod that lacks them.
        """
        outage = self._outage or Outage(float("inf"), float("inf"))
        self.lacking_in_outage += pods * outage.overlap(since, until)
        self.excess += pods * max(0.0, until - max(since, outage.end))
        self.lacking_at_start += pods * max(0.0, min(until, outage.start) - since)

    def result(self) -> dict[str, Any]:
        """Return the figures."""
        # The first minute has only cold starts, and no refresh.
        bins = self._refreshes[1:-1]
        seconds = sorted(self._calls[:-1])
        mean_of_bins = sum(bins) / len(bins)
        return {
            "calls": sum(seconds),
            "calls_in_outage": self.calls_in_outage,
            "peak": seconds[-1],
            "mean": sum(seconds) / len(seconds),
            "p99": seconds[int(0.99 * len(seconds))],
            "throttled": self.throttled,
            "failed_starts": self.failed_starts,
            "refreshes": sum(bins),
            "peak_over_mean": max(bins) / mean_of_bins if mean_of_bins else 0.0,
            "lacking_at_start": self.lacking_at_start,
            "lacking_in_outage": self.lacking_in_outage,
            "excess": self.excess,
        }


class Sts:
    """STS with a limit and an outage.

    Args:
        ledger: records every call.
        limit: calls per second; more are throttled.
        outage: the outage, or None.
    """

    def __init__(self, ledger: Ledger, limit: float, outage: Outage | None) -> None:
        self._ledger = ledger
        self._limit = limit
        self._outage = outage
        self._left = limit
        self._filled_at = 0.0

    def is_out(self, now: float) -> bool:
        """Return whether STS returns 503."""
        return self._outage is not None and now in self._outage

    def call(self, now: float, *, refresh: bool) -> Failure | None:
        """Return None for new credentials, else the failure.

        Args:
            now: the instant.
            refresh: whether the caller had credentials before.
        """
        self._ledger.called(now)
        if self.is_out(now):
            return DOWN
        refilled = self._left + (now - self._filled_at) * self._limit
        self._left, self._filled_at = min(self._limit, refilled), now
        if self._left < 1:
            self._ledger.throttled += 1
            return THROTTLED
        self._left -= 1
        if refresh:
            self._ledger.refreshed(now)
        return None
