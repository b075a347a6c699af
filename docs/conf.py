"""Sphinx's settings for `make docs`; every warning is an error."""

from __future__ import annotations

import re
import sys
import tomllib
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging

from irsa_creds import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_LOG = logging.getLogger(__name__)

_SETTINGS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
_REPOSITORY = _SETTINGS["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]

project = "irsa-creds"
author = "the irsa-creds contributors"
project_copyright = f"%Y, {author}"
version = release = __version__

sys.path.append(str(Path(__file__).parent / "check"))
extensions = [
    "check_page",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"irsa-creds {release}"
html_context = {"repository": _REPOSITORY}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        *(["source.html"] if _REPOSITORY else []),
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_static_path = ["_static", "check/static"]
html_css_files = ["irsa-creds.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_theme_options = {"top_of_page_buttons": []}

# In docstrings a single backtick marks code, as it does in Markdown.
default_role = "code"

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_use_ivar = True
napoleon_use_rtype = False
# The copy button takes commands and code, without prompts and output.
copybutton_selector = "div[class*=highlight-]:not(.highlight-text) pre"
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
# Without a network, only links to this machine can be checked.
linkcheck_ignore = [r"https?://(?!127\.0\.0\.1|localhost)"]

# A check's id in prose becomes a link to its row. The sources have the bare ids, because they are
# also read on a terminal.
_ID = r"[AEFTRCVMNSP]\d\d"
_LINKED = {
    "howto/ci-systems",
    "howto/migration",
    "howto/pod-identity",
    "reference/command-line",
    "threat-model",
    "troubleshooting",
    "tutorial",
}
_CODE = r"(?ms)^```.*?^```$|`[^`\n]*`|\]\([^)]*\)"


def _link_checks(_: Sphinx, page: str, source: list[str]) -> None:
    if page == "reference/checks":
        source[0] = re.sub(rf"(?m)^\| ({_ID}) \|", r"| [\1]{#\1} |", source[0])
    elif page in _LINKED:
        source[0] = re.sub(rf"{_CODE}|\b{_ID}\b", _linked, source[0])


def _linked(found: re.Match[str]) -> str:
    return f"[{found[0]}](#{found[0]})" if re.fullmatch(_ID, found[0]) else found[0]


def _add_scenarios(_: Sphinx, page: str, source: list[str]) -> None:
    if page == "development/conformance":
        sys.path.append(str(Path(__file__).parents[1] / "tests"))
        from conformance.page import results  # noqa: PLC0415 - only a checkout has the tests

        source[0] += "\n" + results()


# Defaults by their `repr`, and as a caller writes them. The source has private names for them.
_DEFAULTS = {"<built-in function time>": "time.time", "mode=420": "mode=0o644"}


def _write_defaults(*event: Any) -> tuple[str | None, str | None]:
    *_, signature, returned = event
    for shown, written in _DEFAULTS.items():
        signature = signature and signature.replace(shown, written)
    return signature, returned


def _report_quotes(_: Sphinx, page: nodes.document) -> None:
    """Warn of an indented block of a docstring that reStructuredText joins into one sentence."""
    for each in page.findall(nodes.block_quote):
        _LOG.warning("Not a code block: the line before it must end with `::`", location=each)


# Characters of a terminal's line, of a cell with a number, and of a word that is not broken.
_COLUMNS, _NARROW, _SHORT = 120, 12, 30
_TERMINALS = {"doctor", "explain"}


def _wrap_long_lines(_: Sphinx, page: nodes.document) -> None:
    for each in page.findall(nodes.literal_block):
        if max(map(len, each.astext().splitlines()), default=0) > _COLUMNS:
            each["classes"].append("long-lines")


_OUTPUT = r'(?s)(<div class="[^"]*\bhighlight-text\b[^>]*>.*?<pre><span></span>)(.*?)(?=</pre>)'
# Labels such as `P04 error   ` and `command: `; a line continues below the text after them.
_LABELS = re.compile(r"(?:\s*\S.{0,24}  |\s*\w+: )?\s*")


def _indent_wrapped_lines(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _: nodes.document | None
) -> None:
    context["body"] = re.sub(
        _OUTPUT,
        lambda found: found[1] + "".join(map(_line, found[2].splitlines())),
        context.get("body", ""),
    )


def _keep_words_whole(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _: nodes.document | None
) -> None:
    words = rf'<span class="pre">(?=[^<]*-)(?=(?:[^<&]|&\w+;){{1,{_SHORT}}}<)'
    context["body"] = re.sub(words, '<span class="pre whole">', context.get("body", ""))


def _line(html: str) -> str:
    label = _LABELS.match(unescape(html))
    column = label.end() if label else 0
    return f'<span class="line" style="--column: {column}ch">{html}\n</span>'


def _label_cells(app: Sphinx, page: nodes.document, _: str) -> None:
    """Put each column's heading into its cells: a narrow window stacks the cells of a row."""
    if app.builder.format != "html":
        return
    for table in page.findall(nodes.table):
        heading, *body = table.findall(nodes.row)
        labels = [cell.astext() for cell in heading][1:]
        cells = [cell for row in body for cell in zip(labels, row[1:], strict=True)]
        # A grid of numbers stays one, and scrolls.
        if max(len(cell.astext()) for _, cell in cells) <= _NARROW:
            continue
        table["classes"].append("stacked")
        for label, cell in cells:
            # With one other column, the title is enough.
            if len(labels) > 1 and cell.astext():
                cell[0].insert(0, nodes.inline("", label, classes=["label"]))


def _frame_terminals(_: Sphinx, page: nodes.document, __: str) -> None:
    """Let a picture of a terminal scroll in a narrow window, where its text would be too small."""
    for picture in list(page.findall(nodes.image)):
        if Path(picture["uri"]).stem in _TERMINALS:
            frame = nodes.container("", picture.copy(), classes=["terminal"])
            picture.replace_self(frame)


def setup(app: Sphinx) -> None:
    """Register the hooks of this file; Sphinx calls this."""
    app.connect("source-read", _add_scenarios)
    app.connect("source-read", _link_checks)
    app.connect("autodoc-process-signature", _write_defaults)
    app.connect("doctree-read", _report_quotes)
    app.connect("doctree-read", _wrap_long_lines)
    app.connect("doctree-resolved", _label_cells)
    app.connect("doctree-resolved", _frame_terminals)
    app.connect("html-page-context", _indent_wrapped_lines)
    app.connect("html-page-context", _keep_words_whole)
