"""Write docs/development/conformance.md: `python -m conformance.page`, with tests/ on the path."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.scenarios import REASONS, SCENARIOS

if TYPE_CHECKING:
    from conformance.steps import Scenario

__all__ = ["BACK_OFF", "PATH", "page"]

PATH = Path(__file__).parent.parent.parent / "docs" / "development" / "conformance.md"
#: Seconds of the first back-off while credentials are valid.
BACK_OFF = 1.0, 2.0
_WIDTH = 100
_HEAD = """\
# AWS's planned SDK refresh rules, scenario by scenario

This page compares irsa-creds with the refresh rules that AWS plans for its SDKs. AWS has 24
scenarios for them: `credential-refresh-tests.json` in botocore's branch
`feature/credential-refresh`, and 23 of them in smithy-rs (August 2026). A test plays each one
against irsa-creds on a fake clock. The steps, with the results of both sides, are in
`tests/conformance/scenarios.py`.

{same} are the same, but for a back-off that is shorter: {low:g} to {high:g} s at first.
{different} differ on purpose, for these reasons:

{reasons}
The advisory and the mandatory window are AWS's: 15 minutes and 1 minute before the end of
credentials that last an hour. [How it works](../how-it-works.md#refresh-times) has the times of
irsa-creds.

| scenario | reasons |
|---|---|
"""


def page() -> str:
    """Return the page."""
    different = sum(each.differs for each in SCENARIOS)
    low, high = BACK_OFF
    items = (f"**{name}**: {text}" for name, text in REASONS.items())
    head = _HEAD.format(
        same=len(SCENARIOS) - different,
        different=different,
        reasons="".join(
            textwrap.fill(item, _WIDTH, initial_indent="- ", subsequent_indent="  ") + "\n"
            for item in items
        ),
        low=low,
        high=high,
    )
    return head + "".join(_row(*each) for each in enumerate(SCENARIOS, 1))


def _row(number: int, scenario: Scenario) -> str:
    why = ", ".join(scenario.why) or "the same"
    return f"| {number}: {scenario.title.rstrip('.')} | {why} |\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
