"""Fixtures: a directory, and a pod with a scripted STS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine_fakes import rig
from irsa_creds._shared_cache import entry
from irsa_creds._shared_cache.store import Store
from shared_cache.pods import Pod
from sts_server import JWT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _this_boot() -> Iterator[None]:
    """Clear what the process remembers of directories and the boot id."""
    Store.at.cache_clear()
    entry.boot_id.cache_clear()
    yield
    Store.at.cache_clear()
    entry.boot_id.cache_clear()


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """Return the path of a directory that does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def pod(cache_dir: Path) -> Pod:
    here = rig()
    here.token.value = JWT
    return Pod(cache_dir, here)


@pytest.fixture
def umask() -> Iterator[None]:
    """Set a umask that removes no rights."""
    before = os.umask(0)
    yield
    os.umask(before)
