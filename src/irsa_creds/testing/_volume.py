"""A projected volume that is updated as the kubelet does it: by one rename of `..data`."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["ProjectedVolume"]


class ProjectedVolume:
    """A directory laid out by the rules of the kubelet's atomic writer.

    Its files and links are::

        token -> ..data/token
        ..data -> ..2026_11_25_12_50_00.123456789
        ..2026_11_25_12_50_00.123456789/token

    Source: `AtomicWriter` in Kubernetes' pkg/volume/util/atomic_writer.go.

    Args:
        directory: created if missing.
        filename: name of the token file.
        mode: of the token file; the kubelet uses 0644, or 0600 if the pod sets `runAsUser`.
    """

    def __init__(
        self, directory: str | Path, *, filename: str = "token", mode: int = 0o644
    ) -> None:
        self.directory: Path = Path(directory)
        self.token_file: Path = self.directory / filename
        self.mode = mode
        self.directory.mkdir(parents=True, exist_ok=True)
        self._data = self.directory / "..data"

    def __repr__(self) -> str:
        return f"<ProjectedVolume {self.directory}>"

    def write(self, content: str | bytes) -> None:
        """Replace the token atomically.

        As with the kubelet, unchanged content changes nothing.

        Args:
            content: the token, or any other content for a test.
        """
        data = content.encode() if isinstance(content, str) else content
        if self._data.is_symlink() and self.token_file.read_bytes() == data:
            return
        old = self._data.readlink() if self._data.is_symlink() else None
        prefix = datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.")
        payload = Path(tempfile.mkdtemp(prefix=prefix, dir=self.directory))
        payload.chmod(0o755)
        file = payload / self.token_file.name
        file.write_bytes(data)
        file.chmod(self.mode)
        swap = self.directory / "..data_tmp"
        swap.symlink_to(payload.name)
        swap.rename(self._data)
        if not self.token_file.is_symlink():
            self.token_file.symlink_to(Path("..data") / self.token_file.name)
        if old is not None:
            shutil.rmtree(self.directory / old)
