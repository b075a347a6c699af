"""A correct pod with refreshes that fail quickly."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bad_input.broken_pods import JWT, Scene
from sts_server import ROLE, StsServer, success

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr("irsa_creds._engine.timing.blocking_pause", lambda *_: 0.0)
    token = tmp_path / "token"
    token.write_text(JWT)
    with ExitStack() as stack:
        sts = stack.enter_context(StsServer([success()]))
        for name, value in {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_STS": sts.url,
        }.items():
            monkeypatch.setenv(name, value)
        made = Scene(sts, token, monkeypatch, stack)
        yield made
        made.released.set()
