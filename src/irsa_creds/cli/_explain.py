"""`explain`, `trust-policy` and `manifest`: explain a trust policy, or generate a correct one."""

from __future__ import annotations

import errno
import json
import os
import shlex
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import IrsaError
from irsa_creds._identity.arns import role_arn
from irsa_creds._identity.claims import STS
from irsa_creds._masking import quoted
from irsa_creds.cli._errors import UsageError
from irsa_creds.cli._inputs import STDIN, policy_in, token_in
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._claims import audiences, redacted
from irsa_creds.diagnosis._explain.explain import CAVEAT, Explanation, Finding, explain, request_of
from irsa_creds.diagnosis._policy.json_document import role_of
from irsa_creds.diagnosis._policy.templates import manifest, trust_policy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["add", "run"]

#: Exit statuses by verdict; 2 is wrong usage.
_STATUS = {"allow": 0, "deny": 1, "unknown": 3}
#: The trust policy allows the token, but STS denies it for another reason.
_NOT_ENOUGH = 3
_WHO = "--service-account prod/reader --issuer https://oidc.eks.eu-west-1.amazonaws.com/id/ID"
_ROLE = "--role-arn arn:aws:iam::123456789012:role/reader"
_CREATED = "kubectl create token reader -n prod --audience sts.amazonaws.com"


def add(commands: Commands) -> None:
    """Add the parsers of `explain`, `trust-policy` and `manifest`."""
    _add_explain(commands)
    made = commands.add(
        "trust-policy",
        description="Print the trust policy of a role for one service account.",
        examples=[
            (
                "for the service account 'reader' in the namespace 'prod'",
                f"irsa-creds trust-policy {_WHO} --account 123456789012 > trust.json",
            ),
        ],
    )
    _add_account(made)
    made.add_argument("--issuer", required=True, metavar="URL", help="the cluster's OIDC issuer")
    made.add_argument(
        "--account", required=True, metavar="ID", help="the AWS account of role and OIDC provider"
    )
    made.add_argument("--partition", default="aws", help="aws (the default), aws-cn, aws-us-gov")
    made.add_argument("--audience", default=STS, help=f"the token's; by default {STS}")
    objects = commands.add(
        "manifest",
        description="Print an annotated ServiceAccount and a Deployment that uses it.",
        examples=[
            (
                "for the service account 'reader' in the namespace 'prod'",
                f"irsa-creds manifest --service-account prod/reader {_ROLE} | kubectl apply -f -",
            )
        ],
    )
    _add_account(objects)
    _add_role(objects)
    objects.add_argument("--image", help="the container image; by default one with Python")
    objects.add_argument("--audience", default=STS, help=f"the token's; by default {STS}")


def _add_explain(commands: Commands) -> None:
    parser = commands.add(
        "explain",
        description=(
            "Evaluate a role's trust policy for a token. If it denies, print which condition of\n"
            "which statement fails and how to fix it. The token is never printed."
        ),
        examples=[
            (
                "in the pod, with a policy that you fetched elsewhere",
                "irsa-creds explain --token $AWS_WEB_IDENTITY_TOKEN_FILE --policy trust.json",
            ),
            (
                "on your machine, without a token",
                f"aws iam get-role --role-name reader | irsa-creds explain --policy - {_WHO}",
            ),
            (
                "in CI, for a job of GitHub Actions or GitLab",
                "irsa-creds explain --subject repo:ORG/NAME:ref:refs/heads/main --policy F",
            ),
            (
                "for EKS Pod Identity",
                f"irsa-creds explain --pod-identity {_WHO.partition(' --issuer')[0]} --policy F",
            ),
            (
                "with a new token from the API server",
                f"{_CREATED} | irsa-creds explain --token - {_ROLE} --fetch --fixed fixed.json",
            ),
        ],
        after=(
            "exit status: 0 allow, 1 deny, 2 wrong usage, 3 unknown, because only AWS can decide,\n"
            "or because the policy allows the token and STS denies it, as an expired one.\n"
            + CAVEAT
        ),
    )
    parser.add_argument(
        "--token",
        metavar="FILE",
        help="file with the web identity token; - reads standard input",
    )
    _add_account(parser, required=False)
    parser.add_argument(
        "--subject",
        metavar="SUB",
        help="instead of a token: its subject; of github.com and gitlab.com without --issuer",
    )
    parser.add_argument("--issuer", metavar="URL", help="with --service-account or --subject")
    parser.add_argument(
        "--audience",
        help=f"with --service-account or --subject; by default {STS}, for GitLab the issuer",
    )
    parser.add_argument(
        "--pod-identity",
        action="store_true",
        help="whether EKS Pod Identity may assume the role; without --issuer",
    )
    policy = parser.add_mutually_exclusive_group(required=True)
    policy.add_argument(
        "--policy",
        metavar="FILE",
        help="file with the trust policy or the output of 'aws iam get-role'; - reads standard "
        "input",
    )
    policy.add_argument(
        "--fetch", action="store_true", help="get it from IAM, and look at the OIDC provider"
    )
    _add_role(parser)
    parser.add_argument(
        "--fixed", metavar="FILE", help="write the corrected policy here, if one change fixes it"
    )


def _add_account(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--service-account",
        required=required,
        metavar="NS/NAME",
        help="namespace and name" if required else "instead of a token",
    )


def _add_role(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role-arn", metavar="ARN", help="the role; by default AWS_ROLE_ARN")


def run(args: argparse.Namespace, out: Printer) -> int:
    """Run one of the three commands and return its exit status."""
    try:
        if args.command == "trust-policy":
            return _trust_policy(args, out)
        if args.command == "manifest":
            return _manifest(args, out)
        return _explain(args, out)
    except IrsaError as error:
        # Exit status 1 would mean that the policy denies.
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
        raise UsageError("No role is given: use --role-arn, or set AWS_ROLE_ARN.")
    image = {} if args.image is None else {"image": args.image}
    text = manifest(args.service_account, role, audience=args.audience, **image)
    out.emit({"manifest": text}) if args.json else out.line(text.rstrip("\n"))
    return 0


def _explain(args: argparse.Namespace, out: Printer) -> int:
    if args.token == STDIN == args.policy:
        raise UsageError("Standard input can hold the token or the policy, not both.")
    if args.fixed == STDIN:
        raise UsageError("--fixed needs the name of a file, not -.")
    token = None if args.token is None else token_in(args.token)
    # Errors in these arguments are reported before IAM is called.
    request = None
    if not args.pod_identity:
        given = (token, args.service_account, args.issuer, args.audience)
        request = request_of(*given, None, subject=args.subject)
    policy = _fetched(args) if args.fetch else policy_in(args.policy)
    # A policy that names its role may belong to another role than AWS_ROLE_ARN.
    role = (None if args.role_arn else role_of(policy)) or _role(args)
    found = explain(
        policy,
        token=token,
        service_account=args.service_account,
        issuer=args.issuer,
        audience=args.audience,
        role_arn=role,
        pod_identity=args.pod_identity,
        subject=args.subject,
    )
    if args.fetch and request is not None and role is not None:
        found = _with_provider(found, request, role)
    if args.json:
        claims = {} if request is None else request.claims
        out.emit({**found.as_dict(), **_identity(claims), "role_arn": role})
    else:
        _show(found, args, out)
    if args.fixed is not None:
        _write(found, args, role, out)
    return _NOT_ENOUGH if found.verdict == "allow" and found.notes else _STATUS[found.verdict]


def _identity(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return issuer, subject and audience as JSON shows them: bounded and without secrets."""
    identity = {
        name: redacted(claims.get(claim)) for name, claim in (("issuer", "iss"), ("subject", "sub"))
    }
    return {**identity, "audience": [redacted(each) for each in audiences(claims)]}


def _role(args: argparse.Namespace) -> str | None:
    if args.role_arn is not None:
        return role_arn(args.role_arn, "--role-arn", aws=True)
    variable = os.environ.get("AWS_ROLE_ARN")
    return role_arn(variable, "AWS_ROLE_ARN", aws=True) if variable else None


def _fetched(args: argparse.Namespace) -> dict[str, Any]:
    role = _role(args)
    if role is None:
        raise UsageError("--fetch needs --role-arn or AWS_ROLE_ARN.")
    from irsa_creds.cli._iam import fetch_role  # noqa: PLC0415 - imports botocore

    return fetch_role(role)


def _with_provider(found: Explanation, request: AccessRequest, role: str) -> Explanation:
    """Return the explanation with what IAM says of the issuer's OIDC provider."""
    from irsa_creds.cli._iam import check_provider  # noqa: PLC0415 - imports botocore

    check = check_provider(request, role)
    if check is None:
        return found
    if not check.note:
        return replace(found, findings=(*found.findings, check.finding))
    findings = (check.finding, *found.findings)
    return replace(found, notes=(*found.notes, check.note), findings=findings)


def _write(found: Explanation, args: argparse.Namespace, role: str | None, out: Printer) -> None:
    """Write the corrected policy; print on standard error how to apply it."""
    if found.fixed is None:
        why = (
            "the policy already allows the token"
            if found.verdict == "allow"
            else "no single change fixes the policy without allowing other identities"
        )
        out.note(f"{args.fixed} not written: {why}.")
        return
    target = Path(args.fixed)
    try:
        for what in ("policy", "token"):
            read = getattr(args, what)
            if read not in (None, STDIN) and target.exists() and target.samefile(read):
                raise UsageError(f"--fixed names the file of the {what}; give another file.")
        target.write_text(json.dumps(found.fixed, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        # Another name for the file would not help.
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise OSError(error.errno, error.strerror, args.fixed) from None
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{quoted(args.fixed)} cannot be written: {why}.") from None
    name = shlex.quote(role.rpartition("/")[2]) if role else "ROLE"
    out.note(
        f"{args.fixed} written. Compare it, then run this where you have "
        f"iam:UpdateAssumeRolePolicy:\n  aws iam update-assume-role-policy --role-name {name} "
        f"--policy-document {shlex.quote(f'file://{args.fixed}')}"
    )


def _show(found: Explanation, args: argparse.Namespace, out: Printer) -> None:
    verdict = found.verdict.upper()
    style = "warning" if found.verdict == "allow" and found.notes else found.verdict
    margin = "  " if found.verdict == "deny" else " "
    _show_beside(Styled(verdict + margin, style), found.summary.removeprefix(verdict).strip(), out)
    for what, value in found.asked.items():
        out.line(f"{what:9}{value}")
    # Of the other verdicts, the first line has them.
    for note in found.notes if found.verdict == "deny" else ():
        _show_beside(Styled("note     ", "warning"), note, out)
    for finding in found.findings:
        out.line("")
        _show_finding(finding, out)
    out.line("")
    if found.fixed is not None and args.fixed is None:
        out.line("To write the corrected policy, run the same command with --fixed FILE.")
    if found.verdict == "allow" and not (found.notes or args.fetch or args.pod_identity):
        out.line("If STS denies it all the same: --fetch also looks at the OIDC provider in IAM.")
    # With --fetch, P16 tells about the provider.
    caveat = CAVEAT.replace("the OIDC provider in IAM, ", "") if args.fetch else CAVEAT
    for line in _wrapped(caveat, out.width):
        out.dim(line)
    if found.nearest is not None:
        which = "statement" if found.verdict == "allow" else "nearest statement:"
        out.line("")
        out.heading(f"{which} {found.statement}")
        for line in json.dumps(found.nearest, indent=2).splitlines():
            out.dim(f"  {line}")


def _show_finding(finding: Finding, out: Printer) -> None:
    title = Styled(f"{finding.id} {finding.severity:8}", finding.severity)
    _show_beside(title, finding.message, out)
    indent = " " * len(title.text)
    if finding.fix:
        out.line(indent, Styled("fix:", "info"))
    # Not wrapped, and indented with blanks only, so that they can be pasted.
    for line in finding.fix.splitlines():
        out.line(indent, "  ", line)


def _show_beside(title: Styled, message: str, out: Printer) -> None:
    """Print a message as a column beside its title."""
    margin = len(title.text)
    first, *rest = _wrapped(message, out.width - margin)
    out.line(title, first)
    for line in rest:
        out.line(" " * margin, line)


def _wrapped(message: str, width: int) -> list[str]:
    """Return the lines of a message; an ARN or a condition key is never broken."""
    return textwrap.wrap(message, width, break_on_hyphens=False, break_long_words=False)
