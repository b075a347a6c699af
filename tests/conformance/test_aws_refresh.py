from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest

from conformance.page import BACK_OFF, results
from conformance.play import earliest, latest, pause_after, play
from conformance.scenarios import SCENARIOS
from conformance.steps import Get, Scenario
from engine_fakes import high, low


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_irsa_creds_does_what_the_table_says(scenario: Scenario) -> None:
    gets = [step for step in scenario.steps if isinstance(step, Get)]
    assert play(scenario, latest) == [step.here for step in gets]
    assert play(scenario, earliest) == [step.here_early for step in gets]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_any_random_time_lies_between_latest_and_earliest(scenario: Scenario) -> None:
    gets = [step for step in scenario.steps if isinstance(step, Get)]
    for seed in range(8):
        for step, seen in zip(gets, play(scenario, Random(seed).uniform), strict=True):
            assert replace(seen, window=None) in {
                replace(each, window=None) for each in (step.here, step.here_early)
            }
            windows = step.here.window, seen.window, step.here_early.window
            known = [window for window in windows if window is not None]
            assert known == sorted(known)
            assert len(known) in {0, len(windows)}


@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if scenario.backs_off],
    ids=lambda scenario: scenario.title,
)
def test_a_back_off_is_as_long_as_the_page_says(scenario: Scenario) -> None:
    pauses = [pause_after(scenario, uniform) for uniform in (low, high)]
    assert pauses == pytest.approx(BACK_OFF, abs=0.11)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_a_reason_stands_exactly_where_irsa_creds_differs(scenario: Scenario) -> None:
    assert bool(scenario.why) == scenario.differs


def test_all_scenarios_of_the_specification_are_there() -> None:
    assert len({scenario.title for scenario in SCENARIOS}) == 24


def test_the_page_has_a_row_for_every_scenario_and_every_reason_in_a_list() -> None:
    rows = re.findall(r"(?m)^\| (\d+): .* \| (.+) \|$", results())
    reasons = re.findall(r"(?m)^- \*\*([\w-]+)\*\*: ", results())
    assert [int(number) for number, _ in rows] == list(range(1, 25))
    assert {each for _, why in rows for each in why.split(", ")} == {"the same", *reasons}
