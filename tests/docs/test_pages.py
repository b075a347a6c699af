"""How the pages are built: what stands around the text, and what becomes of tables and output."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from docs.markdown import ROOT
from irsa_creds import __version__

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://git.example.com/team/irsa-creds"
CONSOLE = """\
```console
irsa-creds doctor
```
"""
OUTPUT = """\
```text
{}
```
"""
TABLE = """\
| code | it means | what to do |
|---|---|---|
| `AccessDenied` | the policy is wrong | correct the policy |
| `Throttling` | | wait for some minutes |
"""
TWO_COLUMNS = """\
| setting | effect |
|---|---|
| `A` | the first of two effects |
"""
NUMBERS = """\
| failures | 1 | 2 |
|---|---|---|
| pause | 1 | 2 |
"""
QUOTE = """\
An example:

> provider()
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with the configuration of the pages, and no page."""
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in "_static", "_templates":
        shutil.copytree(ROOT / "docs" / folder, docs / folder)
    return docs


def built(source: Path, text: str) -> str:
    (source / "index.md").write_text(f"# Title\n\n{text}")
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", source, source / "out"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return (source / "out" / "index.html").read_text()


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_a_page_names_the_version_and_links_to_the_address_if_there_is_one(
    source: Path, address: str
) -> None:
    settings = source.parent / "pyproject.toml"
    text, count = re.subn(
        '(?m)^repository = ".*"$', f'repository = "{address}"', settings.read_text()
    )
    assert count == 1
    settings.write_text(text)

    page = built(source, "Text.\n")

    assert f"irsa-creds {__version__}" in words(page)
    assert ("Source code" in page) == (f'href="{ADDRESS}"' in page) == bool(address)


def test_code_has_a_copy_button_and_output_has_none(source: Path) -> None:
    page = built(source, CONSOLE + OUTPUT.format("a line"))
    script = (source / "out" / "_static" / "copybutton.js").read_text()

    assert 'src="_static/copybutton.js' in page
    assert "div[class*=highlight-]:not(.highlight-text) pre" in script
    assert 'class="highlight-console' in page
    assert 'class="highlight-text' in page


def test_output_is_wrapped_only_if_no_terminal_has_its_lines(source: Path) -> None:
    fits, long = OUTPUT.format("x" * 120), OUTPUT.format("y" * 121)

    page = built(source, f"{fits}\n{long}")

    assert re.findall(r'<div class="([^"]*)highlight-text.*?<span class="line[^>]*>(.)', page) == [
        ("", "x"),
        ("long-lines ", "y"),
    ]


def test_a_wrapped_line_of_output_continues_below_its_text(source: Path) -> None:
    begins = {
        "STS denied the call": 0,
        "P04 error   Statement 1 requires  sub": 12,
        "  E01  fail     neither is set": 16,
        '    "Effect": "Allow"': 4,
        "  advice:  a < b": 11,
        "  command: aws iam get-role": 11,
    }

    page = built(source, OUTPUT.format("\n".join(begins)))

    lines = re.findall(r'<span class="line" style="--column: (\d+)ch">([^\n]*)', page)
    assert {html.unescape(line): int(column) for column, line in lines} == begins


def test_the_cells_of_a_row_can_be_stacked_in_a_narrow_window(source: Path) -> None:
    page = built(source, TABLE)

    first, second = re.findall(r"(?s)<tr.*?</tr>", page)[1:]
    assert '<table class="stacked' in page.replace("docutils align-default ", "")
    label = '<span class="label">{}</span>'
    assert label.format("it means") + "the policy is wrong" in first
    assert label.format("what to do") + "correct the policy" in first
    assert re.findall('class="label">([^<]*)', second) == ["what to do"]


@pytest.mark.parametrize(("text", "stacked"), [(TWO_COLUMNS, True), (NUMBERS, False)])
def test_two_columns_need_no_labels_and_numbers_stay_a_grid(
    source: Path, text: str, *, stacked: bool
) -> None:
    page = built(source, text)

    assert ("stacked" in page) == stacked
    assert 'class="label"' not in page


@pytest.mark.parametrize(("picture", "frames"), [("doctor", 1), ("explain", 1), ("states", 0)])
def test_a_picture_of_a_terminal_can_scroll(source: Path, picture: str, frames: int) -> None:
    page = built(source, f":::{{image}} _static/{picture}.svg\n:width: 100%\n:::\n")

    assert f"{picture}.svg" in page
    assert page.count('class="terminal') == frames


def test_an_indented_block_that_is_not_code_fails_the_build(source: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        built(source, QUOTE)
    assert b"Not a code block" in failed.value.stderr
