"""When to refresh, and when to try again after a failure: pure functions and their numbers.

Every instant is in seconds of one `Clock.now`; `left` is the time to the end of use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from irsa_creds._engine.snapshot import Snapshot
    from irsa_creds._errors import Failure

__all__ = ["Uniform"]

MINUTE = 60.0
ATTEMPT_SECONDS = 15.0
#: Attempts of the first refresh that callers wait for: a lost packet or a throttled call must not
#: be an error when a pod starts.
BLOCKING_ATTEMPTS = 4
#: Attempts of each later refresh that callers wait for, until one succeeds. Single attempts notice
#: the end of an outage as early as four at a time would, and make a quarter of the calls.
LATER_ATTEMPTS = 1
BLOCKING_SECONDS = 30.0
#: The longest time for which a retryable failure is cached. Chosen with `benchmarks/fleet.py` so
#: that an outage of 30 minutes causes at most twice the calls of AWS's planned SDK refresh rules
#: (`--choices` prints the curve).
CACHED_FAILURE_SECONDS = 20.0
#: The longest pause after the first throttled attempt, doubling: chosen there as well.
THROTTLED_SECONDS = 2.0
WAITER_SECONDS = 35.0
#: Between two refreshes that `min_ttl` starts. `mark_stale` ignores a key younger than this.
DEMAND_INTERVAL = MINUTE
#: An attempt may use all of its time: a refresh is overdue only this much after its deadline.
OVERDUE_GRACE = 0.25
#: From this many hanging refreshes on one new refresh a minute may start, from the limit on none.
OVERDUE_FEW = 2
OVERDUE_LIMIT = 16
OVERDUE_INTERVAL = MINUTE
#: Between two looks at a token that STS denied.
TOKEN_WATCH_INTERVAL = 1.0
#: `Date` has whole seconds: the response may be this much younger than it says.
DATE_RESOLUTION = 1.0
LIFETIME_TOLERANCE = MINUTE
#: STS's lifetime if a request names none (API reference, DurationSeconds).
DEFAULT_LIFETIME = 3600.0

#: The type of `Clock.uniform`.
Uniform: TypeAlias = "Callable[[float, float], float]"


def lifetime(
    expiration: datetime,
    date: datetime | None,
    wall: float,
    *,
    requested: int | None,
    ceiling: float,
) -> float:
    """Return the credentials' seconds from the instant of the request; 0 if they have expired.

    STS's own `Date` makes a wrong pod clock harmless, but a proxy with a wrong clock may have set
    it: `Date` alone counts only if it gives the requested lifetime.

    Args:
        expiration: STS's `Expiration`.
        date: STS's `Date`; None if the response has none.
        wall: the pod's clock when the request was sent, in seconds since the epoch.
        requested: the requested seconds; None if the request left them to STS.
        ceiling: the longest accepted lifetime.
    """
    by_clock = expiration.timestamp() - wall
    by_date = (expiration - date).total_seconds() - DATE_RESOLUTION if date else 0.0
    expected = DEFAULT_LIFETIME if requested is None else requested
    if by_date > 0 and abs(by_date + DATE_RESOLUTION - expected) <= LIFETIME_TOLERANCE:
        return min(by_date, expected)
    return min(min((each for each in (by_date, by_clock) if each > 0), default=0.0), ceiling)


def refresh_window(lifetime: float) -> float:
    """Return the seconds before expiry at which a refresh is due at the latest.

    The table is that of AWS's planned SDK refresh rules (docs/development/conformance.md has their
    source). Half the lifetime is the limit, since otherwise credentials of a short lifetime would
    be refreshed on every call.
    """
    if lifetime <= 20 * MINUTE:
        window = 5 * MINUTE
    elif lifetime < 90 * MINUTE:
        window = 15 * MINUTE
    else:
        window = 60 * MINUTE
    return min(window, lifetime / 2)


def age_after_blocking(lifetime: float, uniform: Uniform) -> float:
    """Return the age at which to refresh credentials that callers had to wait for.

    All pods of a roll-out get theirs in the same minutes, and so do all pods after an outage. A
    wide range spreads their next refreshes.
    """
    return uniform(0.1 * lifetime, lifetime - refresh_window(lifetime))


def age_after_background(lifetime: float, uniform: Uniform) -> float:
    """Return the age at which to refresh credentials of a background refresh: late, but spread."""
    return lifetime - refresh_window(lifetime) - uniform(0, min(5 * MINUTE, lifetime / 12))


def shared_delay(lifetime: float, uniform: Uniform) -> float:
    """Return by how much a process refreshes later than the process that wrote the entry."""
    return uniform(0, min(5.0, lifetime / 20))


def refresh_in_child(snapshot: Snapshot, now: float, uniform: Uniform) -> float:
    """Return when a forked child refreshes: not at once with all workers of a preloaded server."""
    age = now - snapshot.sent_at
    longest = snapshot.longest_age
    low = max(age, 0.1 * min(snapshot.lifetime, longest))
    high = min(snapshot.lifetime - refresh_window(snapshot.lifetime), longest)
    if low < high:
        return snapshot.sent_at + uniform(low, high)
    return now + uniform(0, max(0.0, min(snapshot.left(now), longest)) / 3)


def background_seconds(left: float) -> float:
    """Return how long a background refresh may take: it ends before the credentials do."""
    return min(ATTEMPT_SECONDS, max(1.0, left / 4))


def background_pause(failure: Failure, in_a_row: int, left: float, uniform: Uniform) -> float:
    """Return the seconds to the next refresh after `failure` while credentials are valid.

    Args:
        failure: why the last refresh failed.
        in_a_row: how many have failed since the last success, this one included.
        left: seconds to the end of use; a pause of at most a third of them means more attempts
            towards the end.
        uniform: returns a random number between two.
    """
    ceiling = left / 3
    if failure.again_in is not None:
        return max(0.2, min(failure.again_in, ceiling))
    if not failure.retryable:
        return max(5.0, min(60.0, ceiling))
    floor = 5.0 if failure.throttled else 1.0
    if failure.retry_after is not None:
        pause = min(300.0, max(floor, failure.retry_after))
    else:
        pause = min(120.0, max(floor, _doubled(2.0, in_a_row) * uniform(0.5, 1)))
    return max(0.2, min(pause, ceiling))


def cached_failure_seconds(failure: Failure, in_a_row: int, uniform: Uniform) -> float:
    """Return how long callers get `failure` instead of an STS call while nothing is valid.

    Args:
        failure: why the last refresh that callers waited for failed.
        in_a_row: how many of them have failed since the last success, this one included.
        uniform: returns a random number; pods that start in an outage must not stay in step.
    """
    if failure.again_in is not None:
        return failure.again_in
    if not failure.retryable:
        return min(60.0, _doubled(5.0, in_a_row))
    if failure.retry_after is not None:
        return min(CACHED_FAILURE_SECONDS, max(1.0, failure.retry_after))
    return min(CACHED_FAILURE_SECONDS, _doubled(2.0, in_a_row)) * uniform(0.5, 1)


def blocking_pause(failure: Failure, attempt: int, uniform: Uniform) -> float:
    """Return the seconds between two attempts of one refresh that callers wait for.

    Args:
        failure: why the last attempt failed.
        attempt: its number, from 1 on.
        uniform: returns a random number between two.
    """
    if failure.throttled:
        # STS limits calls per second: an attempt within the same second is throttled again, and
        # uses a call that another pod needs.
        pause = _doubled(THROTTLED_SECONDS, attempt) * uniform(0.5, 1)
    else:
        pause = uniform(0, _doubled(0.5, attempt))
    return max(pause, min(15.0, failure.retry_after or 0.0))


def _doubled(seconds: float, times: int) -> float:
    # The exponent is bounded: an outage of a week must not overflow a float.
    return seconds * float(2 ** min(times - 1, 10))
