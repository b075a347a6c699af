"""A sandbox with this process as its pod, for `doctor --online`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.testing import Pod


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One sandbox for all: these tests only ask, and clear the faults they set."""
    with Sandbox() as opened:
        yield opened


_roles = count()


@pytest.fixture
def here(shared: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    """A pod with the environment of this process."""
    pod = shared.deploy(role=f"app-{next(_roles)}", bucket=None)
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    yield pod
    shared.faults.clear()
    shared.issuer.reachable = True
