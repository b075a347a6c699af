"""Makes docs/conformance.md of the table: `python -m conformance.page`, with tests/ on the path."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.scenarios import SCENARIOS
from conformance.steps import Advance, Get, Invalidate

if TYPE_CHECKING:
    from conformance.steps import Scenario, Step

__all__ = ["BACK_OFF", "PATH", "page"]

PATH = Path(__file__).parent.parent.parent / "docs" / "conformance.md"
#: Seconds of the first back-off while credentials are valid.
BACK_OFF = 1.0, 2.0
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
- **Refreshes are spread over the life of credentials.** By AWS's rules all wait for the window, and
  pods that start together ask together from then on.
- **A back-off lasts for seconds**, not for 5 to 10 minutes: while credentials are valid {low:g} to
  {high:g} s at first, up to 2 minutes later, and a third of what is left at most; with nothing
  valid 1 to 2 s at first, up to 20 s later. A pod recovers with STS, and calls it more often during
  an outage.
- **A refusal raises nothing while credentials are valid.** AWS's rules raise it at once.
- **The refresh window is half of the lifetime at most**, before chance, and there is no setting for
  it.

In the tables "asked" is whether STS is asked by that call or because of it, in the background. The
advisory and the mandatory window are AWS's: 15 minutes and one before the end, where credentials
last an hour. Each is played with refreshes as late and as early as chance can have them, and with
draws in between. "Window" is how long before their end credentials are refreshed.

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
    low, high = BACK_OFF
    same = len(SCENARIOS) - different
    text = _HEAD.format(same=same, different=different, low=low, high=high)
    for number, scenario in enumerate(SCENARIOS, 1):
        here = "**differs**" if scenario.differs else "the same"
        if scenario.backs_off:
            here += f", but for the back-off's length: {low:g} to {high:g} s"
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
            mark = "**" if step.differs else ""
            return f"| a read{answer} | {step.aws} | {mark}{_here(step)}{mark} |\n"


def _here(step: Get) -> str:
    late, early = step.here, step.here_early
    if late == early:
        return str(late)
    if late.window is not None:
        return f"{late} to {early.window:g} s, by chance"
    return f"{late}; with an early refresh: {early}"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
