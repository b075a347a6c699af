from __future__ import annotations

import pytest

from conformance.page import PATH, page
from conformance.play import play
from conformance.scenarios import SCENARIOS, Get, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_ours_does_what_the_table_says(scenario: Scenario) -> None:
    assert play(scenario) == [step.here for step in scenario.steps if isinstance(step, Get)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_a_reason_stands_where_ours_differs_and_nowhere_else(scenario: Scenario) -> None:
    assert bool(scenario.why) == scenario.differs


def test_all_of_the_specifications_scenarios_are_there() -> None:
    assert len({scenario.title for scenario in SCENARIOS}) == 24


def test_the_page_of_the_docs_is_that_of_the_table() -> None:
    remedy = "PYTHONPATH=tests python -m conformance.page"
    assert PATH.read_text(encoding="utf-8") == page(), f"make it anew: {remedy}"
