"""The commands, and a parser for the one that was asked for."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, TypeAlias, cast

from irsa_creds._version import __version__
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._print import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irsa_creds.cli._print import Printer

__all__ = [
    "COMMANDS",
    "Module",
    "Subparsers",
    "command",
    "module_of",
    "parser_for",
]

#: What `add` of a command's module gets; argparse has no public name for it.
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - as said


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal: sentences are wrapped, and examples stay as they are."""

    def __init__(self, prog: str) -> None:
        # To ask for a width itself, argparse imports `shutil` as soon as an option is added.
        super().__init__(prog, width=columns(sys.stdout))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap  # noqa: PLC0415 - only --help needs it, and `process` shall be quick

        filled: list[str] = []
        for raw, group in groupby(text.splitlines(), key=_is_raw):
            lines = list(group)
            filled += lines if raw else textwrap.wrap(" ".join(lines), width)
        return "\n".join(f"{indent}{line}" for line in filled) + "\n"


def _is_raw(line: str) -> bool:
    """Whether a line of help is none of a sentence: empty, a title, or behind blanks."""
    return not line or line.endswith(":") or line.startswith(" ")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Leave it to whoever knows of `--json` to tell it."""
        # Python 3.14 would paint the usage, which `Printer` would write out.
        self.color = False
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")


class Module(Protocol):
    """The module of one or more commands."""

    def add(self, subparsers: Subparsers) -> None:
        """Add the parsers of its commands, by `command`."""

    def run(self, args: argparse.Namespace, out: Printer) -> int:
        """Do what `args.command` says, and return the exit status."""


class _Command(NamedTuple):
    module: str
    line: str


#: In the order of `--help`. A module is imported only for its own commands.
COMMANDS = {
    "doctor": _Command("_doctor", "find what is wrong with IRSA in this pod or manifest"),
    "explain": _Command("_explain", "say whether a trust policy lets a token in, and if not why"),
    "whoami": _Command("_whoami", "show which role this pod has, by asking STS"),
    "process": _Command("_process", "print credentials as AWS's credential_process wants them"),
    "exec": _Command("_exec", "run a command of any language with credentials that refresh"),
    "serve": _Command("_serve", "serve such credentials to programs started elsewhere"),
    "trust-policy": _Command("_explain", "print the trust policy of a service account"),
    "manifest": _Command("_explain", "print a ServiceAccount and a Deployment that use a role"),
}

_EXAMPLES = (
    ("what is wrong here?", "irsa-creds doctor --online"),
    (
        "why AccessDenied?",
        "irsa-creds explain --token $AWS_WEB_IDENTITY_TOKEN_FILE --policy role.json",
    ),
    ("who am I?", "irsa-creds whoami"),
    ("any program, any language", "irsa-creds exec -- aws s3 ls"),
)


def module_of(name: str) -> Module:
    """Return the module of a command, imported now."""
    return cast("Module", import_module(f"irsa_creds.cli.{COMMANDS[name].module}"))


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser for the command that `arguments` begin with; without one, of all names."""
    parser: argparse.ArgumentParser = _Parser(
        prog="irsa-creds",
        description="AWS credentials for pods with IRSA: use them, and see why they do not come.",
        epilog=_epilog(_EXAMPLES, "'irsa-creds COMMAND --help' shows more of each."),
        formatter_class=_Formatter,
        # An option that is cut short today may mean another one tomorrow.
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"irsa-creds {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    if arguments and arguments[0] in COMMANDS:
        module_of(arguments[0]).add(subparsers)
        return parser
    # Whatever stands there is no command: what follows is help, or the list of what could be meant.
    for name, (_, line) in COMMANDS.items():
        subparsers.add_parser(name, help=line, formatter_class=_Formatter)
    return parser


def command(
    subparsers: Subparsers,
    name: str,
    *,
    description: str,
    examples: Sequence[tuple[str, str]],
    after: str = "",
    **more: Any,
) -> argparse.ArgumentParser:
    """Add the parser of a command, with `--json`, and return it for its own options.

    Args:
        subparsers: what `add` got.
        name: one of `COMMANDS`, which has its line of help.
        description: what it does, in a few sentences.
        examples: what one wants to know or do, and the command line for it.
        after: what else `--help` says at its end: exit status, environment.
        more: further arguments of `ArgumentParser`.
    """
    parser = subparsers.add_parser(
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


def _epilog(examples: Sequence[tuple[str, str]], after: str) -> str:
    lines = [line for why, how in examples for line in (f"  # {why}", f"  {how}")]
    return "\n".join(["examples:", *lines, *([""] if after else []), *([after] if after else [])])
