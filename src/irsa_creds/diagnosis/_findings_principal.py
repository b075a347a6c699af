"""P02: whom a statement trusts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._validate import shown
from irsa_creds.diagnosis._findings_base import Case, Found, listed, pair
from irsa_creds.diagnosis._findings_provider import difference, stranger
from irsa_creds.diagnosis._fix import replace_principal
from irsa_creds.diagnosis._made import AUDIENCE, statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._evaluate import Judged
    from irsa_creds.diagnosis._policy import Policy
    from irsa_creds.diagnosis._request import Request

__all__ = ["meant_for", "principal_findings", "provider_of", "right_statement"]

_PROVIDER = re.compile(
    r"arn:(?P<partition>[^:]*):iam:(?P<region>[^:]*):(?P<account>[^:]*):oidc-provider/(?P<path>.*)",
    re.DOTALL,
)
_ROLE = re.compile(r"arn:(?P<partition>[^:]*):iam:[^:]*:(?P<account>[^:]*):role/.*", re.DOTALL)
_ACCOUNT = r"(?a:\d{12})"
_UNKNOWN_ACCOUNT = "ACCOUNT"


class _Aside(NamedTuple):
    """A principal that is not the right one: what is wrong, and how near it comes."""

    distance: int
    kind: str
    name: str
    why: str


def provider_of(arn: str) -> str | None:
    """Return host and path of a provider's ARN; None where it is none."""
    found = _PROVIDER.fullmatch(arn)
    return found["path"] if found else None


def right_statement(policy: Policy, request: Request) -> tuple[dict[str, Any], bool]:
    """Return the statement that lets the token in, and whether nothing in it had to be guessed."""
    account, partition = _account_and_partition(policy, request)
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{request.provider}"
    known = [request.values(f"{request.provider}:{claim}") for claim in ("sub", "aud")]
    subject, audience = (
        found[0] if isinstance(found, tuple) and found else guess
        for found, guess in zip(known, ("SUBJECT", AUDIENCE), strict=True)
    )
    complete = account != _UNKNOWN_ACCOUNT and subject != "SUBJECT"
    return statement(arn, request.provider, subject, audience), complete


def _account_and_partition(policy: Policy, request: Request) -> tuple[str, str]:
    """Return those of the role; else those that the policy's own providers agree on."""
    if role := _ROLE.fullmatch(request.role_arn or ""):
        return role["account"], role["partition"]
    seen = {
        (found["account"], found["partition"])
        for each in policy.statements
        for _, name in each.principals
        if (found := _PROVIDER.fullmatch(name)) and re.fullmatch(_ACCOUNT, found["account"])
    }
    return seen.pop() if len(seen) == 1 else (_UNKNOWN_ACCOUNT, "aws")


def principal_findings(case: Case) -> Iterator[Found]:
    """Yield what is wrong with the principals of a statement."""
    trusting = case.statement
    if case.judged.principal is True:
        return
    right, _ = right_statement(case.policy, case.request)
    arn: str = right["Principal"]["Federated"]
    fix = f'"Principal": {{{pair("Federated", arn)}}}'
    nearest = min(_aside(case, *named) for named in trusting.principals)
    if case.judged.principal is None:
        said = (
            f"trusts {listed(tuple(name for _, name in trusting.principals))} under "
            f"{nearest.kind}, which says nothing of web identities: whether IAM lets a token in "
            f"is not known here; name the provider {arn}."
        )
        yield case.found("P02", "warning", said, fix)
    else:
        if not meant_for(case.judged, case.request):
            fix = f"Add a statement for this issuer:\n{json.dumps(right, indent=2)}"
        known = _UNKNOWN_ACCOUNT not in arn
        change = replace_principal(case.index, nearest.kind, nearest.name, arn) if known else None
        said = (
            f"does not trust the token's issuer: {nearest.why}. It has {shown(nearest.name)} under "
            f"{nearest.kind}, and needs {shown(arn)} under Federated."
        )
        yield case.found("P02", "error", said, fix, change)


def meant_for(judged: Judged, request: Request) -> bool:
    """Return whether a statement was written for this provider at all, well or badly."""
    if judged.principal is not False:
        return True
    if judged.action is False:
        # Else it is for a service, or for a role that may assume this one.
        named = judged.statement.principals
        return any(kind == "Federated" or provider_of(name) for kind, name in named)
    others = [provider_of(name) for _, name in judged.statement.principals]
    return not any(other and stranger(other, request.provider) for other in others)


def _aside(case: Case, kind: str, name: str) -> _Aside:
    """Return what is wrong with one principal."""
    bare = name.strip().strip("'\"")
    found = _PROVIDER.fullmatch(bare)
    if not found:
        return _no_provider(case.request, kind, name)
    if kind != "Federated":
        return _Aside(1, kind, name, "the ARN of a provider belongs under Federated")
    if bare != name:
        return _Aside(1, kind, name, "there are blanks or quotes around it")
    if why := difference(found["path"], case.request.provider):
        return _Aside(2, kind, name, why)
    return _Aside(1, kind, name, _before_path(case, found))


def _before_path(case: Case, found: re.Match[str]) -> str:
    """Return in what a provider with the right path differs: the parts before it."""
    account, partition = _account_and_partition(case.policy, case.request)
    if found["region"]:
        return f"it names the region {found['region']}, which the ARN of a provider does not have"
    if not re.fullmatch(_ACCOUNT, found["account"]):
        return f"its account is {shown(found['account'])}, which is not 12 digits"
    if found["partition"] != partition:
        return f"its partition is {found['partition']}, the role's is {partition}"
    return (
        f"its account is {found['account']}, the role's is {account}, and a role trusts the "
        "providers of its own account alone"
    )


def _no_provider(request: Request, kind: str, name: str) -> _Aside:
    """Return what is wrong with a principal that is no ARN of a provider."""
    bare = name.strip().rstrip("/").removeprefix("https://")
    if bare == request.provider.rstrip("/"):
        return _Aside(2, kind, name, "that is the issuer, and it must be the provider's ARN")
    if ":saml-provider/" in name:
        return _Aside(4, kind, name, "that is a SAML provider")
    if "oidc-provider" in name:
        return _Aside(3, kind, name, "that is not how the ARN of a provider is written")
    if kind == "Federated":
        return _Aside(4, kind, name, "that is another kind of provider than the token's issuer")
    return _Aside(
        5, kind, name, "the token comes from an OIDC provider, which stands under Federated"
    )
