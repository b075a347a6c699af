"""Plays a scenario against an engine on a fake clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance import scenarios as spec
from conformance.scenarios import Advance, Get, Invalidate, Scenario, Seen
from irsa_creds import _freshness as fresh
from irsa_creds._errors import IrsaError
from irsa_creds._waiting import acquire
from kit import Rig, failure, high, rig

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["play"]

_LIFETIME = 3600.0
# Seconds of age: in the middle of what AWS's windows of 15 minutes and one make of an hour.
_AGES = {"valid": 1800.0, "advisory": 3000.0, "mandatory": 3570.0, "expired": 3630.0}
_FAILURES = {
    spec.FAILS: failure(),
    spec.REFUSES: failure("AccessDenied", retryable=False, status=403),
}


def play(scenario: Scenario) -> list[Seen]:
    """Return what each call for credentials comes to."""
    # Refreshes as late as they may be: what is valid for AWS's rules is not due for chance.
    here = rig(draw=high, ceiling=12 * _LIFETIME)
    if scenario.given != "none":
        here.warm()
        here.clock.advance(_AGES[scenario.given])
    return list(_steps(here, scenario))


def _steps(here: Rig, scenario: Scenario) -> Iterator[Seen]:
    calls = here.sts.calls
    for step in scenario.steps:
        match step:
            case Advance():
                here.clock.advance(step.seconds)
            case Invalidate():
                _reject(here, step)
            case Get():
                yield _get(here, step, calls)
                calls = here.sts.calls


def _reject(here: Rig, step: Invalidate) -> None:
    held = here.engine.snapshot.credentials.access_key_id
    # What this begins is answered with what the next step says.
    here.sts.hold.clear()
    here.engine.distrust(held if step.matches else "ASIA-ANOTHER")
    if here.flight is None:
        here.sts.hold.set()


def _get(here: Rig, step: Get, calls: int) -> Seen:
    sts, before = here.sts, here.engine.snapshot.credentials.access_key_id
    sts.down = _FAILURES.get(step.answer or "")
    sts.lifetime = -1.0 if step.answer == spec.STALE else step.lifetime
    try:
        found = acquire(here.engine)
    except IrsaError as error:
        refused = error.failure is not None and not error.failure.retryable
        result = spec.REFUSED if refused else spec.NOTHING
    else:
        result = spec.CACHED if found.credentials.access_key_id == before else spec.NEW
    here.finish()
    return Seen(result, sts.calls > calls, _window(here) if step.here.window else None)


def _window(here: Rig) -> float:
    """Return how long before the end of what is held now is refreshed, whatever chance adds."""
    return fresh.refresh_window(here.engine.snapshot.lifetime)
