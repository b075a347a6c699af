"""AWS's refresh specification as its scenarios have it, and what ours does in each.

The source of the scenarios is `credential-refresh-tests.json`: 24 in botocore's branch
`feature/credential-refresh` (commit 8cde039, August 2026), of which smithy-rs (commit 71d3859) has
23, in a state before a non-recoverable error was remembered for up to 5 s. What AWS's SDKs do in
them is taken from there, in words of our own; what ours does is played by `play` and compared by
the test.
"""

from __future__ import annotations

from conformance.steps import (
    CACHED,
    FAILS,
    FRESH,
    NEW,
    NOTHING,
    REFUSED,
    REFUSES,
    STALE,
    Advance,
    Get,
    Invalidate,
    Scenario,
    Seen,
)

__all__ = ["SCENARIOS"]

_IN_BACKGROUND = (
    "No reader waits while credentials are valid: this one gets those that are held at once, and "
    "the next one the new ones, which a thread of ours fetches meanwhile (usually before any read)."
)
_NEVER_EXPIRED = (
    "Expired credentials are never handed out: every request signed with them fails at the "
    "service, with an error that hides the cause. The reader gets one that says why STS gave none."
)
_BACK_OFF = (
    "With nothing valid, a failure answers for STS for 1 to 20 s, not for 5 to 10 minutes: a pod "
    "recovers with STS. It costs more calls during an outage."
)
_SERVED_WHILE_VALID = (
    "A refusal while credentials are valid raises nothing: they still work, IAM is often mended "
    "within minutes, and a service that goes on is better than one that stops early. It is "
    "logged as an ERROR, and tried again after at most 60 s."
)
_SPREAD = (
    "Refreshes are spread over the life of credentials, so that pods that start together do not "
    "ask together: the first is due at any time between a tenth of it and AWS's window."
)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "Valid credentials are served, and nobody is asked.",
        "valid",
        [Get(None, Seen(CACHED, asked=False), early=Seen(CACHED, asked=True))],
        _SPREAD,
    ),
    Scenario(
        "In the advisory window a refresh succeeds.",
        "advisory",
        [Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=True))],
        _IN_BACKGROUND,
    ),
    Scenario(
        "In the advisory window a refresh fails: what is held is served, and a back-off begins.",
        "advisory",
        [Get(FAILS, Seen(CACHED, asked=True))],
        backs_off=True,
    ),
    Scenario(
        "In the mandatory window a refresh succeeds.",
        "mandatory",
        [Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=True))],
        _IN_BACKGROUND,
    ),
    Scenario(
        "In the mandatory window a refresh fails: what is held is served, and a back-off begins.",
        "mandatory",
        [Get(FAILS, Seen(CACHED, asked=True))],
        backs_off=True,
    ),
    Scenario(
        "Expired credentials are refreshed.",
        "expired",
        [Get(FRESH, Seen(NEW, asked=True))],
    ),
    Scenario(
        "Expired credentials cannot be refreshed: they are served.",
        "expired",
        [Get(FAILS, Seen(CACHED, asked=True), Seen(NOTHING, asked=True))],
        _NEVER_EXPIRED,
    ),
    Scenario(
        "The first fetch fails and raises; the next call tries again.",
        "none",
        [
            Get(FAILS, Seen(NOTHING, asked=True)),
            Get(FRESH, Seen(NEW, asked=True), Seen(NOTHING, asked=False)),
        ],
        "A failure with nothing valid answers for STS for 1 to 2 s at first, then up to 20 s: else "
        "a thousand readers that start together would each call STS. The refresh itself made 4 "
        "attempts.",
    ),
    Scenario(
        "In the advisory window the source gives expired credentials: a refresh that failed.",
        "advisory",
        [Get(STALE, Seen(CACHED, asked=True))],
        backs_off=True,
    ),
    Scenario(
        "In the mandatory window the source gives expired credentials: a refresh that failed.",
        "mandatory",
        [Get(STALE, Seen(CACHED, asked=True))],
        backs_off=True,
    ),
    Scenario(
        "A lifetime of 10 minutes has a window of 5.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=300),
                early=Seen(NEW, asked=True, window=540),
                lifetime=600,
            )
        ],
        _SPREAD,
    ),
    Scenario(
        "A lifetime of 20.5 minutes has a window of 15.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=900),
                Seen(NEW, asked=True, window=615),
                Seen(NEW, asked=True, window=1107),
                lifetime=1230,
            )
        ],
        "The window is half of the lifetime at most, before chance: one of 15 minutes in 20.5 "
        f"would refresh every 5.5 minutes. {_SPREAD}",
    ),
    Scenario(
        "A lifetime of 6 hours has a window of 60 minutes.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=3600),
                early=Seen(NEW, asked=True, window=19440),
                lifetime=21600,
            )
        ],
        _SPREAD,
    ),
    Scenario(
        "Another lifetime after a refresh has another window.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=3600),
                early=Seen(NEW, asked=True, window=19440),
                lifetime=21600,
            ),
            Advance(18060),
            Get(
                FRESH,
                Seen(NEW, asked=True, window=300),
                Seen(CACHED, asked=True, window=300),
                Seen(CACHED, asked=True, window=350),
                lifetime=600,
            ),
        ],
        f"{_SPREAD} Later ones begin up to 5 minutes (a twelfth of the lifetime at most) before "
        f"that window: so pods stay spread. {_IN_BACKGROUND}",
    ),
    Scenario(
        "A window of 30 minutes that the customer set is used in place of the table's 60.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=1800),
                Seen(NEW, asked=True, window=3600),
                Seen(NEW, asked=True, window=19440),
                lifetime=21600,
            )
        ],
        "There is no such setting: nobody waits for a refresh, so there is nothing to tune. "
        "`get(min_ttl=...)` is for who needs credentials that last. "
        f"{_SPREAD}",
    ),
    Scenario(
        "In the advisory window STS refuses: that is raised at once, and tried again after 5 s.",
        "advisory",
        [
            Get(REFUSES, Seen(REFUSED, asked=True), Seen(CACHED, asked=True)),
            Advance(6),
            Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=False)),
        ],
        _SERVED_WHILE_VALID,
    ),
    Scenario(
        "In the mandatory window STS refuses: that is raised at once, and tried again after 5 s.",
        "mandatory",
        [
            Get(REFUSES, Seen(REFUSED, asked=True), Seen(CACHED, asked=True)),
            Advance(6),
            Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=False)),
        ],
        _SERVED_WHILE_VALID,
    ),
    Scenario(
        "STS refuses, and a call at once after that has the same error without another request.",
        "advisory",
        [
            Get(REFUSES, Seen(REFUSED, asked=True), Seen(CACHED, asked=True)),
            Get(None, Seen(REFUSED, asked=False), Seen(CACHED, asked=False)),
        ],
        f"STS is not asked again here either. {_SERVED_WHILE_VALID}",
    ),
    Scenario(
        "A service rejects the key that is held: the next call refreshes, which succeeds.",
        "valid",
        [
            Invalidate(matches=True),
            Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=True)),
        ],
        "A service's word makes credentials stale, not expired: a service whose clock is wrong "
        f"must not stop a pod. {_IN_BACKGROUND}",
    ),
    Scenario(
        "A service rejects the key that is held, and the refresh fails: it is served further.",
        "valid",
        [
            Invalidate(matches=True),
            Get(FAILS, Seen(CACHED, asked=True)),
        ],
        backs_off=True,
    ),
    Scenario(
        "A service rejects the key during a back-off: that is obeyed, and the next try succeeds.",
        "expired",
        [
            Get(FAILS, Seen(CACHED, asked=True), Seen(NOTHING, asked=True)),
            Advance(60),
            Invalidate(matches=True),
            Get(FRESH, Seen(CACHED, asked=False), Seen(NEW, asked=True)),
            Advance(425),
            Get(
                FRESH,
                Seen(NEW, asked=True),
                Seen(CACHED, asked=False),
                early=Seen(CACHED, asked=True),
            ),
        ],
        f"{_NEVER_EXPIRED} {_BACK_OFF} Here it has recovered at 60 s. {_SPREAD}",
    ),
    Scenario(
        "A service rejects a key that is held no more: nothing happens.",
        "valid",
        [
            Invalidate(matches=False),
            Get(None, Seen(CACHED, asked=False), early=Seen(CACHED, asked=True)),
        ],
        f"The other key changes nothing. {_SPREAD}",
    ),
    Scenario(
        "After a refresh that failed, the source is left alone until the back-off is over.",
        "expired",
        [
            Get(FAILS, Seen(CACHED, asked=True), Seen(NOTHING, asked=True)),
            Advance(300),
            Get(FRESH, Seen(CACHED, asked=False), Seen(NEW, asked=True)),
            Advance(425),
            Get(
                FRESH,
                Seen(NEW, asked=True),
                Seen(CACHED, asked=False),
                early=Seen(CACHED, asked=True),
            ),
        ],
        f"{_NEVER_EXPIRED} {_BACK_OFF} Here it has recovered at 300 s. {_SPREAD}",
    ),
    Scenario(
        "The first fetch is refused: that is raised, and tried again after 5 s.",
        "none",
        [
            Get(REFUSES, Seen(REFUSED, asked=True)),
            Advance(6),
            Get(FRESH, Seen(NEW, asked=True)),
        ],
    ),
)
