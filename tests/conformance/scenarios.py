"""The scenarios of AWS's planned refresh rules, with the results of AWS and of irsa-creds.

The source of the scenarios is `credential-refresh-tests.json`: 24 in botocore's branch
`feature/credential-refresh` (commit 8cde039, August 2026), of which smithy-rs (commit 71d3859) has
23, of a version that did not yet cache a non-recoverable error for up to 5 s. The results of AWS
are from there, in words of our own; `play` produces those of irsa-creds, and a test compares them.
"""

from __future__ import annotations

from conformance.steps import (
    CACHED,
    DENIED,
    DENIES,
    FAILS,
    FRESH,
    NEW,
    NOTHING,
    STALE,
    Advance,
    Get,
    Invalidate,
    Scenario,
    Seen,
)

__all__ = ["REASONS", "SCENARIOS"]

#: Why scenarios differ: the text of the page, by the name in `Scenario.why`.
REASONS = {
    "background": (
        "While credentials are valid, no caller waits. By AWS's rules the read that meets a "
        "refresh waits for it."
    ),
    "expired": (
        "Expired credentials are never returned. AWS's rules continue to serve them, and every "
        "request then fails at the service with an error that hides the cause."
    ),
    "spread": (
        "Refreshes are spread over the lifetime. By AWS's rules all pods that started together "
        "refresh in the same window from then on."
    ),
    "back-off": (
        "A back-off lasts seconds, not 5 to 10 minutes. A pod recovers as soon as STS does, at "
        "the price of more calls during an outage."
    ),
    "denial": (
        "A denial raises nothing while credentials are valid. It is logged as an ERROR and tried "
        "again: the credentials still work, and IAM is often fixed within minutes."
    ),
    "window": (
        "The refresh window is at most half of the lifetime. There is no setting for it, because "
        "no caller waits for a refresh; `get(min_ttl=...)` is for credentials that must last."
    ),
    "stale": (
        "A service that rejects a key makes the credentials stale, not expired: a service with a "
        "wrong clock must not stop a pod."
    ),
}

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "A read of valid credentials.",
        "valid",
        [Get(None, Seen(CACHED, calls_sts=False), early=Seen(CACHED, calls_sts=True))],
        ("spread",),
    ),
    Scenario(
        "Advisory window: the refresh succeeds.",
        "advisory",
        [Get(FRESH, Seen(NEW, calls_sts=True), Seen(CACHED, calls_sts=True))],
        ("background",),
    ),
    Scenario(
        "Advisory window: the refresh fails.",
        "advisory",
        [Get(FAILS, Seen(CACHED, calls_sts=True))],
        backs_off=True,
    ),
    Scenario(
        "Mandatory window: the refresh succeeds.",
        "mandatory",
        [Get(FRESH, Seen(NEW, calls_sts=True), Seen(CACHED, calls_sts=True))],
        ("background",),
    ),
    Scenario(
        "Mandatory window: the refresh fails.",
        "mandatory",
        [Get(FAILS, Seen(CACHED, calls_sts=True))],
        backs_off=True,
    ),
    Scenario(
        "Expired credentials: the refresh succeeds.",
        "expired",
        [Get(FRESH, Seen(NEW, calls_sts=True))],
    ),
    Scenario(
        "Expired credentials: the refresh fails.",
        "expired",
        [Get(FAILS, Seen(CACHED, calls_sts=True), Seen(NOTHING, calls_sts=True))],
        ("expired",),
    ),
    Scenario(
        "The first fetch fails.",
        "none",
        [
            Get(FAILS, Seen(NOTHING, calls_sts=True)),
            Get(FRESH, Seen(NEW, calls_sts=True), Seen(NOTHING, calls_sts=False)),
        ],
        ("back-off",),
    ),
    Scenario(
        "Advisory window: the source returns expired credentials.",
        "advisory",
        [Get(STALE, Seen(CACHED, calls_sts=True))],
        backs_off=True,
    ),
    Scenario(
        "Mandatory window: the source returns expired credentials.",
        "mandatory",
        [Get(STALE, Seen(CACHED, calls_sts=True))],
        backs_off=True,
    ),
    Scenario(
        "Window for a lifetime of 10 minutes.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, calls_sts=True, window=300),
                early=Seen(NEW, calls_sts=True, window=540),
                lifetime=600,
            )
        ],
        ("spread",),
    ),
    Scenario(
        "Window for a lifetime of 20.5 minutes.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, calls_sts=True, window=900),
                Seen(NEW, calls_sts=True, window=615),
                Seen(NEW, calls_sts=True, window=1107),
                lifetime=1230,
            )
        ],
        ("window", "spread"),
    ),
    Scenario(
        "Window for a lifetime of 6 hours.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, calls_sts=True, window=3600),
                early=Seen(NEW, calls_sts=True, window=19440),
                lifetime=21600,
            )
        ],
        ("spread",),
    ),
    Scenario(
        "Window for another lifetime after a refresh.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, calls_sts=True, window=3600),
                early=Seen(NEW, calls_sts=True, window=19440),
                lifetime=21600,
            ),
            Advance(18060),
            Get(
                FRESH,
                Seen(NEW, calls_sts=True, window=300),
                Seen(CACHED, calls_sts=True, window=300),
                Seen(CACHED, calls_sts=True, window=350),
                lifetime=600,
            ),
        ],
        ("spread", "background"),
    ),
    Scenario(
        "Window of 30 minutes set by the customer.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, calls_sts=True, window=1800),
                Seen(NEW, calls_sts=True, window=3600),
                Seen(NEW, calls_sts=True, window=19440),
                lifetime=21600,
            )
        ],
        ("window", "spread"),
    ),
    Scenario(
        "Advisory window: STS denies the call.",
        "advisory",
        [
            Get(DENIES, Seen(DENIED, calls_sts=True), Seen(CACHED, calls_sts=True)),
            Advance(6),
            Get(FRESH, Seen(NEW, calls_sts=True), Seen(CACHED, calls_sts=False)),
        ],
        ("denial",),
    ),
    Scenario(
        "Mandatory window: STS denies the call.",
        "mandatory",
        [
            Get(DENIES, Seen(DENIED, calls_sts=True), Seen(CACHED, calls_sts=True)),
            Advance(6),
            Get(FRESH, Seen(NEW, calls_sts=True), Seen(CACHED, calls_sts=False)),
        ],
        ("denial",),
    ),
    Scenario(
        "Advisory window: STS denies the call, and another read follows.",
        "advisory",
        [
            Get(DENIES, Seen(DENIED, calls_sts=True), Seen(CACHED, calls_sts=True)),
            Get(None, Seen(DENIED, calls_sts=False), Seen(CACHED, calls_sts=False)),
        ],
        ("denial",),
    ),
    Scenario(
        "A service rejects the key in use: the refresh succeeds.",
        "valid",
        [
            Invalidate(matches=True),
            Get(FRESH, Seen(NEW, calls_sts=True), Seen(CACHED, calls_sts=True)),
        ],
        ("stale", "background"),
    ),
    Scenario(
        "A service rejects the key in use: the refresh fails.",
        "valid",
        [
            Invalidate(matches=True),
            Get(FAILS, Seen(CACHED, calls_sts=True)),
        ],
        backs_off=True,
    ),
    Scenario(
        "A service rejects the key in use during a back-off.",
        "expired",
        [
            Get(FAILS, Seen(CACHED, calls_sts=True), Seen(NOTHING, calls_sts=True)),
            Advance(60),
            Invalidate(matches=True),
            Get(FRESH, Seen(CACHED, calls_sts=False), Seen(NEW, calls_sts=True)),
            Advance(425),
            Get(
                FRESH,
                Seen(NEW, calls_sts=True),
                Seen(CACHED, calls_sts=False),
                early=Seen(CACHED, calls_sts=True),
            ),
        ],
        ("expired", "back-off", "spread"),
    ),
    Scenario(
        "A service rejects a key that is not in use.",
        "valid",
        [
            Invalidate(matches=False),
            Get(None, Seen(CACHED, calls_sts=False), early=Seen(CACHED, calls_sts=True)),
        ],
        ("spread",),
    ),
    Scenario(
        "Reads during and after a back-off.",
        "expired",
        [
            Get(FAILS, Seen(CACHED, calls_sts=True), Seen(NOTHING, calls_sts=True)),
            Advance(300),
            Get(FRESH, Seen(CACHED, calls_sts=False), Seen(NEW, calls_sts=True)),
            Advance(425),
            Get(
                FRESH,
                Seen(NEW, calls_sts=True),
                Seen(CACHED, calls_sts=False),
                early=Seen(CACHED, calls_sts=True),
            ),
        ],
        ("expired", "back-off", "spread"),
    ),
    Scenario(
        "The first fetch is denied.",
        "none",
        [
            Get(DENIES, Seen(DENIED, calls_sts=True)),
            Advance(6),
            Get(FRESH, Seen(NEW, calls_sts=True)),
        ],
    ),
)
