"""`process`: the command for `credential_process` of the AWS CLI and all SDKs."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from cli.container import IRSA_CREDS, PATIENCE, Container, response
from irsa_creds._engine.clock import SystemClock
from irsa_creds._provider import REGISTRY
from irsa_creds._shared_cache.store import Store
from irsa_creds.cli import _process, main
from irsa_creds.cli._parser import parser_for

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId"]
WARM = """
import logging, sys  # on Python 3.14, logging itself imports dataclasses
before = set(sys.modules)
from irsa_creds.cli import main
status = main(["process"])
slow = {"argparse", "botocore", "dataclasses", "filelock", "gettext", "shutil", "urllib3"}
print(sorted(slow & sys.modules.keys() - before), file=sys.stderr)
print([name for name in sys.modules if name.startswith("irsa_creds.diagnosis")], file=sys.stderr)
sys.exit(status)
"""


class Ahead(SystemClock):
    """The machine's clocks, ahead by seconds that a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        machine = self.now
        self.now = lambda: machine() + self.seconds

    def wall(self) -> float:
        return super().wall() + self.seconds


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    """The clock of this process's providers."""
    clock = Ahead()
    monkeypatch.setattr(REGISTRY, "_clock", clock)
    # A busy machine may take longer than any user is to wait.
    monkeypatch.setattr(_process, "_REFRESH_SECONDS", PATIENCE)
    return clock


@pytest.fixture
def here(container: Container, monkeypatch: pytest.MonkeyPatch) -> Container:
    """The container is this very process."""
    for name, value in container.environ.items():
        monkeypatch.setenv(name, value)
    Store.at.cache_clear()
    return container


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Run the command like a new process."""
    irsa_creds.reset()
    assert main(["process"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found: dict[str, object] = json.loads(said.out)
    return found


def files(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file()]


def test_it_prints_the_format_of_credential_process(container: Container) -> None:
    found = response(container.run("process"))
    assert list(found) == FIELDS
    assert found["Version"] == 1
    assert [found["AccessKeyId"]] == container.given
    assert found["AccountId"] == "123456789012"


def test_a_second_call_makes_no_request_and_imports_no_http_modules(
    container: Container,
) -> None:
    first = response(container.run("process"))
    done = container.python(WARM)
    assert json.loads(done.stdout) == first
    assert done.stderr.split() == ["[]", "[]"]
    assert container.given == [first["AccessKeyId"]]


def test_the_cache_is_in_the_directory_for_temporary_files_and_private(
    container: Container,
) -> None:
    container.run("process")
    (entry,) = (each for each in files(container.temporary) if each.suffix == ".json")
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700


def test_the_cache_is_in_the_configured_directory(container: Container, tmp_path: Path) -> None:
    container.environ["IRSA_CREDS_CACHE_DIR"] = str(tmp_path / "chosen")
    container.run("process")
    assert files(tmp_path / "chosen")
    assert not files(container.temporary)


def test_no_cache_writes_nothing_and_calls_sts_each_time(container: Container) -> None:
    assert response(container.run("process", "--no-cache"))
    assert response(container.run("process", "--no-cache"))
    assert len(container.given) == 2
    assert not files(container.directory)


def test_boto3_takes_it_as_a_profiles_credential_process(container: Container) -> None:
    config = container.home / "config"
    config.write_text(f"[profile irsa]\ncredential_process = {' '.join(IRSA_CREDS)} process\n")
    container.environ["AWS_CONFIG_FILE"] = str(config)
    code = (
        "import boto3; s3 = boto3.Session(profile_name='irsa').client('s3');"
        "print(s3.get_object(Bucket='data', Key='greeting')['Body'].read().decode())"
    )
    said = subprocess.check_output(
        [sys.executable, "-c", code], env=container.environ, text=True, timeout=PATIENCE
    )
    assert said == "hello\n"
    assert [each.access_key_id for each in container.sandbox.s3_identities] == container.given


@pytest.mark.measures_children
def test_json_adds_the_version_of_all_our_json(container: Container) -> None:
    assert list(response(container.run("process", "--json"))) == ["schema", *FIELDS]


def test_options_name_another_identity(container: Container) -> None:
    done = container.run("process", "--role-arn", "arn:aws:iam::123456789012:role/none")
    assert done.returncode == 1
    assert "arn:aws:iam::123456789012:role/none" in done.stderr


def test_a_refresh_that_is_due_is_made_before_the_process_ends(
    here: Container, ahead: Ahead, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(capsys)
    # At most 20 minutes are left by then, and less than an hour has passed.
    ahead.seconds = 2_800
    second = printed(capsys)
    assert here.given == [first["AccessKeyId"], second["AccessKeyId"]]


def test_a_refresh_that_fails_leaves_what_is_valid_still(
    here: Container, ahead: Ahead, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(capsys)
    ahead.seconds = 2_800
    here.sandbox.faults.outage = "500"
    assert printed(capsys) == first
    assert len(here.sandbox.sts_calls) == 2


def test_a_warning_of_the_library_is_on_standard_error(container: Container) -> None:
    container.environ["IRSA_CREDS_MAX_REFRESHES"] = "many"
    done = container.run("process")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("IRSA_CREDS_MAX_REFRESHES='many' is not a whole number")


def test_without_credentials_standard_output_is_empty(container: Container) -> None:
    container.sandbox.faults.fail("AccessDenied")
    done = container.run("process")
    assert (done.returncode, done.stdout) == (1, "")
    # The error is not logged as well.
    assert done.stderr.count("STS denied AssumeRoleWithWebIdentity (AccessDenied)") == 1
    assert "Traceback" not in done.stderr


def test_an_account_that_sts_does_not_tell_is_left_out(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    end = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    fields = irsa_creds.Credentials("AKIA", "secret", "session", end)
    monkeypatch.setattr("irsa_creds.cli._process._refreshed", lambda _: fields)
    assert main(["process"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "Version": 1,
        "AccessKeyId": "AKIA",
        "SecretAccessKey": "secret",
        "SessionToken": "session",
        "Expiration": "2030-01-02T03:04:05Z",
    }


def test_the_fast_path_equals_the_parser() -> None:
    parsed = parser_for(["process"]).parse_args(["process"])
    assert vars(_process.WITHOUT_OPTIONS) == vars(parsed)
