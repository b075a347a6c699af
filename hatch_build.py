"""Build hook: makes the README's links absolute and sets the URLs of the project.

hatchling runs it at each build. The address is the setting `repository` in pyproject.toml.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# Code comes first, so that a subscript and a call in it are not taken for a link.
_CODE_OR_LINK = r"(?ms)^```.*?^```$|`[^`\n]*`|\]\((?!https?://)([^)\s]+)\)"
_PICTURES = {".png", ".svg"}


class AddressHook(MetadataHookInterface):
    """Set `readme` and `urls`; without an address, the README as it is and no URLs."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Be called by hatchling with the `[project]` table."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        if repository := self.config["repository"]:
            tag = f"v{metadata['version']}"
            text = absolute(text, repository, tag)
            metadata["urls"] = {
                "Source": repository,
                "Documentation": f"{repository}/blob/{tag}/docs/index.md",
                "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, repository: str, tag: str) -> str:
    """Return Markdown with its relative links pointing to the files of a tag.

    Args:
        text: the page, which stands at the top of the repository.
        repository: the public address.
        tag: of the version that is built.
    """

    def link(found: re.Match[str]) -> str:
        path = found[1]
        if path is None:
            return found[0]
        if path.startswith("#"):
            path = f"README.md{path}"
        # A page shows a picture only if its address returns the file itself.
        kind = "raw" if Path(path).suffix in _PICTURES else "blob"
        return f"]({repository}/{kind}/{tag}/{path})"

    return re.sub(_CODE_OR_LINK, link, text)
