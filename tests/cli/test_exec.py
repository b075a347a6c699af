"""`exec`: a user's command with the pod's credentials and otherwise unchanged."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from cli.container import IRSA_CREDS, PATIENCE
from irsa_creds.cli import _endpoint_token, main

if TYPE_CHECKING:
    from cli.container import Container

READ = (
    "import boto3;"
    "print(boto3.client('s3').get_object(Bucket='data', Key='greeting')['Body'].read().decode())"
)
SEEN = "import json, os; print(json.dumps(dict(os.environ)))"
# Tells that it is ready, and then each signal that comes, once; the first that comes last ends it.
LISTENING = """
import os, signal, sys
names = sys.argv[1:]
numbers = {getattr(signal, name) for name in names}
# Not `signal.pause`: one that comes right before it would be seen only after the next one.
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print(os.getpid(), flush=True)
while True:
    name = signal.Signals(signal.sigwait(numbers)).name
    print(name, flush=True)
    if name == names[-1]:
        os._exit(3)
"""
ENDPOINT = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
NO_PROXY = ("NO_PROXY", "no_proxy")
FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG")


def seen(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the environment that a child printed."""
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_program_that_knows_nothing_of_it_reads_a_bucket(container: Container) -> None:
    done = container.exec(READ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    assert [each.access_key_id for each in container.sandbox.s3_identities] == container.given


def test_the_child_has_the_endpoint_and_nothing_with_precedence(container: Container) -> None:
    others = {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "another",
        "GREETING": "hello",
    }
    container.environ |= others
    code = (
        "import os, stat; path = os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];"
        "print(oct(stat.S_IMODE(os.stat(path).st_mode)), "
        "oct(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode)), len(open(path).read().split()),"
        "open(path).read().endswith(chr(10)), file=__import__('sys').stderr);"
    )
    done = container.exec(code + SEEN)
    child = json.loads(done.stdout)
    assert done.stderr.split() == ["0o600", "0o700", "1", "False"]
    gone = others.keys() - {"GREETING"} | {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}
    assert not gone & child.keys()
    added = {ENDPOINT, TOKEN_FILE, *NO_PROXY}
    assert child.keys() - container.environ.keys() == added - container.environ.keys()
    kept = container.environ.keys() - gone - added
    assert {name: child[name] for name in kept} == {n: container.environ[n] for n in kept}
    # It was there while the child was, and is gone.
    assert Path(child[TOKEN_FILE]).is_relative_to(container.temporary)
    assert list(container.temporary.iterdir()) == []


def test_the_child_reaches_the_endpoint_without_its_proxy(container: Container) -> None:
    container.environ["NO_PROXY"] = "sts.example"
    container.environ.pop("no_proxy", None)
    code = (
        "import os, urllib.request; print(os.environ['NO_PROXY'], os.environ['no_proxy']);"
        "asked = urllib.request.Request(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'], headers="
        "{'Authorization': open(os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']).read()});"
        "print(urllib.request.urlopen(asked, timeout=20).status)"
    )
    # Nothing listens there: a request that went to the proxy would fail. Not of the sandbox's STS.
    command = ["env", "http_proxy=http://127.0.0.1:1", sys.executable, "-c", code]
    done = container.run("exec", "--", *command)
    kept = "sts.example,127.0.0.1"
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [kept, kept, "200"], "")


@pytest.mark.parametrize("directory", ["arguments", "JAVA_TOOL_OPTIONS"])
def test_a_java_property_with_precedence_is_named_and_nothing_is_started(
    directory: str, container: Container
) -> None:
    given = "-Daws.sharedCredentialsFile=/hush"
    if directory != "arguments":
        container.environ[directory] = given
    done = container.run("exec", "--", "echo", *([given] if directory == "arguments" else []))
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        f"-Daws.sharedCredentialsFile in {'the command' if directory == 'arguments' else directory}"
        in (done.stderr)
    )
    assert "/hush" not in done.stderr


def test_without_a_writable_directory_the_token_is_in_the_environment(
    container: Container,
) -> None:
    nowhere = container.directory / "nowhere"
    code = (
        "import sys; from irsa_creds.cli import _endpoint_token, main;"
        f"_endpoint_token._DIRECTORIES = ('{nowhere}',); sys.exit(main(sys.argv[1:]))"
    )
    container.environ["TMPDIR"] = str(nowhere)
    child = seen(container.python(code, "exec", "--", sys.executable, "-c", SEEN))
    assert TOKEN_FILE not in child
    assert len(child[TOKEN]) >= 43


def test_descriptors_that_a_shell_has_opened_are_the_commands(container: Container) -> None:
    command = shlex.join([*IRSA_CREDS, "exec", "--", "/bin/sh", "-c", "cat <&8; ls /proc/self/fd"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"echo hi | {{ exec 8<&0; {command}; }}"],
        env=container.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    # And none of irsa-creds, such as the endpoint's socket; `ls` has one of its own.
    assert (done.stderr, done.stdout.split()) == ("", ["hi", "0", "1", "2", "3", "8"])


def test_it_ends_with_the_commands_status(container: Container) -> None:
    assert container.exec("raise SystemExit(7)").returncode == 7


def test_it_exits_like_a_shell_if_a_signal_ended_the_command(container: Container) -> None:
    done = container.exec("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "status"),
    [("/nowhere/at-all", 127), ("/dev/null", 126)],
    ids=["missing", "no program"],
)
@pytest.mark.measures_children
def test_a_command_that_cannot_start_is_reported_as_in_a_shell(
    command: str, status: int, container: Container
) -> None:
    done = container.run("exec", "--", command)
    assert done.returncode == status
    assert command in done.stderr
    assert "Traceback" not in done.stderr
    assert list(container.temporary.iterdir()) == []


@pytest.mark.measures_children
def test_signals_are_passed_on_each_once(container: Container) -> None:
    names = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGRTMIN", "SIGTERM"]
    command = [sys.executable, "-c", LISTENING, *names]
    with container.start("exec", "--", *command) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        for name in names:
            process.send_signal(getattr(signal, name))
            assert process.stdout.readline().strip() == name
        assert process.wait(PATIENCE) == 3
    assert list(container.temporary.iterdir()) == []


@pytest.mark.measures_children
def test_signals_during_the_start_are_passed_on(
    container: Container,
) -> None:
    code = (
        "import os, signal, subprocess, sys; from irsa_creds.cli import main\n"
        "start = subprocess.Popen\n"
        "def told_meanwhile(*args, **more):\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        "    return start(*args, **more)\n"
        "subprocess.Popen = told_meanwhile\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = container.python(code, "exec", "--", "sleep", "60")
    assert (done.returncode, done.stderr) == (128 + signal.SIGUSR1, "")


@pytest.mark.measures_children
def test_ignored_signals_stay_ignored_for_the_child(container: Container) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    command = [*IRSA_CREDS, "exec", "--", sys.executable, "-c", code]
    done = subprocess.run(
        ["nohup", *command],
        env=container.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "True\n"


def test_an_ignored_signal_stays_ignored(container: Container) -> None:
    ignoring = (
        "import signal, sys; from irsa_creds.cli import main;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.exit(main(sys.argv[1:]))"
    )
    code = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)"
    done = container.python(ignoring, "exec", "--", sys.executable, "-c", code)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_child_blocks_no_signal(container: Container) -> None:
    done = container.exec("import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))")
    assert done.stdout == "set()\n"


def test_a_keyboards_signal_reaches_the_child_once(container: Container) -> None:
    # A terminal gives it to the whole foreground group: both processes.
    command = [*IRSA_CREDS, "exec", "--", sys.executable, "-c", LISTENING, "SIGINT", "SIGTERM"]
    leader, follower = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, *command],
        env=container.environ,
        stdin=follower,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(follower)
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        # Two signals at once may count as one, so the test checks its own later.
        process.send_signal(signal.SIGSTOP)
        os.write(leader, b"\x03")
        assert process.stdout.readline() == "SIGINT\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        # What is passed on comes in the order of the numbers, and this is the next.
        assert process.stdout.readline() == "SIGTERM\n"
        assert process.wait(PATIENCE) == 3
    os.close(leader)


# Takes the terminal that is its standard input as its own, and becomes the command.
SESSION = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.measures_children
def test_orphans_are_reaped_and_do_not_end_the_child(container: Container) -> None:
    # Like the first process of a container, this one becomes the parent of orphans.
    code = (
        "import ctypes, sys; assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0;"
        "from irsa_creds.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    orphan = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        while os.getppid() != int(sys.argv[1]): time.sleep(0.01)\n"
        "        os._exit(9)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        # The orphan has ended when this process has no other child.
        "children = f'/proc/{sys.argv[1]}/task/{sys.argv[1]}/children'\n"
        "while open(children).read().split() != [str(os.getpid())]: time.sleep(0.01)\n"
        "sys.exit(5)\n"
    )
    script = f"import os, sys; sys.argv = ['-c', str(os.getppid())]; exec({orphan!r})"
    done = container.python(code, "exec", "--", sys.executable, "-c", script)
    assert (done.returncode, done.stderr) == (5, "")


@pytest.mark.measures_children
def test_nothing_is_started_if_sts_denies(container: Container) -> None:
    container.sandbox.faults.fail("AccessDenied")
    done = container.exec("print('started')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "AccessDenied" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_before_the_command_has_started_ends_it(
    number: signal.Signals, container: Container
) -> None:
    container.sandbox.faults.outage = "black hole"
    with container.start("exec", "--", "echo", "started", stderr=subprocess.DEVNULL) as process:
        while not container.sandbox.sts_calls:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_profile_with_precedence_is_named_and_nothing_is_started(container: Container) -> None:
    config = container.home / "config"
    config.write_text("[default]\ncredential_process = /bin/false\n")
    container.environ["AWS_CONFIG_FILE"] = str(config)
    done = container.exec("print('started')")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"credential_process of the profile 'default' in {config}" in done.stderr
    assert "--no-files" in done.stderr
    assert "--force" in done.stderr
    assert container.given == []


@pytest.mark.measures_children
def test_an_identity_from_a_file_works_for_a_command_without_files(
    container: Container,
) -> None:
    config = container.home / "config"
    config.write_text(
        f"[default]\nrole_arn = {container.pod.role_arn}\n"
        f"web_identity_token_file = {container.pod.token_file}\nregion = eu-west-3\n"
        f"ca_bundle = {sys.executable}\n"
    )
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", *REGIONS):
        del container.environ[name]
    container.environ["AWS_CONFIG_FILE"] = str(config)
    denied = container.exec("print('started')")
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "role_arn of the profile 'default'" in denied.stderr
    done = container.exec(SEEN, "--no-files")
    child = json.loads(done.stdout)
    assert [child[name] for name in FILES] == [os.devnull] * len(FILES)
    # The other settings of the file would be lost.
    assert child["AWS_REGION"] == child["AWS_DEFAULT_REGION"] == "eu-west-3"
    assert "ca_bundle of the profile 'default': set AWS_CA_BUNDLE" in done.stderr


def test_the_region_of_a_hidden_profile_stays_and_other_settings_are_warned_about(
    container: Container,
) -> None:
    config = container.home / "config"
    config.write_text(
        f"[profile dev]\nregion = eu-west-3\nca_bundle = {sys.executable}\n"
        "endpoint_url = https://x.example\n"
    )
    for name in REGIONS:
        del container.environ[name]
    container.environ |= {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "dev"}
    container.environ["AWS_ENDPOINT_URL"] = container.environ["AWS_ENDPOINT_URL_STS"]
    done = container.exec(SEEN)
    child = json.loads(done.stdout)
    assert child["AWS_REGION"] == child["AWS_DEFAULT_REGION"] == "eu-west-3"
    assert done.stderr == (
        "irsa-creds: warning: the command does not get ca_bundle of the profile 'dev': "
        "set AWS_CA_BUNDLE.\n"
    )


def test_the_region_option_is_the_childs_default(
    container: Container,
) -> None:
    for name in REGIONS:
        del container.environ[name]
    assert seen(container.exec(SEEN, "--region", "eu-west-3"))["AWS_REGION"] == "eu-west-3"


@pytest.mark.parametrize(("own", "given"), [(None, "true"), ("false", "false")])
def test_the_metadata_service_is_disabled_by_default(
    own: str | None, given: str, container: Container
) -> None:
    container.environ.pop("AWS_EC2_METADATA_DISABLED", None)
    if own is not None:
        container.environ["AWS_EC2_METADATA_DISABLED"] = own
    assert seen(container.exec(SEEN))["AWS_EC2_METADATA_DISABLED"] == given


@pytest.mark.measures_children
def test_force_runs_the_command_with_a_warning(container: Container) -> None:
    config = container.home / "config"
    config.write_text("[default]\ncredential_process = /bin/false\n")
    container.environ["AWS_CONFIG_FILE"] = str(config)
    done = container.exec("print('started')", "--force")
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert "warning" in done.stderr
    assert "credential_process" in done.stderr


def test_the_commands_own_options_are_the_commands(container: Container) -> None:
    done = container.run("exec", "echo", "--json", "--", "-h")
    assert done.stdout == "--json -- -h\n"


@pytest.mark.parametrize("argv", [["--"], ["--", ""]], ids=["nothing", "empty"])
def test_without_a_command_it_is_wrong_usage(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", *argv]) == 2
    assert "irsa-creds exec -- COMMAND" in capsys.readouterr().err


def test_a_system_without_sigwaitinfo_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(signal, "sigwaitinfo")
    assert main(["exec", "--", "true"]) == 2
    assert "serve" in capsys.readouterr().err


def test_the_tokens_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with _endpoint_token.token_file("secret") as path:
            assert path is not None
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert not path.parent.exists()


def test_a_full_directory_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, roomy = tmp_path / "full", tmp_path / "roomy"
    opened = os.fdopen

    def limited(descriptor: int, mode: str) -> IO[str]:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(full):
            # As a full tmpfs has it: a file can be made, but nothing comes into it.
            with Path("/dev/full").open("wb") as device:
                os.dup2(device.fileno(), descriptor, inheritable=False)
        return opened(descriptor, mode)

    for directory in (full, roomy):
        directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(full))
    monkeypatch.setattr(_endpoint_token, "_DIRECTORIES", (str(roomy),))
    monkeypatch.setattr(os, "fdopen", limited)
    with _endpoint_token.token_file("secret") as path:
        assert path is not None
        assert path.is_relative_to(roomy)
        assert path.read_text() == "secret"
    assert [*full.iterdir(), *roomy.iterdir()] == []
