"""A place, an identity whose STS answers from a script, and the processes that share both."""

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
    """No test sees what another one did to the process's memory of place and boot."""
    Store.at.cache_clear()
    entry.boot_id.cache_clear()
    yield
    Store.at.cache_clear()
    entry.boot_id.cache_clear()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "cache"


@pytest.fixture
def pod(place: Path) -> Pod:
    here = rig()
    here.token.value = JWT
    return Pod(place, here)


@pytest.fixture
def umask() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)
