"""`python -m irsa_creds.testing`, as a developer runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from irsa_creds.testing.__main__ import _handle_termination_as_ctrl_c, main

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.measures_children

COMMAND = [sys.executable, "-m", "irsa_creds.testing"]


@contextmanager
def served(*arguments: str, last: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; yield it and its output up to the line that begins with `last`."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            printed = []
            for line in process.stdout:
                printed.append(line)
                if line.startswith(last):
                    break
            yield process, "".join(printed)
        finally:
            process.kill()


def test_a_shell_can_paste_the_lines_until_ctrl_c() -> None:
    with served(last="export AWS_SHARED_CREDENTIALS_FILE") as (process, printed):
        program = "import boto3; boto3.client('s3').put_object(Bucket='data', Key='a', Body=b'b')"
        script = f'{printed}\nls "$AWS_WEB_IDENTITY_TOKEN_FILE"; exec "$0" -c "$1"'
        astray = {**os.environ, "AWS_ACCESS_KEY_ID": "mine", "AWS_PROFILE": "production"}
        done = subprocess.run(
            ["sh", "-c", script, sys.executable, program],
            env=astray,
            capture_output=True,
            text=True,
            check=True,
        )
        assert process.stderr is not None
        hint = "".join(process.stderr.readline() for _ in range(3))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert not Path(done.stdout.strip()).parents[1].exists(), "its directory is removed"
    assert "may read and write the bucket 'data'" in hint
    assert hint.endswith("Ctrl-C ends the sandbox.\n")
    assert errors == "", "no traceback"


def test_json_with_the_given_bucket_and_lifetime_until_sigterm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("--json", "--bucket", "reports", "--lifetime", "60")
    with served(*arguments, last="}") as (process, printed):
        environ = json.loads(printed)
        assert environ["AWS_PROFILE"] is None
        for name, value in environ.items():
            if value is not None:
                monkeypatch.setenv(name, value)
        session = boto3.Session()
        session.client("s3").put_object(Bucket="reports", Key="a", Body=b"b")
        left = session.get_credentials()._seconds_remaining()
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert left <= 60
    assert not Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).parents[1].exists()


def test_the_pod_has_eks_pod_identity_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with served("--json", "--pod-identity", last="}") as (_, printed):
        environ = json.loads(printed)
        assert environ["AWS_ROLE_ARN"] is environ["AWS_WEB_IDENTITY_TOKEN_FILE"] is None
        for name, value in environ.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        credentials = boto3.Session().get_credentials()
        assert credentials.method == "container-role"
        s3 = boto3.client("s3")
        s3.put_object(Bucket="data", Key="a", Body=b"b")


def test_the_token_is_rotated_in_time_although_the_laptop_slept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.time()
    # Seconds by the wall clock. The sandbox's start takes some of them.
    walls = iter([60, 0.8 * 86_400 - 1, 0.8 * 86_400 + 50, 0.8 * 86_400 + 61])
    tokens: list[str] = []
    text: list[str] = []

    def sleep(seconds: float) -> None:
        assert seconds <= 60
        text.append(capsys.readouterr().out)
        environ = json.loads("".join(text))
        tokens.append(Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text())
        wall = next(walls, None)
        if wall is None:
            raise KeyboardInterrupt
        monkeypatch.setattr(time, "time", lambda: began + wall)

    monkeypatch.setattr(time, "sleep", sleep)
    assert main(["--json"]) == 0
    assert [token == tokens[0] for token in tokens] == [True, True, True, False, False]
    assert tokens[3] == tokens[4]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--bucket", "Reports"], "'Reports' is not a bucket name"),
        (["--bucket", "a..b"], "'a..b' is not a bucket name"),
        (["--bucket", "192.168.5.4"], "'192.168.5.4' is not a bucket name"),
        (["--lifetime", "soon"], "'soon' is not a number of seconds from 1 to 43200"),
        (["--lifetime", "0"], "'0' is not a number of seconds from 1 to 43200"),
    ],
)
def test_invalid_arguments_are_errors(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_sigterm_is_like_ctrl_c_and_an_ignored_signal_stays_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers = {signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_IGN}
    monkeypatch.setattr(signal, "getsignal", handlers.get)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    _handle_termination_as_ctrl_c()
    assert handlers == {
        signal.SIGTERM: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_IGN,
    }
