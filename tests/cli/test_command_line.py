"""Common behavior of all commands: help, streams, color, exit statuses."""

from __future__ import annotations

import fcntl
import importlib
import io
import json
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, TextIO

import pytest

from cli.container import IRSA_CREDS, PATIENCE
from irsa_creds import ConfigError, __version__
from irsa_creds._errors import Failure
from irsa_creds.cli import _whoami, main
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._parser import COMMANDS
from irsa_creds.cli._print import Printer, Styled, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.container import Container


def usage(*argv: str) -> int:
    """Return the exit status of a command that argparse ends."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    status = ended.value.code
    assert isinstance(status, int)
    return status


@pytest.fixture
def doing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Printer], int]], None]:
    """Let `whoami` do something else."""

    def do(what: Callable[[Printer], int]) -> None:
        monkeypatch.setattr(_whoami, "run", lambda _, out: what(out))

    return do


def raising(error: BaseException) -> Callable[[Printer], int]:
    def do(_: Printer) -> int:
        raise error

    return do


# -- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", ["-h", "--help"])
def test_help_names_every_command_and_shows_examples(
    ask: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage(ask) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for name, (_, line) in COMMANDS.items():
        assert name in said.out
        assert line in said.out
    assert "irsa-creds exec -- aws s3 ls" in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_teaches_by_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage(name, "--help") == 0
    said = capsys.readouterr().out
    assert f"irsa-creds {name}" in said.partition("examples:")[2]
    assert "--json" in said


@pytest.mark.parametrize("name", ["", *COMMANDS])
@pytest.mark.parametrize("width", [60, 80])
def test_help_is_as_wide_as_the_terminal_except_for_commands(
    name: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert usage(*name.split(), "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    examples = lines.index("examples:")
    ends = (at for at, line in enumerate(lines) if at > examples and line[:1] != " ")
    end = next(ends, len(lines))
    assert max(map(len, lines[:examples])) <= width
    if width == 80:
        assert max(map(len, ["", *lines[end:]])) <= width


def test_help_fills_the_lines_of_a_wide_terminal_up_to_a_hundred_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert usage("whoami", "--help") == 0
    assert 90 < max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_help_of_all_imports_no_command() -> None:
    code = (
        "import sys; from irsa_creds.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('irsa_creds.cli')), file=sys.stderr)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    own = [f"irsa_creds.cli{name}" for name in ("", "._errors", "._parser", "._print")]
    assert said.stderr.strip() == str(own)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert usage("--version") == 0
    assert capsys.readouterr().out == f"irsa-creds {__version__}\n"


def test_python_m_irsa_creds_is_the_same() -> None:
    said = subprocess.check_output([*IRSA_CREDS, "--version"], text=True, timeout=PATIENCE)
    assert said == f"irsa-creds {__version__}\n"


def test_importing_main_runs_nothing() -> None:
    assert importlib.import_module("irsa_creds.__main__").main is main


@pytest.mark.parametrize(
    "argv",
    [(), ("dance",), ("--json",), ("whoami", "--sing"), ("whoami", "--js"), ("whoami", "more")],
    ids=["nothing", "no command", "no command's option", "no option", "cut short", "too much"],
)
def test_wrong_usage_is_printed_on_standard_error(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage(*argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "usage: irsa-creds" in said.err


def test_arguments_come_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["irsa-creds", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert __version__ in capsys.readouterr().out


def test_json_makes_wrong_usage_an_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert usage("whoami", "--sing", "--json") == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["type"] == "UsageError"
    assert "--sing" in error["message"]


def test_json_for_the_command_is_not_for_us(capsys: pytest.CaptureFixture[str]) -> None:
    assert usage("exec", "--sing", "--", "echo", "--json") == 2
    assert capsys.readouterr().err.startswith("irsa-creds: error: ")


def test_json_may_come_before_the_command(
    doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(ConfigError("No.")))
    assert main(["--json", "whoami"]) == 1
    assert json.loads(capsys.readouterr().err)["error"]["message"] == "No."


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--role-arn", "reader"),
        ("--token-file", ""),
        ("--session-name", "ö"),
        ("--duration-seconds", "-1"),
        ("--region", "no region"),
        ("--profile", "nowhere"),
    ],
)
@pytest.mark.measures_children
def test_an_option_that_is_malformed_is_wrong_usage(
    option: str, value: str, container: Container
) -> None:
    done = container.run("whoami", f"{option}={value}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"irsa-creds: error: {option} ")


# -- how it ends -----------------------------------------------------------------------------------


def test_an_error_of_ours_is_lines_on_standard_error(
    doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(ConfigError("AWS_ROLE_ARN is 'x'.\nSet it.")))
    assert main(["whoami"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "irsa-creds: error: AWS_ROLE_ARN is 'x'.\nSet it.\n")


def test_under_json_an_error_is_an_object(
    doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(Failure("exchange", "AccessDenied", "No.").error()))
    assert main(["whoami", "--json"]) == 1
    said = capsys.readouterr()
    error = json.loads(said.err)["error"]
    assert (error["type"], error["code"]) == ("ExchangeError", "AccessDenied")
    assert "No." in error["message"]
    assert said.out == ""


def test_wrong_usage_that_a_command_finds_ends_with_2(
    doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(UsageError("no such thing")))
    assert main(["whoami"]) == 2
    assert capsys.readouterr().err == "irsa-creds: error: no such thing\n"


def test_an_interrupt_ends_it_like_a_shell_reports_it(
    doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(KeyboardInterrupt()))
    assert main(["whoami"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.measures_children
def test_a_closed_pipe_is_not_an_error(container: Container) -> None:
    with container.start("whoami", stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 141


# Not 0, 1 or 3, which have meanings of their own.
@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=str,
)
def test_a_system_error_is_reported(
    error: Exception, fields: str, doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(error))
    assert main(["whoami"]) == 70
    assert capsys.readouterr().err == f"irsa-creds: error: {fields}\n"


def test_a_bug_is_reported_with_its_place_and_no_value(
    doing: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    doing(raising(ValueError("a secret")))
    assert main(["whoami", "--json"]) == 70
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["type"] == "ValueError"
    assert f"{__file__}:" in error["message"]
    assert "a secret" not in error["message"]


def redirected(container: Container, command: str, to: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a shell redirects them, and buffered as a rule."""
    container.environ.pop("PYTHONUNBUFFERED", None)
    return subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join([*IRSA_CREDS, *command.split()])} {to}"],
        env=container.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("to", "why"), [(">&-", "Standard output is closed"), (">/dev/full", "No space left on device")]
)
@pytest.mark.parametrize("command", ["whoami", "process --no-cache", "serve"])
@pytest.mark.measures_children
def test_closed_standard_output_is_an_error(
    command: str, to: str, why: str, container: Container
) -> None:
    done = redirected(container, command, to)
    assert done.returncode == 70
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [each.name for each in container.temporary.iterdir() if command == "serve"] == []


def test_without_a_stream_for_errors_the_status_is_the_same(container: Container) -> None:
    done = redirected(container, "whoami --role-arn x", "2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_the_output_of_a_command_that_prints_nothing_may_be_closed(container: Container) -> None:
    done = redirected(container, "exec -- true", ">&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("argv", [["whoami"], ["--", "whoami"]], ids=" ".join)
def test_the_status_is_the_commands(argv: list[str], doing: Callable[..., None]) -> None:
    doing(lambda _: 3)
    assert main(argv) == 3


def test_a_locale_that_cannot_encode_a_character_causes_no_error(container: Container) -> None:
    container.environ |= {"PYTHONIOENCODING": "ascii", "AWS_ROLE_SESSION_NAME": "ö"}
    done = container.run("whoami")
    assert done.returncode == 1
    assert "\\xf6" in done.stderr
    assert "Traceback" not in done.stderr


def test_streams_of_another_kind_are_taken_as_they_are(
    doing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    def say(out: Printer) -> int:
        out.line("hello")
        return 0

    doing(say)
    assert main(["whoami"]) == 0
    assert stream.getvalue() == "hello\n"


# -- how it looks ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colored"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm"}, True),
    ],
    ids=str,
)
def test_a_terminal_gets_color_unless_it_is_disabled(
    environ: dict[str, str],
    colored: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    stdout, stderr = Terminal(), Terminal()
    out = Printer(stdout, stderr, environ)
    out.line(Styled("fail", "fail"))
    out.error("no role")
    assert ("\x1b[31mfail\x1b[0m" in stdout.getvalue()) is colored
    assert ("\x1b[31mirsa-creds: error:\x1b[0m" in stderr.getvalue()) is colored


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """Both ends of a terminal."""
    own, others = pty.openpty()
    with os.fdopen(others, "w") as stream:
        yield own, stream
    os.close(own)


@pytest.mark.parametrize(("wide", "expected"), [(80, 80), (300, 100), (10, 40), (0, 100)])
def test_a_line_is_as_wide_as_the_terminal_up_to_a_hundred_columns(
    wide: int, expected: int, terminal: tuple[int, TextIO]
) -> None:
    own, stream = terminal
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 24, wide, 0, 0))
    assert columns(stream) == expected
    assert Printer(stream, io.StringIO(), {}).width == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("72", 72), ("500", 100), ("1", 40), ("0", 100), ("wide", 80), ("9" * 5000, 80), ("²", 80)],
    ids=lambda value: str(value)[:8],
)
def test_columns_sets_the_width_if_it_is_a_number(
    value: str, expected: int, terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, stream = terminal
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    monkeypatch.setenv("COLUMNS", value)
    assert columns(stream) == expected


def test_output_without_a_terminal_has_100_columns(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert columns(file) == 100
    assert columns(io.StringIO()) == 100
    assert columns(None) == 100


def test_a_file_gets_no_color_if_the_other_stream_is_a_terminal() -> None:
    stdout, stderr = io.StringIO(), Terminal()
    out = Printer(stdout, stderr, {})
    out.heading("Who")
    out.dim("less")
    out.line(Styled("deny", "deny"), ": ", "why")
    out.note("by the way")
    assert stdout.getvalue() == "Who\nless\ndeny: why\n"
    assert stderr.getvalue() == "by the way\n"


def test_control_characters_are_escaped() -> None:
    stdout = Terminal()
    out = Printer(stdout, io.StringIO(), {})
    out.line("a\x1b[2Jb\rc\x9b d\u202ee", Styled("x\x1by\x07", "ok"), "\tkept\nkept")
    assert stdout.getvalue() == (
        "a\\x1b[2Jb\\rc\\x9b d\\u202ee\x1b[32mx\\x1by\\x07\x1b[0m\tkept\nkept\n"
    )


@pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069")
def test_invisible_line_breaks_and_marks_are_escaped(mark: str) -> None:
    stdout = io.StringIO()
    Printer(stdout, io.StringIO(), {}).line(f"a{mark}b")
    assert stdout.getvalue() == f"a\\u{ord(mark):04x}b\n"


def test_json_begins_with_the_version_of_its_schema() -> None:
    stdout = io.StringIO()
    Printer(stdout, io.StringIO(), {}, json=True).emit({"name": "ö\x1b"})
    assert json.loads(stdout.getvalue()) == {"schema": 1, "name": "ö\x1b"}
    assert stdout.getvalue().isascii()
    assert "\x1b" not in stdout.getvalue()
