"""P11 for `"*"` as principal: a condition must restrict which ones may assume the role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds.diagnosis._explain.broad_access import names_identity
from irsa_creds.diagnosis._explain.finding import Case, Found, operator_of
from irsa_creds.diagnosis._policy.evaluate import covers_action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition, Statement

__all__ = ["open_principal_findings"]

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


def open_principal_findings(case: Case) -> Iterator[Found]:
    """Yield P11 for a statement that allows every principal to assume the role."""
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
    operator = operator_of(condition)
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
        and any(operator_of(each).negated and _is_specific(each) for each in statement.conditions)
    )
