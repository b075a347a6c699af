"""P02: whom a statement trusts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.changes import exact, replace_principal
from irsa_creds.diagnosis._explain.finding import Case, Found, bare, listed, pair
from irsa_creds.diagnosis._explain.provider_names import difference, stranger
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN
from irsa_creds.diagnosis._policy.templates import AUDIENCE, statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.evaluate import Judged
    from irsa_creds.diagnosis._policy.parse import Policy
    from irsa_creds.diagnosis._policy.request import Request

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
    arn = request.provider if request.provider in BUILT_IN else arn
    # The audience of a service account's token for somebody else is not one to be trusted.
    of_pod = subject.startswith("system:serviceaccount:") and audience != AUDIENCE
    complete = subject != "SUBJECT" and not of_pod and exact(arn, subject, audience)
    complete = complete and not arn.startswith(f"arn:aws:iam::{_UNKNOWN_ACCOUNT}:")
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
    if case.judged.principal is True:
        return
    if not case.request.secure:
        said = (
            f"cannot trust the token's issuer {quoted(case.request.issuer)}: IAM has providers of "
            "URLs that begin with https:// alone."
        )
        yield case.found("P02", "error", said, "Use a token whose issuer is an https:// URL.")
    elif case.judged.principal is None:
        yield _unknown(case)
    else:
        yield _untrusted(case)


def _unknown(case: Case) -> Found:
    arn: str = right_statement(case.policy, case.request)[0]["Principal"]["Federated"]
    names = listed(tuple(name for _, name in case.statement.principals))
    why = "which says nothing of web identities: whether IAM lets a token in is not known here"
    if case.request.provider in BUILT_IN:
        why = "but the issuer is built into IAM, which asks for its host alone"
    said = f"trusts {names}, {why}; name the provider {quoted(arn)}."
    return case.found("P02", "warning", said, f'"Principal": {{{pair("Federated", arn)}}}')


def _untrusted(case: Case) -> Found:
    right, _ = right_statement(case.policy, case.request)
    arn: str = right["Principal"]["Federated"]
    nearest = min(_aside(case, *named) for named in case.statement.principals)
    fix, change = f'"Principal": {{{pair("Federated", arn)}}}', None
    if not meant_for(case.judged, case.request):
        fix = f"Add a statement for this issuer:\n{json.dumps(right, indent=2)}"
    elif _UNKNOWN_ACCOUNT not in arn:
        change = replace_principal(case.index, nearest.kind, nearest.name, arn)
    said = (
        f"does not trust the token's issuer: {nearest.why}. It has {quoted(nearest.name)} under "
        f"{nearest.kind}, and needs {quoted(arn)} under Federated."
    )
    return case.found("P02", "error", said, fix, change)


def meant_for(judged: Judged, request: Request) -> bool:
    """Return whether a statement was written for this provider at all, well or badly.

    Else it is for a service, for a role that may assume this one, for SAML, for another cluster.
    """
    if judged.principal is not False:
        return True
    return any(_is_near(name, request) for _, name in judged.statement.principals)


def _is_near(name: str, request: Request) -> bool:
    bare = name.strip().strip("'\"")
    path = provider_of(bare)
    if path is None:
        return "oidc-provider" in bare or _is_issuer(bare, request)
    return not stranger(path, request.provider)


def _is_issuer(name: str, request: Request) -> bool:
    return name.strip().rstrip("/").removeprefix("https://") == request.provider.rstrip("/")


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
        far = stranger(found["path"], case.request.provider)
        return _Aside(4 if far else 2, kind, name, why)
    return _Aside(1, kind, name, _before_path(case, found))


def _before_path(case: Case, found: re.Match[str]) -> str:
    """Return in what a provider with the right path differs: the parts before it."""
    account, partition = _account_and_partition(case.policy, case.request)
    if found["region"]:
        region = bare(found["region"])
        return f"it names the region {region}, which the ARN of a provider does not have"
    if not re.fullmatch(_ACCOUNT, found["account"]):
        return f"its account is {quoted(found['account'])}, which is not 12 digits"
    if found["partition"] != partition:
        return f"its partition is {bare(found['partition'])}, the role's is {partition}"
    return (
        f"its account is {found['account']}, the role's is {account}, and a role trusts the "
        "providers of its own account alone"
    )


def _no_provider(request: Request, kind: str, name: str) -> _Aside:
    """Return what is wrong with a principal that is no ARN of a provider."""
    if _is_issuer(name, request):
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
