"""The fleet's STS: answers within a limit or not at all, and keeps the books.

The bucket refills all the time, holds one second's worth, and a call that is refused takes nothing
out of it. The default is STS's quota of 600 requests per second for an account in a region
(source: IAM user guide, "IAM and AWS STS quotas").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from irsa_creds._errors import Failure
from irsa_creds._exchange import advice

__all__ = ["LATENCY", "LIMIT", "Ledger", "Outage", "Sts"]

LIMIT = 600.0
#: Seconds until the answer is there, whatever it is.
LATENCY = 0.05
_BIN = 60.0


def _failure(code: str, status: int) -> Failure:
    """Return what the library makes of an answer."""
    meaning = advice.meaning(code, "", status)
    return Failure(
        kind="exchange",
        code=code,
        message=f"STS answered {code}.",
        retryable=meaning.retryable,
        throttled=meaning.throttled,
        attempts=meaning.attempts,
        status=status,
    )


DOWN = _failure("ServiceUnavailable", 503)
THROTTLED = _failure("Throttling", 400)


@dataclass(frozen=True, slots=True)
class Outage:
    """When STS answers 503 to everybody: from one second to another."""

    start: float
    end: float

    def __contains__(self, now: float) -> bool:
        return self.start <= now < self.end

    def overlap(self, since: float, until: float) -> float:
        """Return the seconds of a span that lie in it."""
        return max(0.0, min(until, self.end) - max(since, self.start))


class Ledger:
    """What a run comes to.

    Args:
        seconds: how long it is.
        outage: the one that it has; None for none.
    """

    def __init__(self, seconds: float, outage: Outage | None) -> None:
        self._outage = outage
        self._calls = [0] * (int(seconds) + 1)
        self._refreshes = [0] * (int(seconds / _BIN) + 1)
        self.throttled = 0
        self.calls_in_outage = 0
        #: First reads of a process that raise.
        self.failed_starts = 0
        #: Pod-seconds without valid credentials: from a start to the first, in the outage, after.
        self.lacking_at_start = self.lacking_in_outage = self.excess = 0.0

    def called(self, now: float) -> None:
        """Take note of a call."""
        self._calls[int(now)] += 1
        if self._outage is not None and now in self._outage:
            self.calls_in_outage += 1

    def refreshed(self, now: float) -> None:
        """Take note of one that brought new credentials to who had some before."""
        self._refreshes[int(now / _BIN)] += 1

    def lacked(self, since: float, until: float, pods: float) -> None:
        """Take note that a reader would have had nothing valid.

        Args:
            since: the instant from which on.
            until: the instant until which.
            pods: whose reader: a process is a part of one.
        """
        outage = self._outage or Outage(float("inf"), float("inf"))
        self.lacking_in_outage += pods * outage.overlap(since, until)
        self.excess += pods * max(0.0, until - max(since, outage.end))
        self.lacking_at_start += pods * max(0.0, min(until, outage.start) - since)

    def result(self) -> dict[str, Any]:
        """Return the figures."""
        # The minute of the cold start is counted apart: there is no refresh in it.
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
    """Answers.

    Args:
        ledger: where every call is written down.
        limit: calls in a second; what is beyond is throttled.
        outage: in which everybody gets 503.
    """

    def __init__(self, ledger: Ledger, limit: float, outage: Outage | None) -> None:
        self._ledger = ledger
        self._limit = limit
        self._outage = outage
        self._left = limit
        self._filled_at = 0.0

    def is_out(self, now: float) -> bool:
        """Whether everybody gets 503."""
        return self._outage is not None and now in self._outage

    def ask(self, now: float, *, refresh: bool) -> Failure | None:
        """Return None for new credentials, or why there are none.

        Args:
            now: the instant.
            refresh: whether who asks had some before.
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
