"""S01 and S02: whether STS returns credentials of the role, and which identity a program has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._errors import Failure
from irsa_creds._exchange.advice import role_parts
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._fixes import ROLE_EXAMPLE

if TYPE_CHECKING:
    from irsa_creds.diagnosis._checks import Status
    from irsa_creds.diagnosis._network.network_facts import Caller, OnlineFacts

__all__ = ["exchange_check", "identity_check"]

_SESSION = r"arn:([^:]*):sts:[^:]*:([^:]*):assumed-role/([^/]+)/(.+)"
# EC2 names the session of an instance profile after the instance (IAM User Guide, "Using an IAM
# role to grant permissions to applications running on Amazon EC2 instances").
_INSTANCE = r"i-[0-9a-f]{8,17}"
_FIRST = "assume-role-with-web-identity"
_WHO = "aws sts get-caller-identity"
_EXPLAIN = 'irsa-creds explain --token "$AWS_WEB_IDENTITY_TOKEN_FILE" --policy trust.json'


class _Session(NamedTuple):
    """The parts of a session's ARN; empty for another ARN."""

    partition: str = ""
    account: str = ""
    role: str = ""
    name: str = ""


def exchange_check(facts: OnlineFacts) -> Check:
    """Return S01.

    Args:
        facts: the result of `gather_online`.
    """
    done = facts.exchanged
    if done is None:
        if facts.probe is None or facts.probe.status is None:
            return Check("S01", "skipped", "STS was not reached.")
        return Check("S01", "skipped", f"There is no token: {facts.no_token}.")
    if isinstance(done, Failure):
        data: dict[str, object] = {"code": done.code}
        if done.unreachable:
            data["reached"] = False
        return Check(
            "S01",
            "fail",
            " ".join(filter(None, (done.message, done.advice, f"The role is {facts.role_arn}."))),
            _fix(done),
            data,
        )
    return Check(
        "S01",
        "ok",
        f"STS returned credentials of the role {facts.role_arn} for {done.seconds:,.0f} s.",
        data={"arn": done.arn, "seconds": round(done.seconds)},
    )


def _fix(failure: Failure) -> str:
    command = failure.command
    # Without credentials these commands fail here, too.
    if failure.code == "AccessDenied":
        return f"# where you have iam:GetRole (not in the pod)\n{command or _EXPLAIN}"
    if command.startswith(("aws ", "eksctl ")):
        return f"# where you have rights in the role's account (not in the pod)\n{command}"
    return command


def identity_check(facts: OnlineFacts) -> Check:
    """Return S02.

    Args:
        facts: as above.
    """
    caller = facts.caller
    if caller is None:
        return Check("S02", "skipped", "There are no credentials: see S01.")
    if not caller.method:
        return _no_caller(caller)
    data = {"arn": caller.arn, "method": caller.method}
    if caller.arn is None:
        status: Status = "fail" if facts.is_aws else "unknown"
        return Check("S02", status, f"GetCallerIdentity failed: {caller.error}.", _WHO, data)
    # Without botocore's chain, the caller may also be the first role of a role chain.
    expected = {facts.final_role_arn, facts.role_arn if caller.method == _FIRST else None}
    if any(_is_session_of(caller.arn, role) for role in expected if role):
        return Check("S02", "ok", f"A program here is {caller.arn}, as configured.", data=data)
    session = _session(caller.arn)
    node = re.fullmatch(_INSTANCE, session.name) is not None
    caller_text = f"a program here is {caller.arn} (by {caller.method})"
    if node:
        caller_text += f": the role of the node {session.name}"
    if facts.role_arn is None:
        return Check(
            "S02",
            "fail" if node else "warn",
            f"No role is configured, and {caller_text}.",
            "# where kubectl may change the namespace (not in the pod)\n"
            f"eks.amazonaws.com/role-arn={ROLE_EXAMPLE}",
            data,
        )
    return Check(
        "S02",
        "fail",
        f"The role {facts.final_role_arn} is configured, but {caller_text}.",
        "irsa-creds doctor  # C01 names what takes precedence over IRSA",
        data,
    )


def _no_caller(caller: Caller) -> Check:
    """Return S02 if the chain has no credentials or could not be used."""
    if not caller.error:
        return Check("S02", "skipped", "botocore's chain has no credentials.")
    return Check("S02", "unknown", f"The identity of a program is not known: {caller.error}.", _WHO)


def _is_session_of(arn: str, role_arn: str) -> bool:
    """Return whether a session is of a role; its ARN has the role's name without the path."""
    return role_parts(role_arn) == _session(arn)[:3]


def _session(arn: str) -> _Session:
    found = re.fullmatch(_SESSION, arn)
    return _Session(*found.groups()) if found else _Session()
