"""The command line: `irsa-creds`, also `python -m irsa_creds`.

May import: everything but `testing`.

Imports inside of functions, and the milliseconds that they save a command that does not need them:

    _parser            3   __init__: all commands but `process` without options
    _process          36   __init__: `process` without options
    other commands   110   _parser: each command
    _iam             108   _explain: `explain --fetch`
"""

from __future__ import annotations

import io
import logging
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
#: EX_SOFTWARE of sysexits.h, which no command uses otherwise.
_SOFTWARE_ERROR = 70
_JSON = "--json"
_FIELDS = ("advice", "command", "role_arn", "endpoint", "request_id", "iss", "sub", "aud")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: the arguments without the program's name; None: `sys.argv`'s.

    Raises:
        SystemExit: with 2 for invalid arguments, and 0 for `--help` and `--version`.
    """
    arguments = _in_order(list(sys.argv[1:] if argv is None else argv))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Do not fail for characters that the locale cannot encode.
            stream.reconfigure(errors="backslashreplace")
    # Arguments after `--` belong to another program.
    json = _JSON in takewhile("--".__ne__, arguments)
    # A stream that was closed before the start is None.
    stdout, stderr = sys.stdout or _Closed(), sys.stderr or io.StringIO()
    # The library itself prints no log line.
    logging.basicConfig(format="%(message)s", stream=stderr)
    out = Printer(stdout, stderr, os.environ, json=json)
    try:
        return _run_command(arguments, out)
    except UsageError as error:
        out.error(str(error), kind="UsageError")
        return _USAGE
    except IrsaError as error:
        code = error.failure.code if error.failure else None
        out.error(str(error), kind=type(error).__name__, code=code, more=_fields_of(error))
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reading program has ended.
        _discard_output(stdout)
        return _PIPE_BROKEN
    except Exception as error:  # noqa: BLE001 - a traceback would exit with 1, which has a meaning
        out.error(_text_of(error), kind=type(error).__name__)
        _discard_output(stdout)
        return _SOFTWARE_ERROR


def _run_command(arguments: list[str], out: Printer) -> int:
    if arguments == ["process"]:
        # SDKs run this often, so it starts without a parser.
        from irsa_creds.cli import _process  # noqa: PLC0415

        status = _process.run(_process.WITHOUT_OPTIONS, out)
    else:
        status = _parsed(arguments, out)
    out.flush()
    return status


def _parsed(arguments: list[str], out: Printer) -> int:
    """Run the command that the arguments name."""
    from irsa_creds.cli._parser import module_of, parser_for  # noqa: PLC0415 - as in `_run_command`

    try:
        args = parser_for(arguments).parse_args(arguments)
    except UsageError as error:
        out.error(str(error), kind="UsageError")
        raise SystemExit(_USAGE) from None
    out.json = args.json
    status: int = module_of(args.command).run(args, out)
    return status


def _in_order(arguments: list[str]) -> list[str]:
    """Return the arguments with the command first."""
    if arguments[:1] == ["--"]:
        # Releases of argparse treat it differently.
        del arguments[0]
    if arguments[:1] == [_JSON]:
        # Many users write this option before the command.
        arguments[:2] = reversed(arguments[:2])
    return arguments


def _fields_of(error: IrsaError) -> dict[str, str | None]:
    """Return the fields of a failed exchange for `--json`."""
    if not isinstance(error, ExchangeError):
        return {}
    return {name: getattr(error, name) for name in _FIELDS}


def _text_of(error: Exception) -> str:
    """Return the text of a system error; any other text may be secret, so only its place."""
    if isinstance(error, OSError | RuntimeError):
        return str(error) or type(error).__name__
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback and traceback.tb_frame.f_code.co_filename
    where = f" ({code}:{traceback.tb_lineno})" if traceback else ""
    return f"This is a bug of irsa-creds: {type(error).__name__}{where}. Please report it."


class _Closed(io.StringIO):
    """Standard output that is closed: writing to it fails."""

    def write(self, _: str, /) -> int:
        raise OSError("Standard output is closed.")


def _discard_output(stdout: TextIO) -> None:
    """Discard the rest of the output, so that the interpreter's flush does not fail."""
    try:
        stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
