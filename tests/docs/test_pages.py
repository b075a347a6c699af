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


BEGINS = {
    "STS denied the call": 0,
    "P04 error   Statement 1 requires  sub": 12,
    "  E01  fail     neither is set": 16,
    '    "Effect": "Allow"': 4,
    "  advice:  a < b": 11,
    "  command: aws iam get-role": 11,
}
HYPHENS = """\
Use `irsa-creds exec --all` or `add-client-id-to-open-id-connect-provider`.
"""
PAGES = {
    "hyphens": HYPHENS,
    "code": CONSOLE + OUTPUT.format("a line"),
    "lines": f"{OUTPUT.format('x' * 120)}\n{OUTPUT.format('y' * 121)}",
    "columns": OUTPUT.format("\n".join(BEGINS)),
    "table": TABLE,
    "two-columns": TWO_COLUMNS,
    "numbers": NUMBERS,
    **{
        name: f":::{{image}} _static/{name}.svg\n:width: 100%\n:::\n"
        for name in ("doctor", "explain", "states")
    },
}


def project(folder: Path) -> Path:
    """Return a folder with the configuration of the pages, and no page."""
    docs = folder / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for each in "_static", "_templates", "check":
        shutil.copytree(ROOT / "docs" / each, docs / each)
    return docs


def build(source: Path, **pages: str) -> Path:
    """Return the folder of the built pages."""
    for name, text in pages.items():
        (source / f"{name}.md").write_text(f"---\norphan: true\n---\n\n# Title\n\n{text}")
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", source, source / "out"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return source / "out"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all pages, built without an address."""
    return build(project(tmp_path_factory.mktemp("pages")), index="Text.\n", **PAGES)


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def names_version_and_address(page: str, address: str) -> bool:
    assert f"irsa-creds {__version__}" in words(page)
    return ("Source code" in page) == (f'href="{ADDRESS}"' in page) == bool(address)


def test_a_page_names_the_version(out: Path) -> None:
    assert names_version_and_address((out / "index.html").read_text(), "")


def test_a_page_links_to_the_address_if_there_is_one(tmp_path: Path) -> None:
    source = project(tmp_path)
    settings = tmp_path / "pyproject.toml"
    text, count = re.subn(
        '(?m)^repository = ".*"$', f'repository = "{ADDRESS}"', settings.read_text()
    )
    assert count == 1
    settings.write_text(text)

    page = (build(source, index="Text.\n") / "index.html").read_text()

    assert names_version_and_address(page, ADDRESS)


def test_code_has_a_copy_button_and_output_has_none(out: Path) -> None:
    page = (out / "code.html").read_text()
    script = (out / "_static" / "copybutton.js").read_text()

    assert 'src="_static/copybutton.js' in page
    assert "div[class*=highlight-]:not(.highlight-text) pre" in script
    assert 'class="highlight-console' in page
    assert 'class="highlight-text' in page


def test_output_is_wrapped_only_if_no_terminal_has_its_lines(out: Path) -> None:
    page = (out / "lines.html").read_text()

    assert re.findall(r'<div class="([^"]*)highlight-text.*?<span class="line[^>]*>(.)', page) == [
        ("", "x"),
        ("long-lines ", "y"),
    ]


def test_a_wrapped_line_of_output_continues_below_its_text(out: Path) -> None:
    page = (out / "columns.html").read_text()

    lines = re.findall(r'<span class="line" style="--column: (\d+)ch">([^\n]*)', page)
    assert {html.unescape(line): int(column) for column, line in lines} == BEGINS


def test_the_cells_of_a_row_can_be_stacked_in_a_narrow_window(out: Path) -> None:
    page = (out / "table.html").read_text()

    first, second = re.findall(r"(?s)<tr.*?</tr>", page)[1:]
    assert '<table class="stacked' in page.replace("docutils align-default ", "")
    label = '<span class="label">{}</span>'
    assert label.format("it means") + "the policy is wrong" in first
    assert label.format("what to do") + "correct the policy" in first
    assert re.findall('class="label">([^<]*)', second) == ["what to do"]


@pytest.mark.parametrize(("name", "stacked"), [("two-columns", True), ("numbers", False)])
def test_two_columns_need_no_labels_and_numbers_stay_a_grid(
    out: Path, name: str, *, stacked: bool
) -> None:
    page = (out / f"{name}.html").read_text()

    assert ("stacked" in page) == stacked
    assert 'class="label"' not in page


def test_a_short_word_of_code_is_not_broken_at_a_hyphen(out: Path) -> None:
    page = (out / "hyphens.html").read_text()

    words = re.findall(r'<span class="pre( whole)?">([^<]*)', page)
    assert {word: bool(whole) for whole, word in words} == {
        "irsa-creds": True,
        "exec": False,
        "--all": True,
        "add-client-id-to-open-id-connect-provider": False,
    }


@pytest.mark.parametrize(("picture", "frames"), [("doctor", 1), ("explain", 1), ("states", 0)])
def test_a_picture_of_a_terminal_can_scroll(out: Path, picture: str, frames: int) -> None:
    page = (out / f"{picture}.html").read_text()

    assert f"{picture}.svg" in page
    assert page.count('class="terminal') == frames


def test_an_indented_block_that_is_not_code_fails_the_build(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build(project(tmp_path), index=QUOTE)
    assert b"Not a code block" in failed.value.stderr
