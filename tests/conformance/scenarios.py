"""AWS's refresh specification as its scenarios have it, and what ours does in each.

The source of the scenarios is `credential-refresh-tests.json`: 24 in botocore's branch
`feature/credential-refresh` (commit 8cde039, August 2026), of which smithy-rs (commit 71d3859) has
23, in a state before a non-recoverable error was remembered for up to 5 s. What AWS's SDKs do in
them is taken from there, in words of our own; what ours does is played by `play` and compared by
the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SCENARIOS", "Advance", "Get", "Invalidate", "Scenario", "Seen", "Step"]

#: What a call of the application's comes back with.
CACHED, NEW = "cached", "new"
NOTHING, REFUSED = "error", "refusal"
#: What the source answers.
FRESH, STALE, FAILS, REFUSES = "fresh", "stale", "fails", "refuses"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call for credentials comes to.

    Attributes:
        result: what the application gets.
        asked: whether STS is asked, by the call or because of it.
        window: seconds before the end at which what is held then is refreshed; None: not looked at.
    """

    result: str
    asked: bool
    window: float | None = None

    def __str__(self) -> str:
        """What the page shows."""
        asked = "STS asked" if self.asked else "STS not asked"
        window = "" if self.window is None else f", window {self.window:g} s"
        return f"{self.result}, {asked}{window}"


@dataclass(frozen=True, slots=True)
class Get:
    """The application asks for credentials.

    Attributes:
        answer: what the source says, if it is asked.
        aws: what the specification has there.
        ours: what happens here; None: the same.
        lifetime: seconds, of what the source gives.
    """

    answer: str | None
    aws: Seen
    ours: Seen | None = None
    lifetime: float = 3600.0

    @property
    def here(self) -> Seen:
        """What happens here."""
        return self.ours or self.aws


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Invalidate:
    """A service calls a key expired; `matches` says whether it is the one that is held."""

    matches: bool


Step = Get | Advance | Invalidate


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of the specification's.

    Attributes:
        title: what it is about, as a sentence.
        given: what is held: "valid", "advisory" or "mandatory" (in that window of theirs),
            "expired" or "none".
        steps: what happens.
        why: the reason where ours differs.
    """

    title: str
    given: str
    steps: Sequence[Step]
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether ours does anything else."""
        return any(isinstance(step, Get) and step.here != step.aws for step in self.steps)


_IN_BACKGROUND = (
    "No reader waits while credentials are valid: this one gets those that are held at once, and "
    "the next one the new ones, which a thread of ours fetches meanwhile (usually before any read)."
)
_NEVER_EXPIRED = (
    "Expired credentials are never handed out: every request signed with them fails at the "
    "service, with an error that hides the cause. The reader gets one that says why STS gave none."
)
_BACK_OFF = (
    "With nothing valid, a failure answers for STS for 1 to 15 s, not for 5 to 10 minutes: a pod "
    "recovers with STS. It costs more calls while STS is out."
)
_SERVED_WHILE_VALID = (
    "A refusal while credentials are valid raises nothing: they still work, IAM is often mended "
    "within minutes, and a service that goes on is better than one that stops early. It is "
    "logged as an ERROR, and tried again after at most 60 s."
)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "Valid credentials are served, and nobody is asked.",
        "valid",
        [Get(None, Seen(CACHED, asked=False))],
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
        "A failure with nothing valid answers for STS for 1 s at first, then up to 15 s: else a "
        "thousand readers that start together would each ask. The flight itself made 4 attempts.",
    ),
    Scenario(
        "In the advisory window the source gives expired credentials: a refresh that failed.",
        "advisory",
        [Get(STALE, Seen(CACHED, asked=True))],
    ),
    Scenario(
        "In the mandatory window the source gives expired credentials: a refresh that failed.",
        "mandatory",
        [Get(STALE, Seen(CACHED, asked=True))],
    ),
    Scenario(
        "A lifetime of 10 minutes has a window of 5.",
        "none",
        [Get(FRESH, Seen(NEW, asked=True, window=300), lifetime=600)],
    ),
    Scenario(
        "A lifetime of 20.5 minutes has a window of 15.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=900),
                Seen(NEW, asked=True, window=615),
                lifetime=1230,
            )
        ],
        "The window is half of the lifetime at most: one of 15 minutes in 20.5 would refresh every "
        "5.5 minutes.",
    ),
    Scenario(
        "A lifetime of 6 hours has a window of 60 minutes.",
        "none",
        [Get(FRESH, Seen(NEW, asked=True, window=3600), lifetime=21600)],
    ),
    Scenario(
        "Another lifetime after a refresh has another window.",
        "none",
        [
            Get(FRESH, Seen(NEW, asked=True, window=3600), lifetime=21600),
            Advance(18060),
            Get(
                FRESH,
                Seen(NEW, asked=True, window=300),
                Seen(CACHED, asked=True, window=300),
                lifetime=600,
            ),
        ],
        f"The windows are the same. {_IN_BACKGROUND}",
    ),
    Scenario(
        "A window of 30 minutes that the customer set is used in place of the table's 60.",
        "none",
        [
            Get(
                FRESH,
                Seen(NEW, asked=True, window=1800),
                Seen(NEW, asked=True, window=3600),
                lifetime=21600,
            )
        ],
        "There is no such setting: nobody waits for a refresh, so there is nothing to tune. "
        "`get(min_ttl=...)` is for who needs credentials that last.",
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
            Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=False)),
        ],
        f"{_NEVER_EXPIRED} {_BACK_OFF} Here it has recovered at 60 s.",
    ),
    Scenario(
        "A service rejects a key that is held no more: nothing happens.",
        "valid",
        [
            Invalidate(matches=False),
            Get(None, Seen(CACHED, asked=False)),
        ],
    ),
    Scenario(
        "After a refresh that failed, the source is left alone until the back-off is over.",
        "expired",
        [
            Get(FAILS, Seen(CACHED, asked=True), Seen(NOTHING, asked=True)),
            Advance(300),
            Get(FRESH, Seen(CACHED, asked=False), Seen(NEW, asked=True)),
            Advance(425),
            Get(FRESH, Seen(NEW, asked=True), Seen(CACHED, asked=False)),
        ],
        f"{_NEVER_EXPIRED} {_BACK_OFF} Here it has recovered at 300 s.",
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
