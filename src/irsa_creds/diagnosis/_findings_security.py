"""P06, P08, P11: what a statement lets in besides those whom it is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds.diagnosis._findings_base import (
    Case,
    Found,
    demands,
    like,
    listed,
    operator_of,
    pair,
    split_key,
)
from irsa_creds.diagnosis._findings_keys import is_foreign, meant_claim, meant_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy import Condition

__all__ = ["security_findings"]

# Subjects that nobody names: what matches one of them matches all of its kind.
_ANYBODY = (
    "system:serviceaccount:nobodys-namespace:nobodys-account",
    "repo:nobodys-organisation/nobodys-repository:ref:refs/heads/nobodys-branch",
    "project_path:nobodys-group/nobodys-project:ref_type:branch:ref:nobodys-branch",
    "nobody",
)
# Claims that say how or for whom a token was made, and not who has it.
_NOT_WHO = frozenset({"amr", "aud", "oaud", "ref", "ref_protected", "workflow", "pipeline_source"})
# Its audience is the identity pool: "IAM roles" in the Amazon Cognito Developer Guide.
_COGNITO = "cognito-identity.amazonaws.com"
_AUDIENCES = frozenset({"aud", "azp", "oaud"})


def security_findings(case: Case) -> Iterator[Found]:
    """Yield the warnings about a statement that this exchange by this provider may pass."""
    yield from _for_all_values(case)
    # Where a condition on that claim does not hold, that is the news.
    failing = {meant_claim(case, each) for each, truth in case.conditions() if truth is not True}
    if case.applies and "sub" not in failing:
        yield from _anybody(case)
    if case.applies and not failing & _AUDIENCES:
        yield from _any_audience(case)


def _for_all_values(case: Case) -> Iterator[Found]:
    sure = {
        condition.key.lower()
        for condition, _ in case.conditions()
        if operator_of(condition).name == "Null" and condition.values == ("false",)
    }
    for condition, truth in case.conditions():
        if operator_of(condition).quantifier != "ForAllValues" or condition.key.lower() in sure:
            continue
        absent = case.request.values(condition.key) is None and truth is True
        said = f"tests {case.shown(condition.key)} under {condition.operator}, which holds " + (
            "here, since the key is absent." if absent else "wherever the key is absent."
        )
        plain = condition.operator.partition(":")[2]
        values = condition.values[0] if len(condition.values) == 1 else list(condition.values)
        operator = plain if _claim(condition) in {"sub", "aud"} else f"ForAnyValue:{plain}"
        fix = f'"{operator}": {{{pair(meant_key(case, condition.key), values)}}}'
        yield case.found("P08", "warning", said, fix)


def _anybody(case: Case) -> Iterator[Found]:
    """Yield P11 unless some condition names who may come."""
    if any(_names_somebody(case, condition) for condition, _ in case.conditions()):
        return
    subject = case.request.values(case.key("sub"))
    value = subject[0] if isinstance(subject, tuple) and subject else "SUBJECT"
    fix = f'"StringEquals": {{{pair(case.key("sub"), value)}}}'
    yield case.found("P11", "warning", _why(case), fix)


def _why(case: Case) -> str:
    who = f"so that whoever gets a token of {case.request.issuer} may have this role"
    tested = [c for c, _ in case.conditions() if _claim(c) == "sub"]
    if not tested:
        return f"has no condition on sub, {who}."
    condition = tested[0]
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if is_foreign(case, condition.key) or case.request.values(condition.key) is None:
        return f"{where}, but no token has that key and the operator lets that pass, {who}."
    if not demands(operator_of(condition)):
        return f"{where}, which names nobody who may come, {who}."
    broad = tuple(value for value in condition.values if _broad(value))
    return f"{where} against {listed(broad)}, which any subject meets, {who}."


def _names_somebody(case: Case, condition: Condition) -> bool:
    operator = operator_of(condition)
    prefix, claim = split_key(condition.key.lower())
    if prefix != case.request.provider.lower() or not demands(operator):
        return False
    if prefix == _COGNITO and claim == "aud":
        return True
    if claim in _NOT_WHO or case.request.values(condition.key) is None:
        return False
    return not operator.name.endswith("Like") or not any(map(_broad, condition.values))


def _broad(pattern: str) -> bool:
    return any(like(pattern, subject) for subject in _ANYBODY)


def _any_audience(case: Case) -> Iterator[Found]:
    """Yield P06 where no condition tests the audience."""
    if any(_claim(condition) in _AUDIENCES for condition, _ in case.conditions()):
        return
    audience = case.request.values(case.key("aud"))
    value = audience[0] if isinstance(audience, tuple) and audience else "sts.amazonaws.com"
    # Installers of other clusters leave it to the provider's list of client ids, beside one exact
    # subject: that is not wrong. EKS's own documentation and tools always have it.
    exact = any(
        _names_somebody(case, condition) and operator_of(condition).name == "StringEquals"
        for condition, _ in case.conditions()
    )
    elsewhere = not case.request.provider.startswith(("oidc.eks.", "oidc-eks."))
    yield case.found(
        "P06",
        "info" if exact and elsewhere else "warning",
        "has no condition on aud, so that any audience that the provider knows will do.",
        f'"StringEquals": {{{pair(case.key("aud"), value)}}}',
    )


def _claim(condition: Condition) -> str:
    """Return the claim that a key is meant to be, its prefix left aside."""
    return split_key(condition.key)[1].strip().lower()
