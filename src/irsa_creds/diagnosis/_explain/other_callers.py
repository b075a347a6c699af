"""P11 for callers other than this token's issuer: everyone under `"*"`, and other providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds._identity.claims import STS
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.broad_access import names_identity
from irsa_creds.diagnosis._explain.finding import Case, Found, requires_value, split_key
from irsa_creds.diagnosis._explain.principals import provider_of
from irsa_creds.diagnosis._explain.provider_names import is_other_issuer
from irsa_creds.diagnosis._policy.evaluate import covers_action, judge
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN, condition_claims
from irsa_creds.diagnosis._policy.request import AccessRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition, Statement

__all__ = ["other_caller_findings"]

_ASSUME = ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML")
_ARN = "aws:principalarn"
# "AWS global condition context keys", IAM User Guide: properties of the principal, the network, or
# the resource for which a service calls. Each account chooses the tags and the user names of its
# own principals, so that aws:PrincipalTag and aws:username restrict nothing.
_KEYS = frozenset(
    {
        _ARN, "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths",
        "aws:principalservicename", "aws:userid", "aws:sourcearn", "aws:sourceaccount",
        "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceip", "aws:sourcevpc",
        "aws:sourcevpcarn", "aws:sourcevpce", "aws:vpceaccount", "aws:vpceorgid",
        "aws:vpceorgpaths", "sts:externalid",
    }
)  # fmt: skip
_ACCOUNT = 4  # its place in an ARN
_STRANGER = "0nobody0"  # no subject, repository or project has this name


def other_caller_findings(case: Case) -> Iterator[Found]:
    """Yield the other callers of a statement that no condition restricts."""
    yield from _every_principal(case)
    yield from _other_providers(case)


def _every_principal(case: Case) -> Iterator[Found]:
    allowed = [action for action in _ASSUME if covers_action(case.statement, action)]
    if not allowed or not _is_for_all(case.statement):
        return
    conditions = [condition for condition, _ in case.conditions()]
    if any(_restricts(each) or names_identity(case, each) for each in conditions):
        return
    denies = [each for each in case.policy.statements if each.effect == "Deny"]
    if any(_denies_others(each, allowed) for each in denies):
        return
    message = (
        "trusts '*', and no condition restricts the principals, so anyone with an AWS account can "
        "get this role."
    )
    fix = "Name the principals, or add a condition on aws:PrincipalArn or aws:PrincipalOrgID."
    yield case.found("P11", "warning", message, fix)


def _is_for_all(statement: Statement) -> bool:
    return any(name == "*" for _, name in statement.principals)


def _restricts(condition: Condition) -> bool:
    """Return whether a condition requires a particular principal or source."""
    operator = condition.parsed_operator
    if operator.negated or operator.name == "Null":
        return False
    # These match if the key is absent.
    if operator.if_exists or operator.quantifier == "ForAllValues":
        return False
    return _is_specific(condition)


def _is_specific(condition: Condition) -> bool:
    key = condition.key.lower()
    values = condition.values
    if key == _ARN:
        values = tuple("".join(each.split(":")[_ACCOUNT : _ACCOUNT + 1]) for each in values)
    return key in _KEYS and all(value.strip("*?") for value in values)


def _denies_others(statement: Statement, actions: list[str]) -> bool:
    """Return whether a Deny holds for all principals except particular ones."""
    return (
        _is_for_all(statement)
        and all(covers_action(statement, action) for action in actions)
        and any(
            each.parsed_operator.negated and _is_specific(each) for each in statement.conditions
        )
    )


def _other_providers(case: Case) -> Iterator[Found]:
    """Yield P11 for each other provider: it must have conditions of its own."""
    for _, name in dict.fromkeys(case.statement.principals):
        provider = provider_of(name) or (name if name in BUILT_IN else "")
        # One that is misspelled is meant for this token's issuer.
        if is_other_issuer(provider, case.request.provider) and _lets_in(case, provider):
            issuer = quoted(f"https://{provider}")
            message = (
                f"trusts {quoted(name)}, and no condition restricts its tokens to particular "
                f"identities, so any token of {issuer} can get this role."
            )
            fix = "Write one statement for each provider, with StringEquals on its sub and aud."
            yield case.found("P11", "warning", message, fix)


def _lets_in(case: Case, provider: str) -> bool:
    """Return whether a statement allows tokens of a provider without naming an identity."""
    stranger = _stranger(case, provider)
    judgement = judge(case.policy, stranger)
    other = Case(case.policy, stranger, judgement, judgement.statements[case.index])
    if judgement.verdict == "deny" or other.judged.truth is False:
        return False
    return not any(names_identity(other, condition) for condition, _ in other.conditions())


def _stranger(case: Case, provider: str) -> AccessRequest:
    """Return the request with a token that matches what a statement requires of a provider."""
    claims: dict[str, Any] = dict.fromkeys(condition_claims(provider), _STRANGER)
    claims["aud"] = STS
    for condition in case.statement.conditions:
        prefix, claim = split_key(condition.key.lower())
        if (
            prefix == provider.lower()
            and condition.values
            and requires_value(condition.parsed_operator)
        ):
            # A pattern matches itself.
            claims[claim] = condition.values[0]
    return AccessRequest(f"https://{provider}", claims, case.request.role_arn)
