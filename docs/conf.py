"""How the documentation is made: `make docs`; every warning is an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils.nodes import block_quote
from sphinx.util import logging

from irsa_creds import __version__

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx

_LOG = logging.getLogger(__name__)

project = "irsa-creds"
author = "the irsa-creds contributors"
project_copyright = f"%Y, {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "irsa-creds"
html_static_path = ["_static"]
html_css_files = ["irsa-creds.css"]
html_show_sphinx = False

# In docstrings a single backtick marks code, as it does in Markdown.
default_role = "code"

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_use_ivar = True
# Only what leads somewhere on this machine can be checked without a network.
linkcheck_ignore = [r"https?://(?!127\.0\.0\.1|localhost)"]

# Where a check's id stands in prose it leads to its row. The sources have the bare ids: they are
# read on a terminal as well.
_ID = r"[EFTRCVMNSP]\d\d"
_LINKED = {"troubleshooting", "tutorial"}
_CODE = r"(?ms)^```.*?^```$|`[^`\n]*`|\]\([^)]*\)"


def _link_checks(_: Sphinx, page: str, source: list[str]) -> None:
    if page == "reference/checks":
        source[0] = re.sub(rf"(?m)^\| ({_ID}) \|", r"| [\1]{#\1} |", source[0])
    elif page in _LINKED:
        source[0] = re.sub(rf"{_CODE}|\b{_ID}\b", _linked, source[0])


def _linked(found: re.Match[str]) -> str:
    return f"[{found[0]}](#{found[0]})" if re.fullmatch(_ID, found[0]) else found[0]


def _report_quotes(_: Sphinx, page: document) -> None:
    """Warn of an indented block of a docstring that reStructuredText joins into one sentence."""
    for each in page.findall(block_quote):
        _LOG.warning("Not a code block: the line before it must end with `::`", location=each)


def setup(app: Sphinx) -> None:
    """Be called by Sphinx."""
    app.connect("source-read", _link_checks)
    app.connect("doctree-read", _report_quotes)
