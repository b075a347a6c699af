"""`serve`: the endpoint alone, until somebody ends it."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.lab import PATIENCE
from irsa_creds.cli import main
from irsa_creds.cli._rivals import child_environ

if TYPE_CHECKING:
    from cli.lab import Container

URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


def told(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the variables that it tells a shell to export."""
    assert process.stdout is not None
    found = {}
    for _ in range(2):
        word, assignment = shlex.split(process.stdout.readline())
        assert word == "export"
        name, _, value = assignment.partition("=")
        found[name] = value
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_started_elsewhere_reads_a_bucket_until_serve_is_ended(
    number: signal.Signals, container: Container
) -> None:
    code = (
        "import boto3;"
        "print(boto3.client('s3').get_object(Bucket='data', Key='greeting')['Body'].read())"
    )
    with container.start("serve") as process:
        variables = told(process)
        file = Path(variables[TOKEN_FILE])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        environ = child_environ(container.environ)
        said = subprocess.check_output(
            [sys.executable, "-c", code], env={**environ, **variables}, text=True, timeout=PATIENCE
        )
        assert said == "b'hello'\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert list(container.temporary.iterdir()) == []


def test_json_tells_the_same(container: Container) -> None:
    with container.start("serve", "--json") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(7)]
        found = json.loads("".join(lines))
        assert found["schema"] == 1
        assert found["environment"].keys() == {URI, TOKEN_FILE}
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.fixture
def here(container: Container, monkeypatch: pytest.MonkeyPatch) -> Container:
    """The container is this very process, which keeps its handlers of signals."""
    for name, value in container.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("irsa_creds.cli._serve.end_on_signals", lambda: None)
    return container


def test_a_port_that_is_taken_is_told_so(
    here: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"Port {port} cannot be had: Address already in use" in capsys.readouterr().err


def test_a_port_that_is_none_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "65536"]) == 2
    assert "65536" in capsys.readouterr().err


def test_without_a_place_for_the_token_it_does_not_print_it(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds.cli._token_place._PLACES", ())
    monkeypatch.delenv("TMPDIR")
    assert main(["serve"]) == 2
    said = capsys.readouterr()
    assert (said.out, "TMPDIR" in said.err) == ("", True)


def test_what_is_wrong_is_told_at_once(here: Container, capsys: pytest.CaptureFixture[str]) -> None:
    here.sandbox.faults.fail("AccessDenied")
    assert main(["serve"]) == 1
    assert "AccessDenied" in capsys.readouterr().err
