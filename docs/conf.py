"""How the documentation is made: `make docs`; every warning is an error."""

from __future__ import annotations

from irsa_creds import __version__

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

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_use_ivar = True
# Only what leads somewhere on this machine can be checked without a network.
linkcheck_ignore = [r"https?://(?!127\.0\.0\.1|localhost)"]
