"""A server that never comes to an end, and a program that prints what is sent to STS."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from engine_fakes import eventually, refreshing
from irsa_creds import RoleConfig
from sts_server import JWT, ROLE, SECRET_KEY, SESSION_TOKEN, StsServer, success

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sts_server import Call


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(JWT)
    return path


def continue_for_ever(call: Call) -> None:
    # Not faster: newer Pythons end it themselves after a hundred of them.
    while not call.stopping.wait(0.02):
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def drip_one_header(call: Call) -> None:
    call.send(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    call.drip(b"x" * 10_000, 0.02)


@pytest.mark.parametrize("act", [continue_for_ever, drip_one_header])
def test_a_refresh_ends_at_its_deadline_with_any_response(
    act: Callable[[Call], None], token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)
    monkeypatch.setattr("irsa_creds._engine.timing.ATTEMPT_SECONDS", 0.3)
    with StsServer([act]) as server:
        provider = irsa_creds.provider(
            role_arn=ROLE, token_file=token_file, endpoint_url=server.url
        )
        provider.prefetch()
        eventually(lambda: provider.status().last_failure)
        failure = provider.status().last_failure
        assert failure is not None
        assert failure.code == "ReadTimeoutError"
        # The server goes on all the while.
        eventually(lambda: not refreshing())


def test_a_program_that_debugs_http_prints_neither_token_nor_credentials(
    token_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(HTTPConnection, "debuglevel", 1)
    role = RoleConfig("arn:aws:iam::123456789012:role/x", external_id="canary-external-id")
    with StsServer([success()]) as server:
        provider = irsa_creds.provider(
            role_arn=ROLE, token_file=token_file, endpoint_url=server.url, assume=[role]
        )
        provider.get()
        assert "canary-external-id" in server.seen[1].body
    printed = "".join(capfd.readouterr())
    for secret in (JWT, SESSION_TOKEN, SECRET_KEY, "canary-external-id"):
        assert secret not in printed
