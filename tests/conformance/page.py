"""Makes docs/conformance.md of the table: `python -m conformance.page`, with tests/ on the path."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.scenarios import SCENARIOS, Advance, Get, Invalidate, Scenario

if TYPE_CHECKING:
    from conformance.scenarios import Step

__all__ = ["PATH", "page"]

PATH = Path(__file__).parent.parent.parent / "docs" / "conformance.md"
_WIDTH = 100
_HEAD = """\
# Beside AWS's refresh specification

AWS is preparing common refresh rules for its SDKs. They come with scenarios, 24 in number:
botocore's branch `feature/credential-refresh` has them as `credential-refresh-tests.json` beside
its unit tests, and smithy-rs in its `aws-runtime` (23 of them, in the state of August 2026). A test
plays each against this library on a fake clock. This page is made from the same table, and a test
compares the two.

{same} are the same, {different} differ on purpose. The reasons:

- **No reader waits while credentials are valid.** By AWS's rules the read that meets a refresh
  waits.
- **Expired credentials are never handed out.** AWS's rules go on serving them.
- **A failure with nothing valid counts for seconds**, not for 5 to 10 minutes. A pod recovers with
  STS, and asks it more often while it is out.
- **A refusal raises nothing while credentials are valid.** AWS's rules raise it at once.
- **The refresh window is half of the lifetime at most**, and there is no setting for it.

In the tables "asked" is whether STS is asked by that call or because of it, in the background. The
advisory and the mandatory window are AWS's: 15 minutes and one before the end, where credentials
last an hour.

| | scenario | here |
|---|---|---|
"""
_GIVEN = {
    "none": "nothing is held",
    "valid": "what is held is valid",
    "advisory": "what is held is in the advisory window",
    "mandatory": "what is held is in the mandatory window",
    "expired": "what is held has expired",
}


def page() -> str:
    """Return the page."""
    different = sum(scenario.differs for scenario in SCENARIOS)
    text = _HEAD.format(same=len(SCENARIOS) - different, different=different)
    for number, scenario in enumerate(SCENARIOS, 1):
        here = "**differs**" if scenario.differs else "the same"
        text += f"| {number} | {scenario.title} | {here} |\n"
    for number, scenario in enumerate(SCENARIOS, 1):
        if scenario.differs:
            text += _section(number, scenario)
    return text


def _section(number: int, scenario: Scenario) -> str:
    rows = "".join(_row(step) for step in scenario.steps)
    return f"""
## {number}. {scenario.title.rstrip(".")}

At first {_GIVEN[scenario.given]}.

| step | AWS's rules | here |
|---|---|---|
{rows}
{textwrap.fill(scenario.why, _WIDTH)}
"""


def _row(step: Step) -> str:
    match step:
        case Advance():
            return f"| {step.seconds:g} s pass | | |\n"
        case Invalidate():
            which = "the key that is held" if step.matches else "another key"
            return f"| a service rejects {which} | | |\n"
        case Get():
            answer = f" (STS, if asked: {step.answer})" if step.answer else ""
            mark = "**" if step.here != step.aws else ""
            return f"| a read{answer} | {step.aws} | {mark}{step.here}{mark} |\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
