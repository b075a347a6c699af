"""`explain`, `trust-policy` and `manifest`: why a role refuses, and what would be right."""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import IrsaError
from irsa_creds._identity.arns import role_arn
from irsa_creds._identity.validation import quoted
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._inputs import STDIN, policy_in, token_in
from irsa_creds.cli._parser import command
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._claims import audiences, told
from irsa_creds.diagnosis._explain.explain import CAVEAT, Explanation, Finding, asking, explain
from irsa_creds.diagnosis._policy.json_document import role_of
from irsa_creds.diagnosis._policy.templates import AUDIENCE, manifest, trust_policy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

#: Exit statuses by verdict; 2 is wrong usage.
_STATUS = {"allow": 0, "deny": 1, "unknown": 3}
_WHO = "--service-account prod/reader --issuer https://oidc.eks.eu-west-1.amazonaws.com/id/ID"
_ROLE = "--role-arn arn:aws:iam::123456789012:role/reader"
_CREATED = "kubectl create token reader -n prod --audience sts.amazonaws.com"


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
    parser.add_argument(
        "--token",
        metavar="FILE",
        help="holds the web identity token; - reads it from standard input",
    )
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
    if args.token == STDIN == args.policy:
        raise UsageError("Standard input can be the token or the policy, not both.")
    if args.fixed == STDIN:
        raise UsageError("--fixed takes the name of a file, and - is none.")
    token = None if args.token is None else token_in(args.token)
    # What is wrong with these is told before IAM is asked for anything.
    request = asking(token, args.service_account, args.issuer, args.audience, None)
    policy = _fetched(args) if args.fetch else policy_in(args.policy)
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
        out.emit({**found.as_dict(), **_asked(request.claims), "role_arn": role})
    else:
        _show(found, out)
    if args.fixed is not None:
        _write(found, args, role, out)
    return _STATUS[found.verdict]


def _asked(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return who asks, of claims that are anybody's."""
    who = {name: told(claims.get(claim)) for name, claim in (("issuer", "iss"), ("subject", "sub"))}
    return {**who, "audience": [told(each) for each in audiences(claims)]}


def _role(args: argparse.Namespace) -> str | None:
    if args.role_arn is not None:
        return role_arn(args.role_arn, "--role-arn", aws=True)
    variable = os.environ.get("AWS_ROLE_ARN")
    return role_arn(variable, "AWS_ROLE_ARN", aws=True) if variable else None


def _fetched(args: argparse.Namespace) -> dict[str, Any]:
    role = _role(args)
    if role is None:
        raise UsageError("--fetch needs the role's --role-arn, or AWS_ROLE_ARN.")
    from irsa_creds.cli._get_role import fetch_role  # noqa: PLC0415 - it brings botocore

    return fetch_role(role)


def _write(found: Explanation, args: argparse.Namespace, role: str | None, out: Printer) -> None:
    """Write the corrected policy, and say so on standard error."""
    if found.fixed is None:
        why = (
            "it allows already"
            if found.verdict == "allow"
            else "no single change mends it without letting in others"
        )
        out.note(f"{args.fixed} was not written: {why}.")
        return
    target = Path(args.fixed)
    try:
        for what in ("policy", "token"):
            read = getattr(args, what)
            if read not in (None, STDIN) and target.exists() and target.samefile(read):
                raise UsageError(f"--fixed names the {what}'s own file: give another.")
        target.write_text(json.dumps(found.fixed, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{quoted(args.fixed)} cannot be written: {why}.") from None
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
    for note in found.notes:
        _show_beside(Styled("note     ", "warning"), note, out)
    if found.nearest is not None:
        holds = "the statement" if found.verdict == "allow" else "the nearest statement"
        out.line("")
        out.heading(f"{holds}, number {found.statement}")
        for line in json.dumps(found.nearest, indent=2).splitlines():
            out.dim(f"  {line}")
    for finding in found.findings:
        out.line("")
        _show_finding(finding, out)
    out.line("")
    for line in _wrapped(CAVEAT, out.width):
        out.dim(line)


def _show_finding(finding: Finding, out: Printer) -> None:
    title = Styled(f"{finding.id} {finding.severity:8}", finding.severity)
    _show_beside(title, finding.message, out)
    indent = " " * len(title.text)
    if finding.fix:
        out.line(indent, Styled("fix:", "info"))
    # Not wrapped, and behind nothing but blanks: they are to be pasted.
    for line in finding.fix.splitlines():
        out.line(indent, "  ", line)


def _show_beside(title: Styled, message: str, out: Printer) -> None:
    """Print a message in as many lines as it takes, in a column beside its title."""
    margin = len(title.text)
    first, *rest = _wrapped(message, out.width - margin)
    out.line(title, first)
    for line in rest:
        out.line(" " * margin, line)


def _wrapped(message: str, width: int) -> list[str]:
    """Return the lines of a message; an ARN or a key is never broken."""
    return textwrap.wrap(message, width, break_on_hyphens=False, break_long_words=False)
