"""The command line: `irsa-creds`, also `python -m irsa_creds`."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from irsa_creds._errors import ExchangeError, IrsaError
from irsa_creds.cli._parser import UsageError, module_of, parser_for
from irsa_creds.cli._print import Printer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# What a shell reports for a program that a signal has ended: 128 and its number.
_INTERRUPTED = 128 + 2
_PIPE_BROKEN = 128 + 13


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: the arguments without the program's name; None: `sys.argv`'s.

    Raises:
        SystemExit: argparse ends so, with 2 for wrong usage and 0 for `--help` and `--version`.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A locale without a name's letters is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    if arguments[:1] == ["--"]:
        # argparse's releases disagree on what to make of it.
        del arguments[0]
    parser = parser_for(arguments)
    args = parser.parse_args(arguments)
    out = Printer.to(sys.stdout, sys.stderr, os.environ, json=args.json)
    try:
        status = module_of(args.command).run(args, out)
        sys.stdout.flush()
    except UsageError as error:
        out.error(str(error), kind="UsageError")
        return 2
    except IrsaError as error:
        code = error.code if isinstance(error, ExchangeError) else None
        out.error(str(error), kind=type(error).__name__, code=code)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough. The interpreter would flush, and fail, once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_BROKEN
    return status
