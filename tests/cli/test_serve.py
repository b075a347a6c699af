"""`serve`: the endpoint alone, until a signal."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cli.container import IRSA_CREDS, PATIENCE
from irsa_creds.cli import main
from irsa_creds.cli._child_environ import REMOVED

if TYPE_CHECKING:
    from pathlib import Path

    from cli.container import Container

URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


REGIONS = ["AWS_REGION", "AWS_DEFAULT_REGION"]


def fields(process: subprocess.Popen[str]) -> str:
    """Return the shell commands that it prints."""
    assert process.stdout is not None
    # What is removed, the two variables of the endpoint, the switch of the metadata, the regions.
    return "".join(process.stdout.readline() for _ in range(6))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.measures_children
def test_a_program_started_elsewhere_reads_a_bucket_until_serve_is_ended(
    number: signal.Signals, container: Container
) -> None:
    code = (
        "import boto3;"
        "print(boto3.client('s3').get_object(Bucket='data', Key='greeting')['Body'].read())"
    )
    with container.start("serve") as process:
        lines = fields(process)
        (file,) = container.temporary.glob("*/token")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        # A container of the pod, with the variables of the webhook and others.
        environ = {**container.environ, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}
        command = f"{lines}exec {shlex.quote(sys.executable)} -c {shlex.quote(code)}"
        said = subprocess.check_output(
            ["/bin/sh", "-euc", command], env=environ, text=True, timeout=PATIENCE
        )
        assert said == "b'hello'\n"
        signers = {each.access_key_id for each in container.sandbox.s3_identities}
        assert signers == set(container.given)
        assert len(container.given) == 1
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert list(container.temporary.iterdir()) == []


def test_the_shell_commands_unset_variables_and_keep_the_region(container: Container) -> None:
    own = {"AWS_REGION": "ap-south-1", "AWS_PROFILE": "x", "AWS_ACCESS_KEY_ID": "AKIA"}
    with container.start("serve", "--region", "eu-west-1") as process:
        lines = fields(process)
        said = subprocess.check_output(
            ["/bin/sh", "-euc", f"{lines}env"], env=own, text=True, timeout=PATIENCE
        )
        process.terminate()
        assert process.wait(PATIENCE) == 0
    found = dict(line.split("=", 1) for line in said.splitlines())
    assert found["AWS_REGION"] == "ap-south-1"
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"
    assert {name for name in found if name in REMOVED} == {URI, TOKEN_FILE}


@pytest.mark.measures_children
def test_json_has_the_same_fields(container: Container) -> None:
    with container.start("serve", "--json") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "}\n")
        found = json.loads("".join([*lines, "}"]))
        assert found["schema"] == 1
        environment = found["environment"]
        assert environment.keys() == set(REMOVED)
        assert {name for name, value in environment.items() if value} == {URI, TOKEN_FILE}
        assert found["defaults"].keys() == {"AWS_EC2_METADATA_DISABLED", *REGIONS}
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_no_other_user_can_replace_the_file_that_the_example_sources(container: Container) -> None:
    # As the kubelet makes a volume of type emptyDir.
    shared = container.directory / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    text = container.run("serve", "--help").stdout.replace("/shared", str(shared))
    text = text.replace("irsa-creds serve", f"{shlex.join(IRSA_CREDS)} serve")
    examples = text.partition("examples:\n")[2].partition("environment:\n")[0]
    # The first shows the command alone; the others are for one container and for the other.
    _, serve, program = re.findall(r"(?m)^  # .*\n((?:  +[^#\n].*\n)+)", examples)
    with subprocess.Popen(
        ["/bin/sh", "-euc", serve], env=container.environ, start_new_session=True
    ) as process:
        found: list[Path] = []
        while not found or not found[0].read_text().endswith(':-us-east-1}"\n'):
            assert process.poll() is None
            time.sleep(0.01)
            found = list(shared.rglob("environment"))
        (file,) = found
        others = stat.S_IWGRP | stat.S_IWOTH
        replaceable = [each for each in (file, file.parent) if each.stat().st_mode & others]
        said = subprocess.check_output(
            ["/bin/sh", "-euc", program.replace("./program", f"printenv {URI}")],
            env=container.environ,
            text=True,
            timeout=PATIENCE,
        )
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)
    assert said.startswith("http://127.0.0.1:")
    assert replaceable == []


@pytest.fixture
def here(container: Container, monkeypatch: pytest.MonkeyPatch) -> Container:
    """The container is this very process, which keeps its handlers of signals."""
    for name, value in container.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("irsa_creds.cli._serve.end_on_signals", lambda: None)
    return container


def test_a_port_in_use_is_an_error(here: Container, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"Port {port} is not available: Address already in use" in capsys.readouterr().err


def test_an_invalid_port_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "65536"]) == 2
    assert "65536" in capsys.readouterr().err


def test_without_a_directory_for_the_token_serve_fails(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds.cli._endpoint_token._DIRECTORIES", ())
    monkeypatch.delenv("TMPDIR")
    assert main(["serve"]) == 2
    said = capsys.readouterr()
    assert (said.out, "TMPDIR" in said.err) == ("", True)


def test_errors_are_reported_at_the_start(
    here: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    here.sandbox.faults.fail("AccessDenied")
    assert main(["serve"]) == 1
    assert "AccessDenied" in capsys.readouterr().err
