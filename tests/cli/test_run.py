"""`run`: a Python program that is as it would be alone, but for `install()`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.container import IRSA_CREDS, PATIENCE
from irsa_creds._sitecustomize import sitecustomize
from irsa_creds.cli import _run, main

if TYPE_CHECKING:
    from cli.container import Container

HOOK = str(_run.HOOK)
RUN_PID = "IRSA_CREDS_RUN_PID"
OURS = "irsa_creds.botocore\n"
# The module of the credentials' class; irsa-creds has its own.
SHOW = "import boto3; print(type(boto3.Session().get_credentials()).__module__)\n"
# The same in a worker of a pool, at the import of the program's own module.
POOL = """\
import multiprocessing, sys
import boto3
FOUND = type(boto3.Session().get_credentials()).__module__
def found(_): return FOUND
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(*pool.map(found, [0]))
"""
SUBPROCESS = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True)"
# A tool's `sitecustomize` that runs the next one, as ddtrace-run has it.
CHAINING = """\
import os, sys
here = os.path.dirname(__file__)
place = sys.path.index(here)
del sys.path[place]
this = sys.modules.pop("sitecustomize")
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = this
finally:
    sys.path.insert(place, here)
"""
# A tool's `sitecustomize` that runs no other one but entry points, as opentelemetry-instrument's.
HIDING = """\
from importlib.metadata import entry_points
for each in entry_points(group="opentelemetry_pre_instrument"):
    each.load()()
"""
# For a hidden `sitecustomize`: an environment without irsa-creds.
WITHOUT_IRSA_CREDS = """\
import os, sys
sys.path[:] = [each for each in sys.path if not os.path.isdir(os.path.join(each, "irsa_creds"))]
"""


def write(path: Path, text: str) -> Path:
    """Write a file in a directory that may be new."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def executable(path: Path, text: str) -> Path:
    write(path, text).chmod(0o755)
    return path


def run(container: Container, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    container.environ |= more
    return container.run("run", *args)


def direct(container: Container, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the program without `run`."""
    return container._run(*args)


def hooked(
    container: Container, path: Path, *args: str, stderr: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Python as `run` does, with a directory of PYTHONPATH that `run` itself does not get."""
    container.environ["PYTHONPATH"] = os.pathsep.join([HOOK, str(path)])
    start = f'{RUN_PID}=$$ exec "$0" "$@" {stderr}'
    return direct(container, "sh", "-c", start, sys.executable, *args)


def output(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a program that succeeded and said nothing else."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of a virtual environment without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


# -- which processes -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["script", "code", "module", "own module", "console script"])
@pytest.mark.measures_children
def test_each_kind_of_python_program_uses_irsa_creds(
    kind: str, container: Container, tmp_path: Path
) -> None:
    script = write(tmp_path / "app" / "shows.py", SHOW)
    executable(tmp_path / "bin" / "shows", f"#!{sys.executable}\n{SHOW}")
    container.environ |= {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(script.parent),
    }
    program = {
        "script": [sys.executable, str(script)],
        "code": [sys.executable, "-c", SHOW],
        "module": [sys.executable, "-m", "shows"],
        "own module": ["-m", "shows"],
        "console script": ["shows"],
    }[kind]
    assert output(run(container, "--", *program)) == OURS


def test_a_program_that_knows_nothing_of_it_reads_a_bucket(container: Container) -> None:
    code = (
        "import boto3; s3 = boto3.client('s3');"
        "print(s3.get_object(Bucket='data', Key='greeting')['Body'].read().decode())"
    )
    assert output(run(container, "--", sys.executable, "-c", code)) == "hello\n"
    assert [each.access_key_id for each in container.sandbox.s3_identities] == container.given


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_worker_of_a_pool_uses_irsa_creds(
    method: str, container: Container, tmp_path: Path
) -> None:
    program = write(tmp_path / "app" / "pool.py", POOL)
    # Below the container's own, the path of a forkserver's socket would be too long.
    with tempfile.TemporaryDirectory() as short:
        done = run(container, "--", sys.executable, str(program), method, TMPDIR=short)
    assert output(done) == OURS


@pytest.mark.parametrize("program", [["-c", SUBPROCESS], ["-Wignore", "-c", SUBPROCESS]])
def test_a_python_that_the_program_starts_uses_irsa_creds(
    program: list[str], container: Container
) -> None:
    assert output(run(container, "--", sys.executable, *program, "-c", SHOW)) == OURS


def test_aiobotocore_uses_irsa_creds(container: Container) -> None:
    pytest.importorskip("aiobotocore")
    code = (
        "import asyncio; from aiobotocore.session import AioSession;"
        "print(type(asyncio.run(AioSession().get_credentials())).__module__)"
    )
    found = output(run(container, "--", sys.executable, "-c", code))
    assert found == "irsa_creds.aiobotocore\n"


def test_a_process_without_sessions_imports_neither_irsa_creds_nor_botocore(
    container: Container,
) -> None:
    code = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    alone = json.loads(output(direct(container, sys.executable, "-c", code)))
    below = json.loads(output(run(container, "--", sys.executable, "-c", code)))
    assert {*below} - {*alone} <= {"sitecustomize"}


def test_an_uninstalled_program_stays_so(container: Container) -> None:
    code = "import boto3, irsa_creds; boto3.Session(); irsa_creds.uninstall();" + SHOW
    assert output(run(container, "--", sys.executable, "-c", code)) == "botocore.credentials\n"


# -- programs without irsa-creds -------------------------------------------------------------------


def test_a_python_without_irsa_creds_runs_with_one_line_that_says_so(
    bare: str, container: Container
) -> None:
    code = "import os, sys; os.system(f'{sys.executable} -c pass'); print(1); sys.exit(5)"
    done = run(container, "--", bare, "-c", code)
    assert (done.returncode, done.stdout) == (5, "1\n")
    assert done.stderr == f"irsa-creds run: {bare} runs without it: no module irsa_creds.\n"


@pytest.mark.parametrize("where", ["beside the script", "in the directory"])
def test_irsa_creds_beside_the_program_is_found(
    where: str, bare: str, container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "app" / "irsa_creds.py", "")
    script = write(tmp_path / "app" / "__main__.py", "")
    program = script if where == "beside the script" else script.parent
    assert output(run(container, "--", bare, str(program))) == ""


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
@pytest.mark.measures_children
def test_the_line_needs_no_standard_error(
    stderr: str, container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "sitecustomize.py", WITHOUT_IRSA_CREDS)
    done = hooked(container, tmp_path, "-c", "import os; os.write(1, b'1')", stderr=stderr)
    assert (done.stdout, done.stderr) == ("1", "")


@pytest.mark.measures_children
def test_a_child_without_irsa_creds_says_so_at_its_first_session(
    container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "sitecustomize.py", WITHOUT_IRSA_CREDS)
    code = "import boto3; boto3.Session(); boto3.Session(); print(1)"
    done = hooked(container, tmp_path, "-c", SUBPROCESS, "-c", code)
    line = f"irsa-creds run: {sys.executable} runs without it: no module irsa_creds.\n"
    # One line of the program, one of its child.
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", line + line)


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("def install(): raise OSError('of two\\nlines')", r"OSError('of two\nlines')"),
        ("import nonesuch", "no module nonesuch"),
    ],
)
@pytest.mark.measures_children
def test_an_error_of_install_is_one_line_and_the_program_runs(
    package: str, reason: str, container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "irsa_creds.py", package)
    code = "import boto3; boto3.Session(); print(type(boto3.Session()).__name__)"
    done = hooked(container, tmp_path, "-c", code)
    assert (done.returncode, done.stdout) == (0, "Session\n")
    assert done.stderr == f"irsa-creds run: {sys.executable} runs without it: {reason}.\n"


@pytest.mark.measures_children
def test_with_strict_an_error_of_install_is_the_error_of_each_session(
    container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "irsa_creds.py", "def install(): raise OSError('broken')")
    container.environ["IRSA_CREDS_STRICT"] = "1"
    code = """
import botocore.session
for _ in range(2):
    try: botocore.session.Session()
    except RuntimeError as error: print(error)
"""
    done = hooked(container, tmp_path, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == second
    assert first.startswith(f"irsa-creds run --strict: {sys.executable} cannot use irsa-creds")
    assert "OSError('broken')" in first


@pytest.mark.measures_children
def test_an_old_botocore_is_one_line_and_the_program_runs(
    container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "botocore" / "__init__.py", "")
    write(tmp_path / "botocore" / "session.py", "print(1)")
    done = hooked(container, tmp_path, "-c", "import botocore.session")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.endswith(" runs without it: its botocore is too old.\n")


@pytest.mark.parametrize("program", ["sh", "/bin/sh"])
@pytest.mark.measures_children
def test_another_program_runs_with_one_line_that_says_so(
    program: str, container: Container
) -> None:
    done = run(container, "--", program, "-c", 'echo "$1"; exit 3', "sh", "a  b")
    assert (done.returncode, done.stdout) == (3, "a  b\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"irsa-creds run: {program} is not a Python program.")


def test_a_python_below_another_program_uses_irsa_creds(container: Container) -> None:
    done = run(container, "--", "sh", "-c", '"$0" -c "$1"', sys.executable, SHOW)
    assert (done.returncode, done.stdout) == (0, OURS)


@pytest.mark.parametrize(
    ("arguments", "ignored"),
    [
        ("python -I app.py", True),
        ("python3 -bE app.py", True),
        ("/usr/bin/python3.13t -X dev -WI -uS app.py", True),
        ("pypy3 -m app -I", False),
        ("python -cI -E", False),
        ("python -Xdev -W error app.py -I", False),
        ("python -X E - -I", False),
        ("python --version -I", False),
        ("python", False),
    ],
)
def test_options_of_python_that_ignore_the_environment_are_reported(
    arguments: str, *, ignored: bool
) -> None:
    remark = _run._remark_on(arguments.split())
    assert (remark is not None) == ignored
    assert remark is None or remark.endswith("Python has the option -E, -I or -S.")


@pytest.mark.parametrize(
    ("start", "remark"),
    [
        ("#!/usr/bin/python3\n", None),
        ("#!/usr/bin/python3 -Es\n", "option"),
        ("#! /usr/bin/env python3\n", None),
        ("#!/usr/bin/env -S python3 -I\n", "option"),
        ("#!/bin/sh\n'''exec' \"/a long/path/bin/python\" \"$0\" \"$@\"\n' '''\n", None),
        ("#!/bin/sh\necho 1\npython -I\n", "not a Python program"),
        ("\x7fELF", "not a Python program"),
    ],
)
def test_the_first_lines_of_a_script_tell_its_language(
    start: str, remark: str | None, tmp_path: Path
) -> None:
    program = str(executable(tmp_path / "program", start))
    found = _run._remark_on([program])
    assert found is None if remark is None else remark in (found or "")


def test_a_program_that_cannot_be_read_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = executable(tmp_path / "program", "")

    def denied(self: Path, mode: str) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", denied)
    assert _run._remark_on([str(program)]) is None


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_python_with_such_an_option_runs_unharmed(option: str, container: Container) -> None:
    done = run(container, "--", sys.executable, option, "-c", "print(1)")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert len(done.stderr.splitlines()) == 1


# -- beside another sitecustomize ------------------------------------------------------------------


@pytest.mark.measures_children
def test_a_sitecustomize_that_is_already_there_runs_once(
    container: Container, tmp_path: Path
) -> None:
    text = "import sys; print(__file__); sys.path.append('added')"
    theirs = write(tmp_path / "theirs" / "sitecustomize.py", text)
    code = (
        "import sys, sitecustomize; print(sitecustomize.__file__); print(sys.path[-1]);"
        "print(sys.path[0] == '')\n" + SHOW
    )
    found = run(container, "--", sys.executable, "-c", code, PYTHONPATH=str(theirs.parent))
    # The first line is of the process of `run`.
    assert output(found).splitlines() == [*[str(theirs)] * 3, "added", "True", OURS.strip()]


def test_without_another_sitecustomize_that_of_run_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process, because the Python of a distribution may have one.
    monkeypatch.setattr(sys, "path", [HOOK])
    monkeypatch.setitem(sys.modules, "sitecustomize", sitecustomize)
    sitecustomize._run_hidden_one()
    assert sys.modules["sitecustomize"] is sitecustomize
    assert sys.path == [HOOK]


@pytest.mark.measures_children
def test_a_broken_sitecustomize_is_reported_as_without_run(
    container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "theirs" / "sitecustomize.py", "import nonesuch")
    container.environ["PYTHONPATH"] = str(tmp_path / "theirs")
    alone = direct(container, sys.executable, "-c", "pass")
    below = run(container, "--", sys.executable, "-c", SHOW)
    assert "nonesuch" in alone.stderr
    # Once of the process of `run`, once of the program.
    assert (below.returncode, below.stdout, below.stderr) == (0, OURS, 2 * alone.stderr)


@pytest.mark.measures_children
def test_a_botocore_that_a_sitecustomize_has_imported_uses_irsa_creds(
    container: Container, tmp_path: Path
) -> None:
    write(tmp_path / "tool" / "sitecustomize.py", "import botocore.session\n" + CHAINING)
    container.environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "tool"), HOOK])
    assert output(direct(container, sys.executable, "-c", SHOW)) == OURS


@pytest.mark.parametrize("order", ["tool first", "tool last", "all twice"])
def test_a_tool_with_a_sitecustomize_of_its_own_and_irsa_creds_run_both(
    order: str, container: Container, tmp_path: Path
) -> None:
    text = CHAINING + "print('tool')\n"
    tool = str(write(tmp_path / "tool" / "sitecustomize.py", text).parent)
    (tmp_path / "alias").symlink_to(HOOK)
    path = {
        "tool first": [tool, HOOK],
        "tool last": [HOOK, tool],
        "all twice": [HOOK, tool, str(tmp_path / "alias"), HOOK, tool],
    }[order]
    container.environ["PYTHONPATH"] = os.pathsep.join(path)
    assert output(direct(container, sys.executable, "-c", SHOW)) == f"tool\n{OURS}"


@pytest.mark.measures_children
def test_a_tool_that_hides_it_calls_its_entry_point(container: Container, tmp_path: Path) -> None:
    tool = write(tmp_path / "tool" / "sitecustomize.py", HIDING).parent
    hidden = {RUN_PID: "1", "PYTHONPATH": os.pathsep.join([str(tool), HOOK])}
    container.environ |= hidden
    assert output(direct(container, sys.executable, "-c", SHOW)) == OURS
    del container.environ[RUN_PID]
    assert output(direct(container, sys.executable, "-c", SHOW)) == "botocore.credentials\n"


# -- its environment -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "/a", "/a::/b"])
def test_pythonpath_gets_one_directory_and_no_empty_entry(
    value: str | None, container: Container
) -> None:
    container.environ.pop("PYTHONPATH", None)
    if value is not None:
        container.environ["PYTHONPATH"] = value
    code = "import os, sys; print(os.environ['PYTHONPATH']); print(sys.path[1:])"
    path, entries = output(run(container, "--", sys.executable, "-c", code)).splitlines()
    alone = output(direct(container, sys.executable, "-c", "import sys; print(sys.path[1:])"))
    assert path == (f"{HOOK}:{value}" if value else HOOK)
    assert entries == alone.strip().replace("[", f"[{HOOK!r}, ", 1)


def test_the_rest_of_the_environment_is_unchanged(container: Container) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    alone = json.loads(output(direct(container, sys.executable, "-c", code)))
    below = json.loads(output(run(container, "--", sys.executable, "-c", code)))
    changed = {name for name, _ in alone.items() ^ below.items()}
    assert {name for name in changed if "COVERAGE" not in name} == {"PYTHONPATH", RUN_PID}


@pytest.mark.measures_children
def test_strict_is_for_every_process(container: Container) -> None:
    code = (
        "import boto3, botocore.exceptions\n"
        "try: boto3.client('s3', region_name='eu-west-1').list_buckets()\n"
        "except botocore.exceptions.BotoCoreError as error: print(type(error).__module__)"
    )
    container.environ |= {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    del container.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]
    program = [sys.executable, "-c", SUBPROCESS, "-c", code]
    assert output(run(container, "--strict", "--", *program)) == OURS
    assert output(run(container, "--", sys.executable, "-c", SHOW)) == "botocore.credentials\n"


@pytest.mark.measures_children
def test_the_processes_share_the_cache(container: Container, tmp_path: Path) -> None:
    read = (
        "import boto3, os; os.chdir('/');"
        "boto3.client('s3').get_object(Bucket='data', Key='greeting');"
    )
    code = read + f"import subprocess, sys; subprocess.run([sys.executable, '-c', {read!r}])"
    (tmp_path / "cache").mkdir(mode=0o700)
    folder = os.path.relpath(tmp_path / "cache")
    output(run(container, "--shared-cache", folder, "--", sys.executable, "-c", code))
    assert len(container.sandbox.s3_identities) == 2
    assert len(container.given) == 1
    assert list((tmp_path / "cache").iterdir())


# -- exec ------------------------------------------------------------------------------------------


def test_it_becomes_the_program_which_gets_signals_itself(container: Container) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with container.start("run", "--", sys.executable, "-c", code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{process.pid}\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM


def test_the_exit_status_and_the_streams_are_the_programs(container: Container) -> None:
    code = "import sys; sys.stderr.write(sys.stdin.read()); sys.exit(7)"
    done = subprocess.run(
        [*IRSA_CREDS, "run", "--", sys.executable, "-c", code],
        env=container.environ,
        input="in",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "in")


def test_signals_that_python_ignores_are_not_ignored_in_the_program(container: Container) -> None:
    command = ["grep", "SigIgn", "/proc/self/status"]
    assert run(container, "--", *command).stdout == output(direct(container, *command))


@pytest.mark.parametrize(
    ("program", "status", "text"),
    [
        ("nonesuch", 127, "nonesuch: No such file or directory"),
        ("/nonesuch", 127, "/nonesuch: No such file or directory"),
        ("/etc/passwd", 126, "/etc/passwd: Permission denied"),
    ],
)
@pytest.mark.measures_children
def test_a_program_that_cannot_be_run_is_an_error_as_of_exec(
    program: str, status: int, text: str, container: Container
) -> None:
    done = run(container, "--", program)
    assert (done.returncode, done.stderr) == (status, f"irsa-creds: error: {text}\n")
    error = json.loads(container.run("--json", "run", "--", program).stderr)["error"]
    assert error == {"type": "CommandError", "code": None, "message": text}


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--"],
        ["--", ""],
        ["--shared-cache", "", "--", "true"],
        ["--strict", "--", "python", "-I", "app.py"],
    ],
)
def test_wrong_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *argv]) == 2
    assert "irsa-creds: error: " in capsys.readouterr().err


def test_a_system_without_exec_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fork")
    assert main(["run", "--", "true"]) == 2
    assert "irsa_creds.install()" in capsys.readouterr().err
