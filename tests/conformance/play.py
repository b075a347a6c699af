"""Play a scenario against an engine on a fake clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance import steps as spec
from conformance.steps import Advance, Get, Invalidate, Scenario, Seen
from engine_fakes import Rig, failure, rig
from irsa_creds._engine.waiting import acquire
from irsa_creds._errors import IrsaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds._engine.timing import Uniform

__all__ = ["earliest", "latest", "pause_after", "play"]

_LIFETIME = 3600.0
# Ages in seconds of credentials that last an hour, each in the middle of one of AWS's windows.
_AGES = {"valid": 1800.0, "advisory": 3000.0, "mandatory": 3570.0, "expired": 3630.0}
_FAILURES = {
    spec.FAILS: failure(),
    spec.DENIES: failure("AccessDenied", retryable=False, status=403),
}


def latest(low: float, high: float) -> float:
    """Return the value for the latest refresh: the highest age, or else no time earlier."""
    return high if low else low


def earliest(low: float, high: float) -> float:
    """Return the value for the earliest refresh."""
    return low or high


def play(scenario: Scenario, uniform: Uniform) -> list[Seen]:
    """Return the result of each call for credentials."""
    return list(_steps(_rig(scenario, uniform), scenario))


def pause_after(scenario: Scenario, uniform: Uniform) -> float:
    """Return the seconds after the scenario until the next STS call, in steps of 0.1 s."""
    here = _rig(scenario, uniform)
    list(_steps(here, scenario))
    calls, tenths = here.sts.calls, 0
    while here.sts.calls == calls:
        here.clock.advance(0.1)
        tenths += 1
        acquire(here.engine)
        here.finish()
    return tenths / 10


def _rig(scenario: Scenario, uniform: Uniform) -> Rig:
    here = rig(uniform=uniform, ceiling=12 * _LIFETIME)
    if scenario.given != "none":
        here.warm()
        here.clock.advance(_AGES[scenario.given])
    return here


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
    current = here.engine.snapshot.credentials.access_key_id
    # The refresh that this starts gets the response of the next step.
    here.sts.hold.clear()
    here.engine.mark_stale(current if step.matches else "ASIA-ANOTHER")
    if here.refresh is None:
        here.sts.hold.set()


def _get(here: Rig, step: Get, calls: int) -> Seen:
    sts, before = here.sts, here.engine.snapshot.credentials.access_key_id
    sts.down = _FAILURES.get(step.response or "")
    sts.lifetime = -1.0 if step.response == spec.STALE else step.lifetime
    try:
        found = acquire(here.engine)
    except IrsaError as error:
        denied = error.failure is not None and not error.failure.retryable
        result = spec.DENIED if denied else spec.NOTHING
    else:
        result = spec.CACHED if found.credentials.access_key_id == before else spec.NEW
    here.finish()
    return Seen(result, sts.calls > calls, _window(here) if step.aws.window else None)


def _window(here: Rig) -> float:
    """Return how many seconds before their end the current credentials are refreshed."""
    snapshot = here.engine.snapshot
    return round(snapshot.expires_at - snapshot.refresh_at, 6)
