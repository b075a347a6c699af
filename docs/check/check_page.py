"""Build the page "Check a trust policy": its library, Pyodide, and a strict security policy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import irsa_creds

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGE = "check-trust-policy"
HERE = Path(__file__).parent
#: Where `make pyodide` installs the package; its files are optional.
PYODIDE = HERE.parents[1] / "build/pyodide/node_modules/pyodide"
FILES = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide-lock.json",
    "python_stdlib.zip",
)
# The theme's icons are data. `default-src` is not the default of the last two.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'"
)
_MODULES = """
import sys, check_policy
for name, module in sys.modules.items():
    if name.partition(".")[0] in {"irsa_creds", "check_policy"}:
        print(module.__file__)
"""


def _choose_template(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _: object
) -> str | None:
    if page != PAGE:
        return None
    app.add_js_file("check.js", type="module")
    app.add_css_file("check.css")
    context["strict"] = lambda html: strict(html, Path(app.outdir) / "_static")
    return "strict.html"


def strict(html: str, static: Path) -> str:
    """Return a page with the security policy; inline scripts and styles become files.

    Args:
        html: the page.
        static: the directory of these files.
    """

    def moved(found: re.Match[str]) -> str:
        script = found["name"] == "script"
        file = "theme.js" if script else "theme.css"
        (static / file).write_text(found["text"])
        if script:
            return f'<script src="_static/{file}"></script>'
        return f'<link rel="stylesheet" href="_static/{file}">'

    html = re.sub(r"(?s)<(?P<name>script|style)>(?P<text>.*?)</(?P=name)>", moved, html)
    # The theme has it in SVG only, where each property is an attribute, too.
    html = re.sub(r'style="([\w-]+): ([\w%]+);?"', r'\1="\2"', html)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{meta}', 1)


def _add_files(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    write_library(static / "library.zip")
    if PYODIDE.exists():
        (static / "pyodide").mkdir(exist_ok=True)
        for name in FILES:
            shutil.copy(PYODIDE / name, static / "pyodide")


def write_library(target: Path) -> None:
    """Write the modules that `check_policy` imports into a zip file."""
    source = Path(irsa_creds.__file__).parents[1]
    listed = subprocess.run(  # noqa: S603 - a program of this file
        [sys.executable, "-c", _MODULES],
        cwd=HERE,
        env={"PYTHONPATH": f"{source}:{HERE}"},
        check=True,
        capture_output=True,
        text=True,
    )
    with ZipFile(target, "w", ZIP_DEFLATED) as library:
        for file in map(Path, sorted(listed.stdout.splitlines())):
            library.write(file, file.relative_to(HERE if file.parent == HERE else source))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks of this file; Sphinx calls this."""
    app.connect("html-page-context", _choose_template)
    app.connect("build-finished", _add_files)
    return {"parallel_read_safe": True}
