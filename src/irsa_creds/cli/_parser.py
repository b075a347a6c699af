"""The commands, and the argument parser of each."""

from __future__ import annotations

import argparse
import sys
import textwrap
from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from irsa_creds._version import __version__
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._print import columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["COMMANDS", "Commands", "command_in", "module_of", "parser_for"]


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wrap sentences to the width of the terminal and leave examples unchanged."""

    def __init__(self, prog: str) -> None:
        # Without a width, argparse would import `shutil`.
        super().__init__(prog, width=columns(sys.stdout))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled: list[str] = []
        for raw, group in groupby(text.splitlines(), key=_is_raw):
            lines = list(group)
            filled += lines if raw else textwrap.wrap(" ".join(lines), width)
        return "\n".join(f"{indent}{line}" for line in filled) + "\n"


def _is_raw(line: str) -> bool:
    """Return whether a line of help is not wrapped: empty, a title, or indented."""
    return not line or line.endswith(":") or line.startswith(" ")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise UsageError, which `main` prints as text or JSON."""
        # Python 3.14 would color the usage, and `Printer` would escape the codes.
        self.color = False
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")


class Commands:
    """Adds the parsers of commands.

    Args:
        subparsers: of the parser for all commands.
    """

    # argparse's class has no public name.
    def __init__(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        self._subparsers = subparsers

    def add(
        self,
        name: str,
        *,
        description: str,
        examples: Sequence[tuple[str, str]],
        after: str = "",
        **more: Any,
    ) -> argparse.ArgumentParser:
        """Add the parser of a command, with `--json`, and return it for its own options.

        Args:
            name: one of `COMMANDS`.
            description: what it does, in a few sentences.
            examples: pairs of a purpose and a command line.
            after: the end of `--help`, such as exit statuses.
            more: further arguments of `ArgumentParser`.
        """
        parser = self._subparsers.add_parser(
            name,
            help=COMMANDS[name].line,
            description=description,
            epilog=_epilog(examples, after),
            formatter_class=_Formatter,
            allow_abbrev=False,
            **more,
        )
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")
        return parser


class _Command(NamedTuple):
    module: str
    line: str


#: In the order of `--help`; a module is imported only for its own commands. Each module has
#: `add(commands: Commands) -> None`, which adds the parsers of its commands, and
#: `run(args: Namespace, out: Printer) -> int`, which runs `args.command` and returns the status.
COMMANDS = {
    "doctor": _Command("_doctor", "find what is wrong with IRSA in this pod or manifest"),
    "explain": _Command("_explain", "evaluate a trust policy for a token, and explain a denial"),
    "whoami": _Command("_whoami", "call STS and show the role of this pod"),
    "process": _Command("_process", "print credentials in the format of credential_process"),
    "exec": _Command("_exec", "run a program of any language with refreshed credentials"),
    "run": _Command("_run", "run a Python program as if it called install() first"),
    "serve": _Command("_serve", "serve such credentials to other programs"),
    "trust-policy": _Command("_explain", "print the trust policy of a service account"),
    "manifest": _Command("_explain", "print a ServiceAccount and a Deployment that use a role"),
}

_EXAMPLES = (
    ("find what is wrong", "irsa-creds doctor --online"),
    (
        "explain AccessDenied",
        "irsa-creds explain --token $AWS_WEB_IDENTITY_TOKEN_FILE --policy role.json",
    ),
    ("show the role of this pod", "irsa-creds whoami"),
    ("run a program of any language", "irsa-creds exec -- aws s3 ls"),
)


def module_of(name: str) -> ModuleType:
    """Import and return the module of a command."""
    return import_module(f"irsa_creds.cli.{COMMANDS[name].module}")


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser for the command in `arguments`, or for the list of all commands."""
    parser: argparse.ArgumentParser = _Parser(
        prog="irsa-creds",
        description="AWS credentials for pods with IRSA: use them, and find out why they are "
        "missing.",
        epilog=_epilog(_EXAMPLES, "'irsa-creds COMMAND --help' describes a command."),
        formatter_class=_Formatter,
        # An abbreviation could become ambiguous with a new option.
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"irsa-creds {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    if arguments and arguments[0] in COMMANDS:
        module_of(arguments[0]).add(Commands(subparsers))
        return parser
    # There is no known command, so argparse prints help or an error with all names.
    for name, (_, line) in COMMANDS.items():
        subparsers.add_parser(name, help=line, formatter_class=_Formatter)
    return parser


def _epilog(examples: Sequence[tuple[str, str]], after: str) -> str:
    lines = [line for why, how in examples for line in (f"  # {why}", f"  {how}")]
    return "\n".join(["examples:", *lines, *([""] if after else []), *([after] if after else [])])


def command_in(argv: list[str], *, usage: str) -> list[str]:
    """Return a command and its arguments, which may follow "--".

    Raises:
        UsageError: there is none; `usage` says what to write.
    """
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command or not command[0]:
        raise UsageError(usage)
    return command
