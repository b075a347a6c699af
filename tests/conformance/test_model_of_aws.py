"""The benchmarks' model of AWS's planned rules follows the scenarios."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from benchmarks._planned_rules import ERROR_LASTS, PlannedCredentials
from conformance import steps as spec
from conformance.scenarios import SCENARIOS
from conformance.steps import Advance, Get, Invalidate, Scenario, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds of the lifetime that are left.
_LEFT = {"valid": 1200.0, "advisory": 240.0, "mandatory": 30.0, "expired": -30.0}
_LIFETIME = 3600.0
# The model has no setting for the window.
_UNSET = "set by the customer"


class Source:
    """A scripted source of credentials with a fake clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 8, 1, tzinfo=UTC)
        self.response: str | None = spec.FRESH
        self.lifetime = _LIFETIME
        self.calls = 0

    def wall(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def uniform(self, low: float, high: float) -> float:
        return high if (low, high) == ERROR_LASTS else 420.0

    def __call__(self) -> dict[str, Any]:
        self.calls += 1
        if self.response == spec.FAILS:
            raise OSError("no route")
        if self.response == spec.DENIES:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRoleWithWebIdentity")
        lasts = 0.0 if self.response == spec.STALE else self.lifetime
        return {
            "access_key": f"key-{self.calls}",
            "secret_key": "secret",
            "token": "session",
            "expiry_time": (self.now + timedelta(seconds=lasts)).isoformat(),
        }


def play(scenario: Scenario) -> Iterator[Seen]:
    source = Source()
    credentials = PlannedCredentials(source, uniform=source.uniform, wall=source.wall)
    key = ""
    if scenario.given != "none":
        key = credentials.get_frozen_credentials().access_key
        source.advance(_LIFETIME - _LEFT[scenario.given])
    for step in scenario.steps:
        match step:
            case Advance():
                source.advance(step.seconds)
            case Invalidate():
                credentials.invalidate(key if step.matches else "another")
            case Get():
                source.response, source.lifetime = step.response, step.lifetime
                calls = source.calls
                try:
                    found = credentials.get_frozen_credentials().access_key
                except ClientError:
                    result = spec.DENIED
                except OSError:
                    result = spec.NOTHING
                else:
                    result = spec.CACHED if found == key else spec.NEW
                    key = found
                window = credentials._window if step.aws.window else None
                yield Seen(result, source.calls > calls, window)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_the_model_follows_the_specification(scenario: Scenario) -> None:
    expected = [step.aws for step in scenario.steps if isinstance(step, Get)]
    if _UNSET in scenario.title:
        assert [seen.window for seen in play(scenario)] == [3600]
    else:
        assert list(play(scenario)) == expected


def test_an_hours_windows_shrink_in_proportion_if_credentials_last_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PlannedCredentials, "scale", 1 / 100)
    source = Source()
    source.lifetime = 36.0
    credentials = PlannedCredentials(source, uniform=source.uniform, wall=source.wall)
    credentials.get_frozen_credentials()
    source.response = spec.FAILS
    source.advance(26)
    credentials.get_frozen_credentials()
    assert source.calls == 1
    source.advance(2)
    credentials.get_frozen_credentials()
    source.advance(4.1)
    credentials.get_frozen_credentials()
    assert source.calls == 2, "the back-off lasts for 4.2 s"
    source.advance(0.2)
    credentials.get_frozen_credentials()
    assert source.calls == 3
