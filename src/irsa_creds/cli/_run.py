"""`run`: run a Python program in which `install()` is called before its first line."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from irsa_creds.cli._errors import NOT_EXECUTABLE, NOT_FOUND, UsageError
from irsa_creds.cli._parser import command_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer

__all__ = ["HOOK", "add", "run"]

_DESCRIPTION = """\
Run a Python program as if irsa_creds.install() stood before its first line, and before the first
line of each Python process that it starts. The program needs irsa-creds in its own environment. It
replaces this command, so it has the same process id, and signals and exit status are its own. For
other languages use 'irsa-creds exec'."""

_STATUS = """\
exit status:
  the program's own; 127 or 126 if it is not found or cannot be run."""

#: The directory that PYTHONPATH gets.
HOOK = Path(__file__).resolve().parents[1] / "_sitecustomize"
_PYTHON = r"(.*/)?(python|pypy)[0-9.]*t?"
# Python ignores these signals, and the program would inherit that.
_IGNORED_SIGNALS = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")
# Bytes: more than two lines with paths have.
_FIRST_LINES = 4096


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "run",
        description=_DESCRIPTION,
        examples=(
            ("a program", "irsa-creds run -- python app.py"),
            ("a server, in a Dockerfile", 'ENTRYPOINT ["irsa-creds", "run", "--", "gunicorn"]'),
            ("a module of this Python", "irsa-creds run -- -m celery -A tasks worker"),
        ),
        after=_STATUS,
        usage="irsa-creds run [options] -- PROGRAM [ARGUMENT ...]",
    )
    parser.add_argument(
        "--strict", action="store_true", help="as install(strict=True): no other credentials"
    )
    parser.add_argument(
        "--shared-cache",
        metavar="DIR",
        help="share credentials with the pod's other processes in this directory",
    )
    parser.add_argument(
        "argv", nargs=argparse.REMAINDER, metavar="PROGRAM", help="the program to run"
    )


def run(args: argparse.Namespace, out: Printer) -> int:
    """Run the command; return only if the program cannot be run."""
    argv = command_in(args.argv, usage="run needs a program: irsa-creds run -- python app.py")
    if not hasattr(os, "fork"):
        # On Windows, exec starts another process and ends this one immediately.
        raise UsageError(
            "run needs a system on which a program can replace another one, such as Linux. "
            "Call irsa_creds.install() in the program."
        )
    if argv[0] == "-m":
        argv = [sys.executable, *argv]
    environ = _environ_for(args)
    if remark := _remark_on(argv, strict=args.strict):
        out.note(f"irsa-creds run: {remark}")
    for name in _IGNORED_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, environ)  # noqa: S606 - the user's own program, without a shell
    except OSError as error:
        out.error(f"{argv[0]}: {error.strerror}", kind="CommandError")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


def _environ_for(args: argparse.Namespace) -> dict[str, str]:
    """Return the program's environment."""
    environ = {**os.environ, "IRSA_CREDS_RUN_PID": str(os.getpid())}
    if args.strict:
        environ["IRSA_CREDS_STRICT"] = "1"
    if args.shared_cache is not None:
        if not args.shared_cache:
            raise UsageError("--shared-cache needs a directory.")
        # The program's processes may have other working directories.
        environ["IRSA_CREDS_CACHE_DIR"] = str(Path(args.shared_cache).absolute())
    hook, others = str(HOOK), environ.get("PYTHONPATH")
    # An empty entry would be the current directory.
    environ["PYTHONPATH"] = f"{hook}{os.pathsep}{others}" if others else hook
    return environ


def _remark_on(argv: Sequence[str], *, strict: bool = False) -> str | None:
    """Return a remark if the program itself will not use irsa-creds.

    Raises:
        UsageError: it is a Python program that could use other credentials in spite of `strict`.
    """
    name, options = argv[0], argv[1:]
    if not re.fullmatch(_PYTHON, name):
        words = _first_words(name)
        if words is None:
            return None
        place = next((n for n, word in enumerate(words) if re.fullmatch(_PYTHON, word)), None)
        if place is None:
            return (
                f"{name} is not a Python program. Python programs that it starts use irsa-creds; "
                "for other languages use 'irsa-creds exec'."
            )
        options = words[place + 1 :]
    if _ignore_hook(options):
        why = "because Python has the option -E, -I or -S."
        if strict:
            raise UsageError(f"{name} cannot use irsa-creds, {why} Run it without --strict.")
        return f"{name} runs without irsa-creds, {why}"
    return None


def _first_words(name: str) -> list[str] | None:
    """Return the words of the lines that name a script's interpreter; None without a file."""
    places = [""] if "/" in name else os.get_exec_path()
    path = next(filter(_is_program, (Path(each, name) for each in places)), None)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            start = file.read(_FIRST_LINES)
    except OSError:
        # It may be executable and not readable.
        return None
    # In the second line, the shell starts a Python with a long path or with spaces in it.
    lines = start.split(b"\n")[:2] if start.startswith(b"#!") else []
    return re.split(r"[\s'\"]+", b" ".join(lines).decode(errors="replace").removeprefix("#!"))


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _ignore_hook(options: Sequence[str]) -> bool:
    """Return whether Python's options make it ignore PYTHONPATH or `sitecustomize`."""
    words = iter(options)
    while re.match("-[^-]", word := next(words, "")):
        # Options without a value may share a word, also with a last one that has a value.
        flags, rest = re.split("(?=[cmWX])|$", word, maxsplit=1)
        if set(flags) & set("EIS"):
            return True
        if rest[:1] in {"c", "m"}:
            break
        if rest in {"W", "X"}:
            next(words, None)
    return False
