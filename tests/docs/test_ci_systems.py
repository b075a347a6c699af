"""The page on CI systems: a job of GitHub's, with its token service."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from docs.markdown import block, blocks
from irsa_creds.testing import Issuer, Sandbox
from irsa_creds.testing._server import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "howto/ci-systems.md"
SUBJECT = "repo:acme/shop:ref:refs/heads/main"


@pytest.fixture
def github(sandbox: Sandbox) -> Issuer:
    return sandbox.add_issuer(Issuer("https://token.actions.githubusercontent.com"))


@pytest.fixture
def asked(github: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Request]]:
    """What GitHub's token service was asked; the process has a job's variables."""
    seen: list[Request] = []

    def issue(request: Request) -> Reply:
        seen.append(request)
        token = github.token(sub=SUBJECT, audience=parse_qs(request.query)["audience"])
        return Reply(200, {}, json.dumps({"value": token}).encode())

    with LoopbackServer(issue) as server:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{server.url}/token?api-version=2.0")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-the-runner")
        monkeypatch.setenv("GITHUB_RUN_ID", "17")
        yield seen


def test_a_job_requests_its_token_itself(
    sandbox: Sandbox,
    github: Issuer,
    asked: list[Request],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (policy,) = (each.text for each in blocks(PAGE) if each.saved_as == "github.json")
    job = sandbox.deploy(role="ci", issuer=github, trust_policy=json.loads(policy))
    for name, value in job.environ.items():
        if name not in {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}:
            monkeypatch.setenv(name, value)
    exec(compile(block("howto/ci-systems.md", "deploy.py"), PAGE, "exec"), {})
    assert capsys.readouterr().out == "arn:aws:sts::123456789012:assumed-role/ci/run-17\n"
    assert [each.headers["authorization"] for each in asked] == ["Bearer of-the-runner"]
    assert [call.claims["sub"] for call in sandbox.sts_calls] == [SUBJECT]
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" not in os.environ
