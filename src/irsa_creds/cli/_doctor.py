"""`doctor`: what keeps this pod from its role, and how to mend it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._parser import command
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._doctor.doctor import doctor

if TYPE_CHECKING:
    import argparse

    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer
    from irsa_creds.diagnosis._checks import Check, Diagnosis

__all__ = ["add", "run"]

_STATUS_WIDTH = len("skipped")
# "  E01  skipped  " before a message.
_INDENT = " " * (2 + len("E01") + 2 + _STATUS_WIDTH + 2)
_EXIT = """\
exit status:
  0 all well   1 a check failed   2 wrong usage   3 warnings, under --strict
  4 STS not reached"""


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = command(
        subparsers,
        "doctor",
        description=(
            "Look at variables, profile, token file, token, role, credential chain and versions\n"
            "of this pod, and say what is wrong and which lines mend it. Nothing is changed, no\n"
            "secret is shown, and without --online nothing is sent."
        ),
        examples=(
            ("what is wrong in this pod?", "irsa-creds doctor"),
            ("and does STS take the token?", "irsa-creds doctor --online"),
            ("in a pipeline, before anything is applied", "irsa-creds doctor --manifest app.yaml"),
            (
                "does the role's trust policy let this token in?",
                "irsa-creds doctor --policy trust.json",
            ),
            ("as a readiness gate", "irsa-creds doctor --online --strict --json"),
        ),
        after=_EXIT,
    )
    parser.add_argument(
        "--online", action="store_true", help="ask DNS, STS and the token's issuer as well"
    )
    parser.add_argument(
        "--manifest", metavar="FILE", help="YAML or JSON of ServiceAccount, Pod, Deployment ..."
    )
    parser.add_argument("--policy", metavar="FILE", help="the role's trust policy, as JSON")
    parser.add_argument(
        "--profile", metavar="NAME", help="see what Session(profile_name=NAME) sees"
    )
    parser.add_argument("--strict", action="store_true", help="end with 3 where there are warnings")
    parser.add_argument("--all", action="store_true", help="show the skipped checks too")


def run(args: argparse.Namespace, out: Printer) -> int:
    """Make the checks, and show them."""
    try:
        diagnosis = doctor(
            online=args.online, manifest=args.manifest, policy=args.policy, profile=args.profile
        )
    except ConfigError as error:
        # Of a file that the user named: what is wrong with the pod is a check.
        raise UsageError(str(error)) from None
    status = diagnosis.exit_status(strict=args.strict)
    if out.json:
        out.emit(diagnosis.as_dict())
        return status
    for group, checks in diagnosis.groups():
        shown = [check for check in checks if args.all or check.status != "skipped"]
        if shown:
            out.heading(group.title)
        for check in shown:
            _show(check, out)
    _sum_up(diagnosis, out, hidden=not args.all)
    return status


def _show(check: Check, out: Printer) -> None:
    first, *rest = _wrapped(check.message, out.width - len(_INDENT))
    status = Styled(check.status.ljust(_STATUS_WIDTH), check.status)
    quiet = check.status in {"ok", "skipped"}
    out.line("  ", Styled(check.id, "dim"), "  ", status, "  ", _text(first, quiet=quiet))
    for line in rest:
        out.line(_INDENT, _text(line, quiet=quiet))
    # What is well needs no mending; --json has it all the same.
    if check.fix and not quiet:
        _show_fix(check.fix, out)


def _wrapped(message: str, width: int) -> list[str]:
    """Return the lines of a message; what people copy, like a URL, is never broken."""
    lines = textwrap.wrap(message, width, break_on_hyphens=False, break_long_words=False)
    return lines or [""]


def _show_fix(fix: str, out: Printer) -> None:
    out.line(_INDENT, Styled("fix:", "info"))
    # Not wrapped, and behind nothing but blanks: they are to be pasted.
    for line in fix.splitlines():
        out.line(_INDENT, "  ", line)


def _text(line: str, *, quiet: bool) -> str | Styled:
    return Styled(line, "dim") if quiet else line


def _sum_up(diagnosis: Diagnosis, out: Printer, *, hidden: bool) -> None:
    """Print how many checks have each status, the worst first."""
    out.line()
    parts: list[str | Styled] = []
    for status, count in diagnosis.counts().items():
        if count:
            parts += [", " if parts else "", Styled(f"{count} {status}", status)]
    if hidden and diagnosis.having("skipped"):
        parts.append(Styled(" (--all shows them)", "dim"))
    worst = diagnosis.having("fail") or diagnosis.having("warn")
    begin = f"; begin with {worst[0].id}" if worst else ""
    out.line(f"{len(diagnosis.checks)} checks: ", *parts, begin)
