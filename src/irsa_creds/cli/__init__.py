"""The command line: `irsa-creds`, also `python -m irsa_creds`."""

from __future__ import annotations

import io
import os
import sys
from itertools import takewhile
from typing import TYPE_CHECKING, TextIO

from irsa_creds._errors import ExchangeError, IrsaError
from irsa_creds.cli._errors import SIGNALLED, UsageError
from irsa_creds.cli._print import Printer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_USAGE = 2
# The numbers of SIGINT and SIGPIPE.
_INTERRUPTED, _PIPE_BROKEN = SIGNALLED + 2, SIGNALLED + 13
#: What no command means anything by: EX_SOFTWARE of sysexits.h.
_CANNOT_GO_ON = 70
_JSON = "--json"
_FIELDS = ("advice", "command", "role_arn", "endpoint", "request_id", "iss", "sub", "aud")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: the arguments without the program's name; None: `sys.argv`'s.

    Raises:
        SystemExit: with 2 for arguments that make no sense, and 0 for `--help` and `--version`.
    """
    arguments = _in_order(list(sys.argv[1:] if argv is None else argv))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A locale without a name's letters is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    # What follows `--` is another program's.
    json = _JSON in takewhile("--".__ne__, arguments)
    # A stream that was closed before we came is None.
    stdout, stderr = sys.stdout or _Closed(), sys.stderr or io.StringIO()
    out = Printer.to(stdout, stderr, os.environ, json=json)
    try:
        return _run(arguments, out)
    except UsageError as error:
        out.error(str(error), kind="UsageError")
        return _USAGE
    except IrsaError as error:
        code = error.failure.code if error.failure else None
        out.error(str(error), kind=type(error).__name__, code=code, more=_told_of(error))
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough.
        _give_up(stdout)
        return _PIPE_BROKEN
    except Exception as error:  # noqa: BLE001 - a traceback would end with 1, which has a meaning
        out.error(_told(error), kind=type(error).__name__)
        _give_up(stdout)
        return _CANNOT_GO_ON


def _run(arguments: list[str], out: Printer) -> int:
    if arguments == ["process"]:
        # What SDKs run again and again: argparse would take an eighth of its time.
        from irsa_creds.cli import _process  # noqa: PLC0415

        status = _process.run(_process.WITHOUT_OPTIONS, out)
    else:
        status = _parsed(arguments, out)
    out.flush()
    return status


def _parsed(arguments: list[str], out: Printer) -> int:
    """Run the command that the arguments name."""
    from irsa_creds.cli._parser import module_of, parser_for  # noqa: PLC0415 - as said in `_run`

    try:
        args = parser_for(arguments).parse_args(arguments)
    except UsageError as error:
        out.error(str(error), kind="UsageError")
        raise SystemExit(_USAGE) from None
    out.json = args.json
    return module_of(args.command).run(args, out)


def _in_order(arguments: list[str]) -> list[str]:
    """Return the arguments with the command first."""
    if arguments[:1] == ["--"]:
        # argparse's releases disagree on what to make of it.
        del arguments[0]
    if arguments[:1] == [_JSON]:
        # An option of each command, which many write before it.
        arguments[:2] = reversed(arguments[:2])
    return arguments


def _told_of(error: IrsaError) -> dict[str, str | None]:
    """Return what a refused exchange tells besides its text, for programs."""
    if not isinstance(error, ExchangeError):
        return {}
    return {name: getattr(error, name) for name in _FIELDS}


def _told(error: Exception) -> str:
    """Return what the system says; of anything else only the place: its text may be a secret."""
    if isinstance(error, OSError | RuntimeError):
        return str(error) or type(error).__name__
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})"
    return f"This is a defect: {type(error).__name__}{where}. Please report it."


class _Closed(io.StringIO):
    """Standard output where there is none: what nobody gets was not done."""

    def write(self, _: str, /) -> int:
        raise OSError("Standard output is closed.")


def _give_up(stdout: TextIO) -> None:
    """Let the interpreter's own flush go well, if nobody takes what is left."""
    try:
        stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
