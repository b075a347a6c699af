"""What the build makes of the README and of the repository's address."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

import hatch_build
from docs.markdown import ROOT
from irsa_creds import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

ADDRESS = "https://git.example.com/team/irsa-creds"
TAG = f"v{__version__}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of what the build reads, without an address."""
    for name in "pyproject.toml", "Makefile", "hatch_build.py", "README.md", "LICENSE":
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    give_address(tmp_path, "")
    return tmp_path


def give_address(project: Path, address: str) -> None:
    file = project / "pyproject.toml"
    text, count = re.subn(r'(?m)^repository = ".*"$', f'repository = "{address}"', file.read_text())
    assert count == 1
    file.write_text(text)


def built(project: Path) -> tuple[Message, Message]:
    """Return the metadata of the sdist and of the wheel."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", "out"],
        cwd=project,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (sdist,) = project.glob("out/*.tar.gz")
    (wheel,) = project.glob("out/*.whl")
    with tarfile.open(sdist) as archive:
        file = archive.extractfile(f"{sdist.name.removesuffix('.tar.gz')}/PKG-INFO")
        assert file is not None
        of_sdist = file.read()
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith("/METADATA"))
        of_wheel = files.read(name)
    return email.message_from_bytes(of_sdist), email.message_from_bytes(of_wheel)


def readme_of(metadata: Message) -> str:
    payload = metadata.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def links(text: str) -> Iterator[str]:
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        for token in block.children or ():
            if target := token.attrGet("href") or token.attrGet("src"):
                yield str(target)


def test_without_an_address_a_package_has_the_readme_of_the_repository(project: Path) -> None:
    for metadata in built(project):
        assert readme_of(metadata) == (ROOT / "README.md").read_text()
        assert metadata.get_all("Project-URL") is None


def test_with_an_address_a_package_has_absolute_links_and_urls(project: Path) -> None:
    give_address(project, ADDRESS)
    relative = list(links((ROOT / "README.md").read_text()))
    for metadata in built(project):
        absolute = list(links(readme_of(metadata)))
        assert len(absolute) == len(relative) > 10
        for link in absolute:
            found = re.fullmatch(rf"{ADDRESS}/(blob|raw)/{TAG}/([^#]+)(#.*)?", link)
            assert found, link
            assert (ROOT / found[2]).exists()
            assert (found[1] == "raw") == link.endswith(".svg")
        assert metadata.get_all("Project-URL") == [
            f"Source, {ADDRESS}",
            f"Documentation, {ADDRESS}/blob/{TAG}/docs/index.md",
            f"Changelog, {ADDRESS}/blob/{TAG}/CHANGELOG.md",
            f"Issues, {ADDRESS}/issues",
        ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](b.md#c)", "[a](X/blob/v1/b.md#c)"),
        ("[a](#c)", "[a](X/blob/v1/README.md#c)"),
        ("![a](b.png)", "![a](X/raw/v1/b.png)"),
        ("[![a](b.svg)](c.md)", "[![a](X/raw/v1/b.svg)](X/blob/v1/c.md)"),
        ("[a](https://b.example/c.md)", "[a](https://b.example/c.md)"),
        ("`a[0](b)` and [c](d)", "`a[0](b)` and [c](X/blob/v1/d)"),
        ("```python\na[0](b)\n```\n[c](d)", "```python\na[0](b)\n```\n[c](X/blob/v1/d)"),
    ],
)
def test_links_are_made_absolute_and_code_is_left(text: str, expected: str) -> None:
    assert hatch_build.absolute(text, "X", "v1") == expected


@pytest.mark.parametrize(
    ("address", "status"), [("", 2), ("example", 2), (f"{ADDRESS}/", 2), (ADDRESS, 0)]
)
def test_a_release_stops_without_an_address(project: Path, address: str, status: int) -> None:
    give_address(project, address)
    # `address` is what `release` does first; after it, `dist` makes an environment.
    goal = ["address"] if status == 0 else ["release"]
    done = subprocess.run(
        ["make", "--no-print-directory", *goal],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status
    assert ("A release needs the public address" in done.stderr) == (status != 0)
    assert not (project / ".venv-build").exists()
