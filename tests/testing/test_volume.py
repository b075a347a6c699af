from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from irsa_creds.testing import ProjectedVolume

if TYPE_CHECKING:
    from pathlib import Path


def test_the_layout_is_the_kubelets(tmp_path: Path) -> None:
    volume = ProjectedVolume(tmp_path / "a" / "b")
    volume.write("one")
    names = sorted(path.name for path in volume.directory.iterdir())
    assert names[0] == "..data" or names[1] == "..data"
    (dated,) = [name for name in names if name not in {"..data", "token"}]
    assert re.fullmatch(r"\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\..+", dated)
    assert str((volume.directory / "..data").readlink()) == dated
    assert str(volume.token_file.readlink()) == "..data/token"
    assert volume.token_file.read_text() == "one"
    assert repr(volume) == f"<ProjectedVolume {tmp_path}/a/b>"


def test_a_write_swaps_the_directory_and_removes_the_old_one(tmp_path: Path) -> None:
    volume = ProjectedVolume(tmp_path)
    volume.write("one")
    before = (tmp_path / "..data").readlink()
    volume.write(b"two")
    assert volume.token_file.read_text() == "two"
    assert (tmp_path / "..data").readlink() != before
    assert not (tmp_path / before).exists()
    assert len(list(tmp_path.iterdir())) == 3


def test_the_same_content_changes_nothing(tmp_path: Path) -> None:
    volume = ProjectedVolume(tmp_path)
    volume.write("one")
    before = (tmp_path / "..data").readlink()
    volume.write("one")
    assert (tmp_path / "..data").readlink() == before


def test_name_and_mode_can_be_chosen(tmp_path: Path) -> None:
    default = ProjectedVolume(tmp_path / "a")
    default.write("one")
    assert default.token_file.stat().st_mode & 0o777 == 0o644
    strict = ProjectedVolume(tmp_path / "b", filename="vault-token", mode=0o600)
    strict.write("one")
    assert strict.token_file == tmp_path / "b" / "vault-token"
    assert strict.token_file.stat().st_mode & 0o777 == 0o600


def test_a_read_never_returns_a_partial_token(tmp_path: Path) -> None:
    volume = ProjectedVolume(tmp_path)
    contents = [str(n) * 5000 for n in range(10)]
    volume.write(contents[0])
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(volume.token_file.read_text())
            except FileNotFoundError:
                continue  # the rename happened between following two links, as it can on a node

    reader = threading.Thread(target=read)
    reader.start()
    for content in contents * 20:
        volume.write(content)
    done.set()
    reader.join()
    assert seen <= set(contents)
