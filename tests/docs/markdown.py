"""The fenced blocks of README.md and of the pages, and what runs them.

A block runs with its page unless an HTML comment right before it says otherwise:

    <!-- not run: it needs a cluster -->
    <!-- saved as app.yaml -->                              a file beside the page's commands
    <!-- app.py runs in tests/frameworks/test_pages.py -->  that test calls `block(page, "app.py")`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "block", "blocks", "commands", "pages"]

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]+) -->\n+)?```(?P<language>[^`\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_NOT_RUN = re.compile(r"not run: \S.+")
_ELSEWHERE = re.compile(r"(?P<name>\S+) runs in (?P<test>tests/\S+\.py)")
_SAVED = re.compile(r"saved as (?P<file>[\w.-]+)")


@dataclass(frozen=True)
class Block:
    """What stands between two fences.

    Attributes:
        page: its path below the root, or below `docs`.
        line: of the first fence, from 1.
        language: after the first fence; a directive's name is in braces.
        text: what is between them.
        note: the HTML comment right before it, which says what becomes of it where it does not
            run with its page.
        follows: whether nothing but blank lines is between it and the block before.
    """

    page: str
    line: int
    language: str
    text: str
    note: str | None
    follows: bool

    def __post_init__(self) -> None:
        known = (_NOT_RUN, _ELSEWHERE, _SAVED)
        if self.note is not None and not any(each.fullmatch(self.note) for each in known):
            raise ValueError(f"{self.page}:{self.line}: {self.note!r} is no note: see {__name__}")

    @property
    def elsewhere(self) -> tuple[str, str] | None:
        """The name by which a test of another file takes it, and that file."""
        found = None if self.note is None else _ELSEWHERE.fullmatch(self.note)
        return None if found is None else (found["name"], found["test"])

    @property
    def saved_as(self) -> str | None:
        """The file as which the commands of its page find it."""
        found = None if self.note is None else _SAVED.fullmatch(self.note)
        return None if found is None else found["file"]


def pages() -> list[str]:
    """Return all pages, as `blocks` takes them."""
    docs = ROOT / "docs"
    return ["README.md", *sorted(f"{page.relative_to(docs)}" for page in docs.rglob("*.md"))]


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    path = ROOT / page if page == "README.md" else ROOT / "docs" / page
    text = path.read_text()
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        start = match.start("language")
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, start) + 1,
                language=match["language"],
                text=match["text"],
                note=match["note"],
                follows=bool(found) and not text[end : match.start()].strip(),
            )
        )
        end = match.end()
    return found


def block(page: str, name: str) -> str:
    """Return the text of the block that a test of another file takes by its name.

    That file must call this with both as they stand in the page: `test_snippets.py` looks for it.
    """
    (found,) = (each for each in blocks(page) if each.elsewhere and each.elsewhere[0] == name)
    return found.text


def commands(console: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with what the page shows as its output."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", part)
        assert command is not None
        found.append((command[0].strip(), part[command.end() :]))
    return found
