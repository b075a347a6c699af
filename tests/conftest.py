"""Fixtures that all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from irsa_creds.testing import Sandbox
from kit import Rig, rig

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No variable and no file of the machine reaches a test, and no provider outlives it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "IRSA_CREDS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    nowhere = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
    irsa_creds.uninstall()
    irsa_creds.reset()


@pytest.fixture
def engine_rig() -> Rig:
    """An engine on a fake clock, token and STS; every draw is the lower end."""
    return rig()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A verifying STS, IAM and S3 on the loopback."""
    with Sandbox() as opened:
        yield opened
