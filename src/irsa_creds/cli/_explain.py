"""`explain`, `trust-policy` and `manifest`: why a role refuses, and what would be right."""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irsa_creds._arn import role_arn
from irsa_creds._errors import IrsaError
from irsa_creds._token import TokenFile
from irsa_creds._validate import shown
from irsa_creds.cli._parser import UsageError, command
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._document import role_of
from irsa_creds.diagnosis._explain import CAVEAT, Explanation, asking, explain
from irsa_creds.diagnosis._made import AUDIENCE, manifest, trust_policy

if TYPE_CHECKING:
    import argparse

    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

#: Exit statuses by verdict; 2 is wrong usage.
_STATUS = {"allow": 0, "deny": 1, "unknown": 3}
_LIMIT = 1024 * 1024
_STDIN = "-"
_WHO = "--service-account prod/reader --issuer https://oidc.eks.eu-west-1.amazonaws.com/id/ID"
_ROLE = "--role-arn arn:aws:iam::123456789012:role/reader"
_CREATED = "kubectl create token reader -n prod --audience sts.amazonaws.com"
_INDENT = " " * 11
_WIDTH = 100


def add(subparsers: Subparsers) -> None:
    """Add the parsers of `explain`, `trust-policy` and `manifest`."""
    _add_explain(subparsers)
    made = command(
        subparsers,
        "trust-policy",
        description="Print the trust policy of a role for one service account.",
        examples=[
            (
                "make a role for the service account 'reader' in 'prod'",
                f"irsa-creds trust-policy {_WHO} --account 123456789012 > trust.json",
            ),
        ],
    )
    _add_account(made)
    made.add_argument("--issuer", required=True, metavar="URL", help="the cluster's OIDC issuer")
    made.add_argument(
        "--account", required=True, metavar="ID", help="the account of the role and the provider"
    )
    made.add_argument("--partition", default="aws", help="aws (the default), aws-cn, aws-us-gov")
    made.add_argument("--audience", default=AUDIENCE, help=f"the token's; by default {AUDIENCE}")
    objects = command(
        subparsers,
        "manifest",
        description="Print a ServiceAccount with the role's annotation and a Deployment with it.",
        examples=[
            (
                "give the service account 'reader' in 'prod' a role",
                f"irsa-creds manifest --service-account prod/reader {_ROLE} | kubectl apply -f -",
            )
        ],
    )
    _add_account(objects)
    _add_role(objects)
    objects.add_argument("--image", help="of the Deployment's container; by default one of Python")
    objects.add_argument("--audience", default=AUDIENCE, help=f"the token's; by default {AUDIENCE}")


def _add_explain(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "explain",
        description=(
            "Say whether a role's trust policy lets a token in, and if not, which condition of\n"
            "which statement fails and what mends it. The token is never printed."
        ),
        examples=[
            (
                "in the pod, with a policy that was fetched elsewhere",
                "irsa-creds explain --token $AWS_WEB_IDENTITY_TOKEN_FILE --policy trust.json",
            ),
            (
                "at your desk, without a token",
                f"aws iam get-role --role-name reader | irsa-creds explain --policy - {_WHO}",
            ),
            (
                "with the token that the API server would give",
                f"{_CREATED} | irsa-creds explain --token - {_ROLE} --fetch --fixed fixed.json",
            ),
        ],
        after=(
            "exit status: 0 the policy allows, 1 it denies, 2 wrong usage, 3 only AWS can tell.\n"
            + CAVEAT
        ),
    )
    parser.add_argument("--token", metavar="FILE", help="the web identity token; - reads it")
    _add_account(parser, required=False)
    parser.add_argument("--issuer", metavar="URL", help="with --service-account")
    parser.add_argument("--audience", help=f"with --service-account; by default {AUDIENCE}")
    policy = parser.add_mutually_exclusive_group(required=True)
    policy.add_argument(
        "--policy",
        metavar="FILE",
        help="the trust policy, or what 'aws iam get-role' prints; - reads it from standard input",
    )
    policy.add_argument("--fetch", action="store_true", help="ask IAM for it (iam:GetRole)")
    _add_role(parser)
    parser.add_argument(
        "--fixed", metavar="FILE", help="write the corrected policy, where one change mends it"
    )


def _add_account(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--service-account",
        required=required,
        metavar="NS/NAME",
        help="namespace and name" if required else "in place of a token",
    )


def _add_role(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--role-arn", metavar="ARN", help="the role's; by default the variable AWS_ROLE_ARN"
    )


def run(args: argparse.Namespace, out: Printer) -> int:
    """Do what the command says, and return its exit status."""
    try:
        if args.command == "trust-policy":
            return _trust_policy(args, out)
        if args.command == "manifest":
            return _manifest(args, out)
        return _explain(args, out)
    except IrsaError as error:
        # A status of 1 would say that the policy denies.
        raise UsageError(str(error)) from None


def _trust_policy(args: argparse.Namespace, out: Printer) -> int:
    policy = trust_policy(
        args.service_account,
        args.issuer,
        args.account,
        partition=args.partition,
        audience=args.audience,
    )
    if args.json:
        out.emit({"policy": policy})
    else:
        out.line(json.dumps(policy, indent=2))
    return 0


def _manifest(args: argparse.Namespace, out: Printer) -> int:
    role = _role(args)
    if role is None:
        raise UsageError("Give the role's --role-arn, or set AWS_ROLE_ARN.")
    image = {} if args.image is None else {"image": args.image}
    text = manifest(args.service_account, role, audience=args.audience, **image)
    out.emit({"manifest": text}) if args.json else out.line(text.rstrip("\n"))
    return 0


def _explain(args: argparse.Namespace, out: Printer) -> int:
    if args.token == _STDIN == args.policy:
        raise UsageError("Standard input can be the token or the policy, not both.")
    if args.fixed == _STDIN:
        raise UsageError("--fixed takes the name of a file, and - is none.")
    token = _token(args.token)
    # What is wrong with these is told before IAM is asked for anything.
    asking(token, args.service_account, args.issuer, args.audience, None)
    policy = _fetched(args) if args.fetch else _read(args.policy, "policy")
    # A policy that says whose it is need not be that of the role of this environment.
    role = (None if args.role_arn else role_of(policy)) or _role(args)
    found = explain(
        policy,
        token=token,
        service_account=args.service_account,
        issuer=args.issuer,
        audience=args.audience,
        role_arn=role,
    )
    if args.json:
        out.emit(found.as_dict())
    else:
        _show(found, out)
    if args.fixed is not None:
        _write(found, args, role, out)
    return _STATUS[found.verdict]


def _role(args: argparse.Namespace) -> str | None:
    if args.role_arn is not None:
        return role_arn(args.role_arn, "--role-arn", aws=True)
    variable = os.environ.get("AWS_ROLE_ARN")
    return role_arn(variable, "AWS_ROLE_ARN", aws=True) if variable else None


def _token(path: str | None) -> str | None:
    if path is None:
        return None
    return _read(path, "token").strip() if path == _STDIN else TokenFile(path).read().value


def _read(path: str, what: str) -> str:
    """Return a file's text, or that of standard input."""
    try:
        if path == _STDIN:
            if sys.stdin is None:
                raise UsageError(f"The {what} cannot be read: standard input is closed.")
            content = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_LIMIT + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"The {what} {shown(path)} cannot be read: {why}.") from None
    if len(content) > _LIMIT:
        raise UsageError(f"The {what} {shown(path)} has more than {_LIMIT:,} bytes.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"The {what} {shown(path)} is not UTF-8 text.") from None


def _fetched(args: argparse.Namespace) -> dict[str, Any]:
    role = _role(args)
    if role is None:
        raise UsageError("--fetch needs the role's --role-arn, or AWS_ROLE_ARN.")
    from irsa_creds.cli._fetch import fetch_role  # noqa: PLC0415 - it brings botocore

    return fetch_role(role)


def _write(found: Explanation, args: argparse.Namespace, role: str | None, out: Printer) -> None:
    """Write the corrected policy, and say so on standard error."""
    if found.fixed is None:
        why = "it allows already" if found.verdict == "allow" else "no single change mends it"
        out.note(f"{args.fixed} was not written: {why}.")
        return
    target = Path(args.fixed)
    try:
        for what in ("policy", "token"):
            read = getattr(args, what)
            if read not in (None, _STDIN) and target.exists() and target.samefile(read):
                raise UsageError(f"--fixed names the {what}'s own file: give another.")
        target.write_text(json.dumps(found.fixed, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{shown(args.fixed)} cannot be written: {why}.") from None
    name = shlex.quote(role.rpartition("/")[2]) if role else "ROLE"
    out.note(
        f"{args.fixed} is written; compare, then: aws iam update-assume-role-policy "
        f"--role-name {name} --policy-document {shlex.quote(f'file://{args.fixed}')}"
    )


def _show(found: Explanation, out: Printer) -> None:
    out.line(Styled(f"{found.verdict.upper():9}", found.verdict), found.summary)
    for what, value in found.asked.items():
        if what != "subject":
            out.line(f"{what:9}{value}")
    if found.nearest is not None:
        holds = "the statement" if found.verdict == "allow" else "the nearest statement"
        out.line("")
        out.heading(f"{holds}, number {found.statement}")
        for line in json.dumps(found.nearest, indent=2).splitlines():
            out.dim(f"  {line}")
    for finding in found.findings:
        out.line("")
        first, *rest = _wrapped(finding.message)
        out.line(Styled(f"{finding.id} {finding.severity:7}", finding.severity), first)
        for line in rest:
            out.line(_INDENT, line)
        if finding.fix:
            out.line(_INDENT, Styled("fix:", "info"))
        # Not wrapped, and behind nothing but blanks: they are to be pasted.
        for line in finding.fix.splitlines():
            out.line(_INDENT, "  ", line)
    out.line("")
    out.dim(CAVEAT)


def _wrapped(message: str) -> list[str]:
    """Return the lines of a message; an ARN or a key is never broken."""
    width = _WIDTH - len(_INDENT)
    return textwrap.wrap(message, width, break_on_hyphens=False, break_long_words=False)
