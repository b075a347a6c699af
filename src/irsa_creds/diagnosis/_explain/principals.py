"""P02: a statement that does not trust the token's issuer."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._identity.claims import STS
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import is_plain, replace_principal
from irsa_creds.diagnosis._explain.finding import Case, Found, json_pair, quoted_if_odd, quoted_list
from irsa_creds.diagnosis._explain.provider_names import difference, is_other_issuer
from irsa_creds.diagnosis._explain.untrusted_tokens import is_of_api_server
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN
from irsa_creds.diagnosis._policy.templates import statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.evaluate import Judged
    from irsa_creds.diagnosis._policy.parse import Policy
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["correct_statement", "is_meant_for", "principal_findings", "provider_of"]

_PROVIDER = re.compile(
    r"arn:(?P<partition>[^:]*):iam:(?P<region>[^:]*):(?P<account>[^:]*):oidc-provider/(?P<path>.*)",
    re.DOTALL,
)
_ROLE = re.compile(r"arn:(?P<partition>[^:]*):iam:[^:]*:(?P<account>[^:]*):role/.*", re.DOTALL)
_ACCOUNT = r"(?a:\d{12})"
_PARTITION = r"(?a:aws(?:-[a-z0-9]+)*)"
_UNKNOWN_ACCOUNT = "ACCOUNT"


class _Mismatch(NamedTuple):
    """A principal that is not the token's issuer: why, and how far it is from correct."""

    distance: int
    kind: str
    name: str
    why: str


def provider_of(arn: str) -> str | None:
    """Return host and path of an OIDC provider's ARN; None for another ARN."""
    found = _PROVIDER.fullmatch(arn)
    return found["path"] if found else None


def correct_statement(policy: Policy, request: AccessRequest) -> tuple[dict[str, Any], bool]:
    """Return a statement that allows the token, and whether no part of it was guessed."""
    account, partition = _account_and_partition(policy, request)
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{request.provider}"
    known = [request.values(f"{request.provider}:{claim}") for claim in ("sub", "aud")]
    subject, audience = (
        found[0] if isinstance(found, tuple) and found else guess
        for found, guess in zip(known, ("SUBJECT", STS), strict=True)
    )
    if is_of_api_server(request):
        audience = STS
    arn = request.provider if request.provider in BUILT_IN else arn
    # The statement must not trust a service account's token for another audience.
    of_pod = subject.startswith("system:serviceaccount:") and audience != STS
    complete = subject != "SUBJECT" and not of_pod and is_plain(arn, subject, audience)
    complete = complete and not arn.startswith(f"arn:aws:iam::{_UNKNOWN_ACCOUNT}:")
    return statement(arn, request.provider, subject, audience), complete


def _account_and_partition(policy: Policy, request: AccessRequest) -> tuple[str, str]:
    """Return the role's account and partition, or the ones common to the policy's providers."""
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
    """Yield findings about the principals of a statement."""
    if case.judged.principal is True:
        return
    if not case.request.secure:
        message = (
            f"cannot trust the token's issuer {quoted(case.request.issuer)}: OIDC providers of IAM "
            "require a URL that begins with https://."
        )
        fix = "Use a token with an https:// URL as issuer."
        cause = "the token's issuer has no https:// URL"
        yield case.found("P02", "error", message, fix, cause=cause)
    elif case.judged.principal is None:
        yield _unknown(case)
    else:
        yield _untrusted(case)


def _unknown(case: Case) -> Found:
    arn: str = correct_statement(case.policy, case.request)[0]["Principal"]["Federated"]
    names = quoted_list(tuple(name for _, name in case.statement.principals))
    why = "and AWS does not document whether that includes web identities"
    if case.request.provider in BUILT_IN:
        why = "but the issuer is built into IAM, which requires its host name alone"
    message = f"trusts {names}, {why}. Name the provider {quoted(arn)}."
    return case.found("P02", "warning", message, f'"Principal": {{{json_pair("Federated", arn)}}}')


def _untrusted(case: Case) -> Found:
    right, _ = correct_statement(case.policy, case.request)
    arn: str = right["Principal"]["Federated"]
    nearest = min(_mismatch(case, *named) for named in case.statement.principals)
    fix, change = f'"Principal": {{{json_pair("Federated", arn)}}}', None
    if not is_meant_for(case.judged, case.request):
        fix = f"Add a statement for this issuer:\n{json.dumps(right, indent=2)}"
    elif _UNKNOWN_ACCOUNT not in arn:
        change = partial(replace_principal, case.index, nearest.kind, nearest.name, arn)
    message = (
        f"does not trust the token's issuer: {nearest.why}. It has {quoted(nearest.name)} under "
        f"{nearest.kind} and needs {quoted(arn)} under Federated."
    )
    cause = f"wrong principal: {nearest.why}"
    return case.found("P02", "error", message, fix, change, cause=cause)


def is_meant_for(judged: Judged, request: AccessRequest) -> bool:
    """Return whether a statement is intended for this provider, even if misspelled.

    Other statements are for a service, another role, SAML or another cluster.
    """
    if judged.principal is not False:
        return True
    return any(_is_near(name, request) for _, name in judged.statement.principals)


def _is_near(name: str, request: AccessRequest) -> bool:
    bare = name.strip().strip("'\"")
    path = provider_of(bare)
    if path is None:
        return "oidc-provider" in bare or _is_issuer(bare, request)
    return not is_other_issuer(path, request.provider)


def _is_issuer(name: str, request: AccessRequest) -> bool:
    return name.strip().rstrip("/").removeprefix("https://") == request.provider.rstrip("/")


def _mismatch(case: Case, kind: str, name: str) -> _Mismatch:
    """Return what is wrong with one principal."""
    bare = name.strip().strip("'\"")
    found = _PROVIDER.fullmatch(bare)
    if not found:
        return _not_a_provider(case.request, kind, name)
    if kind != "Federated":
        return _Mismatch(1, kind, name, "the ARN of a provider belongs under Federated")
    if bare != name:
        return _Mismatch(1, kind, name, "there are blanks or quotes around it")
    if why := difference(found["path"], case.request.provider):
        far = is_other_issuer(found["path"], case.request.provider)
        why = why.replace("that is another", "the policy trusts another")
        return _Mismatch(4 if far else 2, kind, name, why)
    return _Mismatch(1, kind, name, _before_path(case, found))


def _before_path(case: Case, found: re.Match[str]) -> str:
    """Return the difference of a provider's ARN with a correct path: a part before the path."""
    account, partition = _account_and_partition(case.policy, case.request)
    if found["region"]:
        region = quoted_if_odd(found["region"])
        return f"it has the region {region}, but the ARN of a provider has none"
    if not re.fullmatch(_ACCOUNT, found["account"]):
        return f"its account is {quoted(found['account'])}, which is not 12 digits"
    if not re.fullmatch(_PARTITION, found["partition"]):
        return f"its partition is {quoted_if_odd(found['partition'])}, which AWS does not have"
    if found["partition"] != partition:
        return f"its partition is {quoted_if_odd(found['partition'])}, the role's is {partition}"
    return (
        f"its account is {found['account']}, the role's is {account}, and a role trusts only the "
        "providers of its own account"
    )


def _not_a_provider(request: AccessRequest, kind: str, name: str) -> _Mismatch:
    """Return what is wrong with a principal that is not the ARN of an OIDC provider."""
    if _is_issuer(name, request):
        return _Mismatch(2, kind, name, "that is the issuer, not the provider's ARN")
    if ":saml-provider/" in name:
        return _Mismatch(4, kind, name, "that is a SAML provider")
    if "oidc-provider" in name:
        return _Mismatch(3, kind, name, "that is not a valid ARN of an OIDC provider")
    if kind == "Federated":
        return _Mismatch(4, kind, name, "that is not an OIDC provider")
    return _Mismatch(
        5, kind, name, "the token's issuer is an OIDC provider, which belongs under Federated"
    )
