"""A pod with a container that runs the command line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from cli.container import Container
from irsa_creds.cli._identity import is_not_error
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from irsa_creds.testing import Pod


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make tests independent of the width of the terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What a command that fails does to the log of its own process, no other test sees."""
    yield
    logging.getLogger("irsa_creds").removeFilter(is_not_error)


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[Sandbox, Pod]]:
    """A pod with access to the bucket `data`, in which `greeting` is `hello`; one per file."""
    with Sandbox() as sandbox:
        pod = sandbox.deploy()
        sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
        yield sandbox, pod


@pytest.fixture
def container(deployed: tuple[Sandbox, Pod], tmp_path: Path) -> Iterator[Container]:
    """A container of that pod, restarted."""
    sandbox, pod = deployed
    sandbox.reset_calls()
    yield Container(sandbox, pod, tmp_path)
    sandbox.faults.clear()
