"""Draws the README's badges from pyproject.toml: `python docs/badges.py`; a test compares them.

They are files of this repository: no page asks another host for a picture.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "_static" / "badges"
# Average width of a character at 11 px.
_WIDTH, _MARGIN, _HEIGHT = 6.6, 10, 20


def badges() -> dict[str, str]:
    """Return each badge as SVG, by its file's name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pythons = [
        line.rpartition(" ")[2]
        for line in project["project"]["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    coverage = project["tool"]["coverage"]["report"]["fail_under"]
    facts = {
        "python": ("Python", " | ".join(pythons)),
        "coverage": ("lines and branches tested", f"{coverage} %"),
        "types": ("types known", "100 %"),
        "license": ("license", project["project"]["license"]),
    }
    return {f"{name}.svg": _badge(*fact) for name, fact in facts.items()}


def _badge(label: str, value: str) -> str:
    left, right = (round(len(text) * _WIDTH + _MARGIN) for text in (label, value))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" '
        f'role="img" aria-label="{label}: {value}">'
        f'<rect width="{left + right}" height="{_HEIGHT}" rx="3" fill="#4a4f57"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" '
        'fill="#30638e"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" '
        'font-size="11">'
        f'<text x="{left / 2:g}" y="14">{label}</text>'
        f'<text x="{left + right / 2:g}" y="14">{value}</text></g></svg>\n'
    )


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, text in badges().items():
        (FOLDER / file).write_text(text)
