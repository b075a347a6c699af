from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import irsa_creds

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_placeholder_is_left_in_a_page(page: Path) -> None:
    assert "@@" not in page.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_local_link_has_a_target(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_help_names_the_main_functions() -> None:
    for name in "install", "provider", "doctor", "explain":
        assert f"{name}()" in str(irsa_creds.__doc__)
    assert "irsa_creds.provider()\n" in str(irsa_creds.provider.__doc__)
    assert "Returns:" in str(irsa_creds.provider.__doc__)


def test_no_page_is_missing() -> None:
    assert {page.name for page in PAGES} >= {
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "how-it-works.md",
        "troubleshooting.md",
    }


def test_the_badges_are_true() -> None:
    spec = importlib.util.spec_from_file_location("badges", ROOT / "docs" / "badges.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = {path.name: path.read_text() for path in module.FOLDER.glob("*.svg")}
    assert drawn == module.badges()
