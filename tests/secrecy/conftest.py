"""A pod with canaries for secrets, its STS, and the detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secrecy.leak_detector import TOKEN, Witness, older_objects_set_aside
from sts_server import ROLE, StsServer, success

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture
def sts() -> Iterator[StsServer]:
    with StsServer([success()]) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _pod(token_file: Path, sts: StsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_STS": sts.url,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _one_short_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)
    monkeypatch.setattr("irsa_creds._engine.timing.ATTEMPT_SECONDS", 0.8)


@pytest.fixture(scope="module", autouse=True)
def _older_objects_set_aside() -> Iterator[None]:
    with older_objects_set_aside():
        yield


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as opened:
        yield opened
