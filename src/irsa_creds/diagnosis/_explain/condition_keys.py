"""P03, P07, P09, P12: conditions on a wrong, absent or unknown key."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import (
    add_statement,
    drop_condition,
    is_plain,
    rename_keys,
    require_instead,
)
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    json_condition,
    quoted_if_odd,
    quoted_list,
    split_key,
)
from irsa_creds.diagnosis._explain.principals import correct_statement, provider_of
from irsa_creds.diagnosis._explain.provider_names import difference
from irsa_creds.diagnosis._policy.issuer_claims import condition_claims
from irsa_creds.diagnosis._policy.logic import Unknown
from irsa_creds.diagnosis._policy.request import is_service_key
from irsa_creds.diagnosis._policy.templates import ACTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._explain.finding import Change
    from irsa_creds.diagnosis._policy.logic import Truth
    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = [
    "absent_findings",
    "intended_claim",
    "intended_key",
    "is_other_issuers_key",
    "prefix_findings",
    "unknown_findings",
]

# Claims that identify a condition key of an OIDC provider without its prefix.
_CLAIMS = ("sub", "aud", "amr", "azp", "email", "oaud")
_WRONG_CLAIM_NAMES = {
    "subject": "sub",
    "subjects": "sub",
    "audience": "aud",
    "audiences": "aud",
    "client_id": "aud",
    "serviceaccount": "sub",
    "service_account": "sub",
}
_SIMILAR = 0.6
# Without a condition on one of these, strangers' tokens can get the role.
_REQUIRED = frozenset({"sub", "aud"})


def is_other_issuers_key(case: Case, key: str) -> bool:
    """Return whether a key names a claim of another OIDC provider than the token's issuer."""
    if case.is_own(key):
        return False
    if split_key(key)[0]:
        return not is_service_key(key)
    return True  # Every condition key that exists has a colon.


def intended_claim(case: Case, condition: Condition) -> str:
    """Return the claim that the condition's author intended to test."""
    return split_key(intended_key(case, condition.key))[1].lower()


def prefix_findings(case: Case) -> Iterator[Found]:
    """Yield one finding for each wrong prefix: one change fixes all its keys."""
    if not case.request.secure:
        return  # The token's issuer is wrong, not the policy.
    others: dict[str, list[tuple[Condition, Truth]]] = {}
    for condition, truth in case.conditions():
        if is_other_issuers_key(case, condition.key):
            prefix, claim = split_key(condition.key)
            whole = not prefix and claim.strip().lower() not in _CLAIMS
            others.setdefault(claim if whole else prefix, []).append((condition, truth))
    for prefix, conditions in others.items():
        yield _prefix_finding(case, prefix, conditions)


def _prefix_finding(case: Case, prefix: str, conditions: list[tuple[Condition, Truth]]) -> Found:
    wanted = case.request.provider
    keys = tuple(dict.fromkeys(condition.key for condition, _ in conditions))
    names = {key: intended_key(case, key) for key in keys}
    fix = "\n".join(f"Replace {quoted(old)} with {json.dumps(new)}" for old, new in names.items())
    claims = " and ".join(case.shown(new) for new in names.values())
    why = _why(prefix, wanted, keys)
    message = (
        f"tests {claims} with a condition key of another issuer: {why}. It has "
        f"{quoted_list(keys)}; the keys of this token begin with {quoted(wanted + ':')}."
    )
    known = {provider_of(name) for _, name in case.statement.principals} - {wanted}
    if any(truth is not True for _, truth in conditions):
        if prefix in known and case.judged.principal:
            return _several_providers(case, keys)
        cause = f"wrong condition key of {claims}: {why}"
        return case.found(
            "P03", "error", message, fix, partial(rename_keys, case.index, names), cause=cause
        )
    if prefix in known:
        message = (
            f"has the condition key {quoted_list(keys)} of another provider that it trusts. It is "
            "absent from this token, and the operator matches without it."
        )
        return case.found("P07", "info", message)
    message += " Under this operator the condition matches every token."
    return case.found("P03", "warning", message, fix)


def _several_providers(case: Case, keys: tuple[str, ...]) -> Found:
    """Return P03 for a statement that requires the keys of several providers at once."""
    right, complete = correct_statement(case.policy, case.request)
    message = (
        f"trusts several providers and requires {quoted_list(keys)}, keys of another provider than "
        "this token's. No token has the keys of both, so the statement allows neither."
    )
    lines = json.dumps(right, indent=2)
    fix = f"Write one statement for each provider. For this one:\n{lines}"
    cause = "one statement requires the keys of several providers"
    change = partial(add_statement, right) if complete else None
    return case.found("P03", "error", message, fix, change, cause=cause)


def intended_key(case: Case, key: str) -> str:
    """Return the correct form of a misspelled key; other keys unchanged."""
    prefix, claim = split_key(key)
    claim = claim.strip().lower()
    if not is_other_issuers_key(case, key):
        meant = _intended_claim(claim)
        return f"{prefix}:{meant}" if meant and prefix else key
    if prefix:
        return case.key(_intended_claim(claim) or claim)
    if claim in _CLAIMS:
        return case.key(claim)
    # The key has no claim, or another separator than the colon before it.
    ending = re.search(r"[./_#-]([a-z]+)$", claim)
    if ending and ending[1] in _CLAIMS:
        return case.key(ending[1])
    values = {v for each in case.statement.conditions if each.key == key for v in each.values}
    audiences = case.request.values(case.key("aud"))
    of_audience = isinstance(audiences, tuple) and values & {*audiences}
    return case.key("aud" if of_audience else "sub")


def _why(prefix: str, wanted: str, keys: tuple[str, ...]) -> str:
    if not prefix:
        return "the issuer is missing"
    if prefix in keys:
        return "a colon and the claim are missing, as in ':sub'"
    if arn := provider_of(prefix):
        also = difference(arn, wanted)
        return "it is an ARN, not the issuer" + (f", and {also}" if also else "")
    return difference(prefix, wanted)


def absent_findings(case: Case) -> Iterator[Found]:
    """Yield P09 for keys that IAM never provides, and P07 for keys that this token lacks."""
    tested = {
        split_key(key)[1].lower()
        for condition, _ in case.conditions()
        if not is_service_key(key := intended_key(case, condition.key))
    }
    for condition, truth in case.conditions():
        if (
            is_other_issuers_key(case, condition.key)
            or case.request.values(condition.key) is not None
        ):
            continue
        if truth is False:
            yield _absent_and_false(case, condition, tested)
        elif truth and condition.parsed_operator.quantifier != "ForAllValues":
            yield _absent_but_true(case, condition)


def _absent_and_false(case: Case, condition: Condition, tested: set[str]) -> Found:
    """Return the finding for an absent key that makes the statement fail.

    Args:
        case: the statement.
        condition: the condition that does not match.
        tested: the claims of the issuer that the statement tests.
    """
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if condition.parsed_operator.if_exists:
        where += " (IfExists has no effect with ForAnyValue)"
    if case.is_own(condition.key):
        return _no_claim(case, condition, where, other="sub" not in tested)
    message = f"{where}, which {ACTION} never has, so the condition does not match."
    if condition.key.lower() == "sts:externalid":
        message = f"{where}, which exists for AssumeRole only: this call has no external id."
    claim = split_key(condition.key)[1].lower()
    if claim in _REQUIRED and claim not in tested:  # a key of SAML
        key = case.key(claim)
        fix = f"{quoted_if_odd(condition.key)} -> {quoted_if_odd(key)}"
        return case.found(
            "P07", "error", message, fix, partial(rename_keys, case.index, {condition.key: key})
        )
    cause = f"{case.shown(condition.key)} is never part of this call"
    fix, _ = _replacement(case, condition, other="sub" not in tested)
    change = partial(drop_condition, case.index, condition)
    return case.found("P07", "error", message, fix, change, cause=cause)


def _no_claim(case: Case, condition: Condition, where: str, *, other: bool) -> Found:
    """Return the finding for an absent key with the correct issuer."""
    claim = split_key(condition.key)[1]
    meant = _intended_claim(claim.strip().lower())
    if meant:
        key = case.key(meant)
        change = partial(rename_keys, case.index, {condition.key: key})
        message = f"{where}, which does not exist; the claim is '{meant}'."
        return case.found(
            "P09",
            "error",
            message,
            f"{quoted_if_odd(condition.key)} -> {quoted_if_odd(key)}",
            change,
            cause=f"the claim is '{meant}', not {quoted(claim)}",
        )

    offered = condition_claims(case.request.provider)
    if claim.lower() in offered:
        message = f"{where}, but the token has no claim {quoted(claim)}, so it does not match."
        fix = "Use a token with this claim."
        subject = case.request.subject
        if claim.lower() not in _REQUIRED and subject.startswith("system:serviceaccount:"):
            # No token of a pod has it.
            fix, _ = _replacement(case, condition, other=other)
        cause = f"the token has no claim {quoted(claim)}"
        return case.found("P07", "error", message, fix, cause=cause)
    has = "which the token has, but which" if claim in case.request.claims else "which"
    message = (
        f"{where}, {has} IAM does not provide as a condition key for this issuer (it provides "
        f"{', '.join(sorted(offered))}), so it does not match."
    )
    cause = f"IAM has no condition key for the claim {quoted(claim)}"
    replacement = _replacement(case, condition, other=other)
    return case.found("P09", "error", message, *replacement, cause=cause)


def _replacement(case: Case, condition: Condition, *, other: bool) -> tuple[str, Change | None]:
    """Return the fix for a key that no token has, and the change to the policy."""
    subject = case.request.values(case.key("sub"))
    remove = f"Remove the condition on {quoted_if_odd(condition.key)}"
    if not isinstance(subject, tuple) or not subject:
        return "Use a token with a subject, and require it.", None
    exactly = json_condition("StringEquals", case.key("sub"), subject[0])
    if not other:
        # `is_safe` accepts the change only if the remaining subjects are listed.
        return f"{remove}, and require {exactly}", partial(drop_condition, case.index, condition)
    change = partial(require_instead, case.index, condition, case.key("sub"), subject[0])
    return f"Replace it with {exactly}", change if is_plain(subject[0]) else None


def _absent_but_true(case: Case, condition: Condition) -> Found:
    operator = condition.parsed_operator
    claim = split_key(condition.key)[1].lower()
    offered = not case.is_own(condition.key) or claim in condition_claims(case.request.provider)
    because = (
        "IfExists matches without it"
        if operator.if_exists
        else "Null requires that"
        if operator.name == "Null"
        else "a negated operator matches without it"
    )
    message = (
        f"tests {case.shown(condition.key)} under {condition.operator}; the key is absent here, "
        f"and {because}."
    )
    if offered:
        return case.found("P07", "info", message)
    message += " IAM provides no such key for this issuer, so it tests nothing."
    return case.found("P09", "warning", message, f"Test {quoted_if_odd(case.key('sub'))} instead.")


def unknown_findings(case: Case) -> Iterator[Found]:
    """Yield P12 for keys that only AWS can evaluate."""
    for condition, truth in case.conditions():
        unknown = isinstance(case.request.values(condition.key), Unknown)
        if truth is not None or not unknown or is_other_issuers_key(case, condition.key):
            continue
        undecided = case.judgement.verdict == "unknown"
        where = f"tests {case.shown(condition.key)} under {condition.operator}"
        why = "Only AWS knows its value at the time of the request"
        fix = (
            f"Compare {quoted_if_odd(condition.key)} yourself: the CloudTrail event "
            "AssumeRoleWithWebIdentity shows the value."
        )
        cause = ""
        if condition.key.lower() in case.request.facts:
            why = "The token has its value, and only the subject is given"
            fix = "Give a token in place of the subject."
            cause = f"only a token tells its {case.shown(condition.key)}"
        message = f"{where} against {quoted_list(condition.values)}. {why}" + (
            ", so the verdict is unknown." if undecided else "."
        )
        yield case.found("P12", "warning" if undecided else "info", message, fix, cause=cause)


def _intended_claim(claim: str) -> str:
    """Return the claim that a misspelled one stands for; empty if that is not clear."""
    if claim in _CLAIMS:
        return ""
    if claim in _WRONG_CLAIM_NAMES:
        return _WRONG_CLAIM_NAMES[claim]
    close = get_close_matches(claim[:40], ("sub", "aud"), n=1, cutoff=_SIMILAR)
    return close[0] if close else ""
