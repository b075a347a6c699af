"""Text of docs/development/conformance.md below its introduction; docs/conf.py adds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.scenarios import REASONS, SCENARIOS

if TYPE_CHECKING:
    from conformance.steps import Scenario

__all__ = ["BACK_OFF", "results"]

#: Seconds of the first back-off while credentials are valid.
BACK_OFF = 1.0, 2.0
_HEAD = """\
{same} are the same, but for a back-off that is shorter: {low:g} to {high:g} s at first.
{different} differ on purpose, for these reasons:

{reasons}
The advisory and the mandatory window are AWS's: 15 minutes and 1 minute before the end of
credentials that last an hour. [How it works](../how-it-works.md#refresh-times) has the times of
irsa-creds.

| scenario | reasons |
|---|---|
"""


def results() -> str:
    """Return how many scenarios differ, the reasons, and the table of all scenarios."""
    different = sum(each.differs for each in SCENARIOS)
    low, high = BACK_OFF
    head = _HEAD.format(
        same=len(SCENARIOS) - different,
        different=different,
        reasons="".join(f"- **{name}**: {text}\n" for name, text in REASONS.items()),
        low=low,
        high=high,
    )
    return head + "".join(_row(*each) for each in enumerate(SCENARIOS, 1))


def _row(number: int, scenario: Scenario) -> str:
    why = ", ".join(scenario.why) or "the same"
    return f"| {number}: {scenario.title.rstrip('.')} | {why} |\n"
