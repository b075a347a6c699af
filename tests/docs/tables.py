"""The tables of the pages, for tests that compare them with the code."""

from __future__ import annotations

import re

from docs.markdown import ROOT

__all__ = ["DOCS", "named", "page", "rows", "section"]

DOCS = ROOT / "docs"


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """Return what is below a heading of the second level, up to the next one."""
    found = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[1]


def rows(text: str, begins: str = "") -> list[list[str]]:
    """Return the rows of all tables in a text, or of the one whose head begins so."""
    tables = re.findall(r"((?:^\|.*\n)+)", text + "\n", re.MULTILINE)
    found: list[list[str]] = []
    for table in tables:
        head, _, *lines = table.splitlines()
        if head.startswith(begins):
            found += [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    assert found, begins
    return found


def named(text: str) -> set[str]:
    """Return all that stands between backticks."""
    return set(re.findall(r"`([^`]+)`", text))
