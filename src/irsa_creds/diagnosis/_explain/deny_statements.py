"""Findings about Deny statements; the id follows the condition that makes the statement apply."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.condition_keys import (
    intended_key,
    is_other_issuers_key,
    unknown_findings,
)
from irsa_creds.diagnosis._explain.condition_values import undecided_findings
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    json_pair,
    quoted_if_odd,
    quoted_list,
    split_key,
)
from irsa_creds.diagnosis._explain.untrusted_tokens import is_of_api_server, is_of_pull_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = ["deny_findings"]

_IDS = {"sub": "P04", "aud": "P06"}
# Neither ARNs nor hosts have these characters, and IAM has no variables in keys and principals.
_PLACEHOLDER = re.compile(r"[<>{}$%\[\]]")


def deny_findings(case: Case) -> Iterator[Found]:
    """Yield why a Deny applies, cannot be decided without AWS, or protects nothing."""
    if case.judged.truth is True:
        yield _applying(case)
    elif case.judged.truth is None:
        yield from unknown_findings(case)
        yield from undecided_findings(case)
        if case.judged.principal is None:
            message = (
                f"denies {quoted_list(tuple(name for _, name in case.statement.principals))}. "
                "Whether this includes web identities is not documented, so the verdict may be "
                "unknown."
            )
            fix = "Name the ARN of the OIDC provider under Federated, or restrict the actions."
            yield case.found("P02", "warning", message, fix)
    yield from _unreplaced_placeholders(case)


def _applying(case: Case) -> Found:
    conditions = [condition for condition, _ in case.conditions()]
    untrusted = is_of_pull_request(case.request) or is_of_api_server(case.request)
    purpose = "It is denied on purpose. " if untrusted else ""
    fix = f"{purpose}Use another token, or ask the owner of the policy."
    if not conditions:
        message = f"denies {case.judgement.action} to every token of this provider."
        return case.found("P01", "error", message, fix)
    condition = min(conditions, key=lambda each: split_key(each.key)[1].lower() not in _IDS)
    values = case.request.values(condition.key)
    message = f"denies it: {_reason(case, condition)}."
    if is_other_issuers_key(case, condition.key) and not untrusted:
        key = intended_key(case, condition.key)
        return case.found(
            "P03", "error", message, f"{quoted_if_odd(condition.key)} -> {quoted_if_odd(key)}"
        )
    if values is None:
        action = _other_action(condition)
        if action and not untrusted:
            limit = f"{case.name[0].lower()}{case.name[1:]}"
            fix = f"Limit {limit} to the action that has this key: {json_pair('Action', action)}"
        return case.found("P07", "error", message, fix)
    id_ = _IDS.get(split_key(condition.key)[1].lower(), "P04")
    if id_ == "P06" and condition.parsed_operator.negated:
        fix = f"{purpose}Use a token for the audience {quoted_list(condition.values)}."
    return case.found(id_, "error", message, fix)


def _other_action(condition: Condition) -> str | None:
    """Return the action that alone has a condition key; None for a key of this action."""
    key = condition.key.lower()
    if key == "sts:externalid":
        return "sts:AssumeRole"
    return "sts:AssumeRoleWithSAML" if key.startswith("saml:") else None


def _reason(case: Case, condition: Condition) -> str:
    values = case.request.values(condition.key)
    has = (
        f"the token has {quoted_list(values)}" if isinstance(values, tuple) else "the key is absent"
    )
    where = (
        f"{condition.operator} on {case.shown(condition.key)} against "
        f"{quoted_list(condition.values)}"
    )
    return f"{where} matches because {has}"


def _unreplaced_placeholders(case: Case) -> Iterator[Found]:
    """Yield P02 and P03 for a Deny that protects nothing: it still has a placeholder."""
    names = [name for _, name in case.statement.principals]
    keys = [test.key for test, truth in case.conditions() if truth is False]
    keys = [key for key in keys if _PLACEHOLDER.search(split_key(key)[0])]
    if all(_PLACEHOLDER.search(name) for name in names):
        message = f"denies nothing: its principal {quoted(names[0])} has a placeholder."
        yield case.found("P02", "warning", message, "Replace the placeholder.")
    if keys:
        message = f"denies nothing: its condition key {quoted(keys[0])} has a placeholder."
        yield case.found("P03", "warning", message, "Replace the placeholder.")
