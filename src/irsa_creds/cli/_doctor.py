"""`doctor`: report what is wrong with IRSA in this pod, and how to fix it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._doctor.doctor import doctor

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer
    from irsa_creds.diagnosis._checks import Check, Diagnosis, Status

__all__ = ["add", "run"]

_STATUS_WIDTH = len("skipped")
# "  E01  skipped  " before a message.
_INDENT = " " * (2 + len("E01") + 2 + _STATUS_WIDTH + 2)
# These are printed before the other checks.
_FIRST: tuple[tuple[Status, str], ...] = (("fail", "failures"), ("warn", "warnings"))
_EXIT = """\
exit status:
  0 no check failed   1 a check failed   2 wrong usage
  3 warnings, with --strict   4 STS not reached"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "doctor",
        description=(
            "Check variables, profile, token file, token, role, credential provider chain and\n"
            "versions of this pod, and print what is wrong and how to fix it. doctor changes\n"
            "nothing, prints no secret, and uses the network only with --online."
        ),
        examples=(
            ("find what is wrong in this pod", "irsa-creds doctor"),
            ("call STS as well", "irsa-creds doctor --online"),
            ("in a pipeline, before you apply a manifest", "irsa-creds doctor --manifest app.yaml"),
            (
                "evaluate the role's trust policy for this pod's token",
                "irsa-creds doctor --policy trust.json",
            ),
            ("as a readiness gate", "irsa-creds doctor --online --strict --json"),
        ),
        after=_EXIT,
    )
    parser.add_argument(
        "--online", action="store_true", help="also contact DNS, STS and the token's issuer"
    )
    parser.add_argument(
        "--manifest", metavar="FILE", help="YAML or JSON of ServiceAccount, Pod, Deployment ..."
    )
    parser.add_argument("--policy", metavar="FILE", help="the role's trust policy, as JSON")
    parser.add_argument(
        "--profile", metavar="NAME", help="check what Session(profile_name=NAME) would use"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 3 if there are warnings")
    parser.add_argument("--all", action="store_true", help="print the skipped checks too")


def run(args: argparse.Namespace, out: Printer) -> int:
    """Run the checks and print them."""
    try:
        diagnosis = doctor(
            online=args.online, manifest=args.manifest, policy=args.policy, profile=args.profile
        )
    except ConfigError as error:
        # The error is about a file that the user named; a fault of the pod is a check.
        raise UsageError(str(error)) from None
    status = diagnosis.exit_status(strict=args.strict)
    if out.json:
        out.emit(diagnosis.as_dict())
        return status
    for worst, title in _FIRST:
        _show(title, diagnosis.having(worst), out)
    rest: set[Status] = {"ok", "unknown", "skipped"} if args.all else {"ok", "unknown"}
    for group, checks in diagnosis.groups():
        _show(group.title, [check for check in checks if check.status in rest], out)
    _sum_up(diagnosis, args, out)
    return status


def _show(title: str, checks: Sequence[Check], out: Printer) -> None:
    if checks:
        out.heading(title)
    for check in checks:
        _show_check(check, out)


def _show_check(check: Check, out: Printer) -> None:
    first, *rest = _wrapped(check.message, out.width - len(_INDENT))
    status = Styled(check.status.ljust(_STATUS_WIDTH), check.status)
    quiet = check.status in {"ok", "skipped"}
    out.line("  ", Styled(check.id, "dim"), "  ", status, "  ", _text(first, quiet=quiet))
    for line in rest:
        out.line(_INDENT, _text(line, quiet=quiet))
    # --json has the fix of every check.
    if check.fix and not quiet:
        _show_fix(check.fix, out)


def _wrapped(message: str, width: int) -> list[str]:
    """Return the lines of a message; text that is copied, like a URL, is never broken."""
    lines = textwrap.wrap(message, width, break_on_hyphens=False, break_long_words=False)
    return lines or [""]


def _show_fix(fix: str, out: Printer) -> None:
    out.line(_INDENT, Styled("fix:", "info"))
    # Not wrapped, and indented with blanks only, so that they can be pasted.
    for line in fix.splitlines():
        out.line(_INDENT, "  ", line)


def _text(line: str, *, quiet: bool) -> str | Styled:
    return Styled(line, "dim") if quiet else line


def _sum_up(diagnosis: Diagnosis, args: argparse.Namespace, out: Printer) -> None:
    """Print how many checks have each status, and what was not checked."""
    out.line()
    parts: list[str | Styled] = []
    for status, count in diagnosis.counts().items():
        if count:
            ids = ""
            # The list of all checks may have moved the failures off the screen.
            if status in dict(_FIRST):
                ids = f" ({', '.join(dict.fromkeys(c.id for c in diagnosis.having(status)))})"
            parts += [", " if parts else "", Styled(f"{count} {status}{ids}", status)]
    if not args.all and diagnosis.having("skipped"):
        parts.append(Styled(" (list with --all)", "dim"))
    out.line(f"{len(diagnosis.checks)} checks: ", *parts)
    for line in _not_checked(diagnosis, args):
        out.line(line)


def _not_checked(diagnosis: Diagnosis, args: argparse.Namespace) -> Iterator[str]:
    """Yield what was not checked; the last line is about the call, which matters most."""
    options = {"trust policy (--policy)": args.policy, "manifest (--manifest)": args.manifest}
    if missing := ", ".join(what for what, file in options.items() if file is None):
        yield f"Not checked: {missing}."
    if any((check.id, check.status) == ("V01", "skipped") for check in diagnosis.checks):
        yield "Only the manifest was checked, because this machine is not one of its pods."
        return
    of_container = any(c.id == "A01" and c.status != "skipped" for c in diagnosis.checks)
    if not args.online:
        called = "Credentials endpoint" if of_container else "STS"
        yield f"{called} not called; run with --online."
    for check in diagnosis.checks:
        if args.online and not of_container and (check.id, check.status) == ("S01", "skipped"):
            yield f"Role not requested: {check.message}"
