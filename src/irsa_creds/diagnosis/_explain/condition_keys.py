"""P03, P07, P09, P12: conditions whose key is not what its author took it for."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.changes import (
    add_statement,
    demand,
    drop_condition,
    exact,
    rename_keys,
)
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    bare,
    listed,
    operator_of,
    split_key,
    test,
)
from irsa_creds.diagnosis._explain.principals import provider_of, right_statement
from irsa_creds.diagnosis._explain.provider_names import difference
from irsa_creds.diagnosis._policy.issuer_claims import condition_claims
from irsa_creds.diagnosis._policy.logic import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._explain.finding import Change
    from irsa_creds.diagnosis._policy.evaluate import Truth
    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = [
    "absent_findings",
    "is_foreign",
    "meant_claim",
    "meant_key",
    "prefix_findings",
    "unknown_findings",
]

# What tells a condition key of an OIDC provider when its prefix does not.
_CLAIMS = ("sub", "aud", "amr", "azp", "email", "oaud")
_MISTAKEN = {
    "subject": "sub",
    "subjects": "sub",
    "audience": "aud",
    "audiences": "aud",
    "client_id": "aud",
    "serviceaccount": "sub",
    "service_account": "sub",
}
_ALIKE = 0.6


def is_foreign(case: Case, key: str) -> bool:
    """Return whether a key is meant as a claim of an OIDC provider, but not of the issuer."""
    prefix, claim = split_key(key)
    if prefix.lower() == case.request.provider.lower():
        return False
    # Service prefixes like aws or sts have neither; a bare claim has no prefix at all.
    return bool(re.search(r"[./]", prefix or key)) or (
        not prefix and claim.strip().lower() in _CLAIMS
    )


def meant_claim(case: Case, condition: Condition) -> str:
    """Return the claim that a condition is meant to test."""
    return split_key(meant_key(case, condition.key))[1].lower()


def prefix_findings(case: Case) -> Iterator[Found]:
    """Yield one finding for each wrong prefix: all its keys are mended by one change."""
    others: dict[str, list[tuple[Condition, Truth]]] = {}
    for condition, truth in case.conditions():
        if is_foreign(case, condition.key):
            prefix, claim = split_key(condition.key)
            whole = not prefix and claim.strip().lower() not in _CLAIMS
            others.setdefault(claim if whole else prefix, []).append((condition, truth))
    for prefix, conditions in others.items():
        yield _of_prefix(case, prefix, conditions)


def _of_prefix(case: Case, prefix: str, conditions: list[tuple[Condition, Truth]]) -> Found:
    wanted = case.request.provider
    keys = tuple(dict.fromkeys(condition.key for condition, _ in conditions))
    names = {key: meant_key(case, key) for key in keys}
    fix = "\n".join(f"In place of {quoted(old)}: {json.dumps(new)}" for old, new in names.items())
    claims = " and ".join(case.shown(new) for new in names.values())
    said = (
        f"tests {claims} by a key that is not the issuer's: {_why(prefix, wanted, keys)}. It has "
        f"{listed(keys)}; the keys of this token begin with {quoted(wanted + ':')}."
    )
    known = {provider_of(name) for _, name in case.statement.principals} - {wanted}
    if any(truth is not True for _, truth in conditions):
        if prefix in known and case.judged.principal:
            return _shared(case, keys)
        return case.found("P03", "error", said, fix, rename_keys(case.index, names))
    if prefix in known:
        said = (
            f"has the condition key {listed(keys)} of another provider that it trusts: it is "
            "absent from this token, and its operator lets that pass."
        )
        return case.found("P07", "info", said)
    said += " Under that operator it passes whatever the token says."
    return case.found("P03", "warning", said, fix)


def _shared(case: Case, keys: tuple[str, ...]) -> Found:
    """Return P03 where a statement asks each of its providers for the keys of all."""
    right, complete = right_statement(case.policy, case.request)
    said = (
        f"trusts several providers and has {listed(keys)}, keys of another than this token's "
        "issuer: no token has the keys of both, so that it lets in neither."
    )
    lines = json.dumps(right, indent=2)
    fix = f"Give each provider a statement of its own; for this one:\n{lines}"
    return case.found("P03", "error", said, fix, add_statement(right) if complete else None)


def meant_key(case: Case, key: str) -> str:
    """Return the key that was meant by a misspelt one; any other as it is."""
    prefix, claim = split_key(key)
    claim = claim.strip().lower()
    if not is_foreign(case, key):
        meant = _meant(claim)
        return f"{prefix}:{meant}" if meant and prefix else key
    if prefix:
        return case.key(claim if claim in _CLAIMS else _meant(claim) or claim)
    if claim in _CLAIMS:
        return case.key(claim)
    # The provider alone, or with another separator than the colon before the claim.
    ending = re.search(r"[./_#-]([a-z]+)$", claim)
    return case.key(ending[1] if ending and ending[1] in _CLAIMS else "sub")


def _why(prefix: str, wanted: str, keys: tuple[str, ...]) -> str:
    if not prefix:
        return "it lacks the issuer"
    if prefix in keys:
        return "it lacks the claim after a colon, like ':sub'"
    if arn := provider_of(prefix):
        also = difference(arn, wanted)
        return "that is an ARN, not the issuer" + (f", and {also}" if also else "")
    return difference(prefix, wanted)


def absent_findings(case: Case) -> Iterator[Found]:
    """Yield what absent keys do: P09 where IAM never offers them, P07 where the token has none."""
    tested = {meant_claim(case, condition) for condition, _ in case.conditions()}
    for condition, truth in case.conditions():
        if is_foreign(case, condition.key) or case.request.values(condition.key) is not None:
            continue
        if truth is False:
            yield _missing(case, condition, other="sub" not in tested)
        elif truth and operator_of(condition).quantifier != "ForAllValues":
            yield _passed(case, condition)


def _missing(case: Case, condition: Condition, *, other: bool) -> Found:
    """Return the finding for a key whose absence fails the statement.

    Args:
        case: of the statement.
        condition: that does not hold.
        other: whether sub is still to be tested in its place.
    """
    drop = drop_condition(case.index, condition)
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if operator_of(condition).if_exists:
        where += " (IfExists changes nothing behind ForAnyValue)"
    if split_key(condition.key)[0].lower() == case.request.provider.lower():
        return _no_claim(case, condition, where, other=other)
    if condition.key.lower() == "sts:externalid":
        return case.found(
            "P07",
            "error",
            f"{where}, and an exchange of a token has no external id: that is AssumeRole's.",
            f"Take the condition on {bare(condition.key)} away.",
            drop,
        )
    said = f"{where}, which an exchange of a token never has, so that it does not hold."
    return case.found(
        "P07", "error", said, f"Take the condition on {bare(condition.key)} away.", drop
    )


def _no_claim(case: Case, condition: Condition, where: str, *, other: bool) -> Found:
    """Return the finding for a key of the right issuer that is absent."""
    claim = split_key(condition.key)[1]
    meant = _meant(claim.strip().lower())
    if meant:
        key = case.key(meant)
        change = rename_keys(case.index, {condition.key: key})
        said = f"{where}, and there is no such key; the claim is '{meant}'."
        return case.found("P09", "error", said, f"{bare(condition.key)} -> {bare(key)}", change)
    held = claim in case.request.claims
    offered = condition_claims(case.request.provider)
    if claim.lower() in offered:
        said = f"{where}, but the token has no claim {quoted(claim)}, so that it does not hold."
        fix = f"Take the condition on {bare(condition.key)} away, or use a token with that claim."
        return case.found("P07", "error", said, fix)
    has = "which the token has, but which" if held else "which"
    said = (
        f"{where}, {has} IAM does not offer as a condition key for this issuer (it offers "
        f"{', '.join(sorted(offered))}), so that it does not hold."
    )
    return case.found("P09", "error", said, *_instead(case, condition, other=other))


def _instead(case: Case, condition: Condition, *, other: bool) -> tuple[str, Change | None]:
    """Return what to test in the place of a claim that cannot be had, and the change to that."""
    subject = case.request.values(case.key("sub"))
    away = f"Take the condition on {bare(condition.key)} away"
    if not isinstance(subject, tuple) or not subject:
        return f"{away}.", drop_condition(case.index, condition)
    exactly = test("StringEquals", case.key("sub"), subject[0])
    if not other:
        # It is sound where the subjects that remain are listed one by one.
        return f"{away}, where {exactly} is all that is meant.", drop_condition(
            case.index, condition
        )
    change = demand(case.index, condition, case.key("sub"), subject[0])
    return f"In its place, {exactly}", change if exact(subject[0]) else None


def _passed(case: Case, condition: Condition) -> Found:
    operator = operator_of(condition)
    prefix, claim = split_key(condition.key)
    of_issuer = prefix.lower() == case.request.provider.lower()
    offered = not of_issuer or claim.lower() in condition_claims(case.request.provider)
    because = (
        "IfExists lets that pass"
        if operator.if_exists
        else "that is what Null asks for"
        if operator.name == "Null"
        else "a negated operator lets that pass"
    )
    said = (
        f"tests {case.shown(condition.key)} under {condition.operator}; the key is absent here, "
        f"and {because}."
    )
    if offered:
        return case.found("P07", "info", said)
    said = said[:-1] + ": IAM offers no such key for this issuer, so that it tests nothing."
    return case.found("P09", "warning", said, f"Test {bare(case.key('sub'))} instead.")


def unknown_findings(case: Case) -> Iterator[Found]:
    """Yield the keys that only AWS can evaluate."""
    for condition, truth in case.conditions():
        unknown = isinstance(case.request.values(condition.key), Unknown)
        if truth is not None or not unknown or is_foreign(case, condition.key):
            continue
        undecided = case.judgement.verdict == "unknown"
        said = (
            f"tests {case.shown(condition.key)} under {condition.operator} against "
            f"{listed(condition.values)}: only AWS knows its value, in the moment of the request"
            + (", and so the verdict is open." if undecided else ".")
        )
        fix = (
            f"Compare {bare(condition.key)} yourself; CloudTrail's event "
            "AssumeRoleWithWebIdentity shows what AWS saw."
        )
        yield case.found("P12", "warning" if undecided else "info", said, fix)


def _meant(claim: str) -> str:
    """Return the claim that a misspelt one stands for; empty where nobody can tell."""
    if claim in _CLAIMS:
        return ""
    if claim in _MISTAKEN:
        return _MISTAKEN[claim]
    close = get_close_matches(claim[:40], ("sub", "aud"), n=1, cutoff=_ALIKE)
    return close[0] if close else ""
