"""The page "Check a trust policy" in a tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from browser.chromium import Tab

__all__ = ["CheckPage"]

_LOADED = """
const state = document.getElementById("state");
const loads = () => state.textContent === "Python is loading";
const wait = (done) => loads() ? setTimeout(wait, 5, done) : done();
await new Promise(wait);
return state.textContent;
"""
_CHECK = """
for (const [id, value] of Object.entries(given[0])) {
  const field = document.getElementById(id);
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
document.querySelector("#check [type=submit]").click();
const text = (from, query) => from.querySelector(query)?.textContent ?? null;
const result = document.getElementById("result");
return {
  summary: text(result, ".verdict h2"),
  error: text(result, ".verdict p"),
  tone: result.querySelector(".verdict").className.replace("verdict ", ""),
  notes: [...result.querySelectorAll(".note")].map((note) => note.textContent),
  findings: [...result.querySelectorAll(".finding")].map((found) => ({
    id: text(found, ".label a"),
    severity: text(found, ".label").split(" ")[1],
    message: text(found, ".label + p"),
    fix: text(found, "pre") ?? "",
  })),
  marked: [...result.querySelectorAll(".policy mark")].map((line) => line.textContent).join(""),
  fixed: text(result, ".fixed pre"),
};
"""


class CheckPage:
    """What a reader does on the page, and sees.

    Attributes:
        tab: with the page.
        address: of the page.
    """

    def __init__(self, tab: Tab, site: str) -> None:
        self.tab = tab
        self.address = f"{site}/check-trust-policy.html"

    def open(self) -> str:
        """Load the page; return what stands beside its buttons when Python is there."""
        self.tab.open(self.address)
        state: str = self.tab.run(_LOADED)
        return state

    def check(self, policy: str, identity: str, **fields: str) -> dict[str, Any]:
        """Fill in the form, press the button, and return what the result says."""
        values = {"policy": policy, "identity": identity, **fields}
        shown: dict[str, Any] = self.tab.run(_CHECK, values)
        return shown
