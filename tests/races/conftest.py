"""An STS that responds at once, and the environment of a pod that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from races.harness import LoopbackSts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sts() -> Iterator[LoopbackSts]:
    with LoopbackSts() as opened:
        yield opened


@pytest.fixture
def environ(sts: LoopbackSts, tmp_path: Path) -> dict[str, str]:
    """The environment of a pod, for a child process."""
    return sts.pod(tmp_path)


@pytest.fixture
def pod(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a pod in this process."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ
