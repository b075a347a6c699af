"""P06, P08, P11: what a statement lets in besides those whom it is meant for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.changes import exact
from irsa_creds.diagnosis._explain.condition_keys import is_foreign, meant_claim, meant_key
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    as_pattern,
    demands,
    like,
    listed,
    operator_of,
    split_key,
    test,
)
from irsa_creds.diagnosis._explain.principals import meant_for
from irsa_creds.diagnosis._policy.issuer_claims import COGNITO
from irsa_creds.diagnosis._policy.templates import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = ["security_findings"]

# Two service accounts that have nothing in common: what matches both names none.
_ANY_PODS = ("system:serviceaccount:a:b", "system:serviceaccount:7x:9yz")
_POD = "system:serviceaccount:"
# What stands before the owner in subjects of issuers that are everybody's: GitHub, GitLab, and
# Terraform Cloud and Buildkite.
_OWNED = ("repo:", "project_path:", "organization:")
# Claims that say who has a token; others say how, where or for whom it was made.
_WHO = frozenset(
    {
        "sub", "email", "user_email", "user_id", "user_login", "actor", "actor_id", "enterprise_id",
        "repository", "repository_id", "repository_owner_id", "namespace_id", "project_id",
        "organization_id", "organization_slug", "pipeline_id", "cluster_id", "rpst_id",
        "oidc.circleci.com/project-id", "google/organization_number",
    }
)  # fmt: skip
_AUDIENCES = frozenset({"aud", "azp", "oaud"})


def security_findings(case: Case) -> Iterator[Found]:
    """Yield the warnings about a statement for this provider."""
    yield from _for_all_values(case)
    # Where a condition on that claim does not hold, that is the news.
    failing = {meant_claim(case, each) for each, truth in case.conditions() if truth is not True}
    if meant_for(case.judged, case.request) and "sub" not in failing:
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
        if not exact(*condition.values):
            plain = as_pattern(plain)
        operator = plain if _claim(condition) in {"sub", "aud"} else f"ForAnyValue:{plain}"
        fix = test(operator, meant_key(case, condition.key), *condition.values)
        yield case.found("P08", "warning", said, fix)


def _anybody(case: Case) -> Iterator[Found]:
    """Yield P11 unless some condition names who may come."""
    if any(_names_somebody(case, condition) for condition, _ in case.conditions()):
        return
    subject = case.request.values(case.key("sub"))
    value = subject[0] if isinstance(subject, tuple) and subject else "SUBJECT"
    said = _why(case)
    said = said if case.applies else f"{said[:-1]}, once the rest is mended."
    fix = test("StringEquals", case.key("sub"), value)
    yield case.found("P11", "warning", said, fix)


def _why(case: Case) -> str:
    who = f"so that whoever gets a token of {quoted(case.request.issuer)} may have this role"
    tested = [c for c, _ in case.conditions() if _claim(c) == "sub"]
    if not tested:
        return f"has no condition on sub, {who}."
    condition = tested[0]
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if is_foreign(case, condition.key) or case.request.values(condition.key) is None:
        return f"{where}, but no token has that key and the operator lets that pass, {who}."
    if not demands(operator_of(condition)):
        return f"{where}, which names nobody who may come, {who}."
    broad = tuple(value for value in condition.values if _broad(case, condition, value))
    return f"{where} against {listed(broad)}, which anybody's subject can meet, {who}."


def _names_somebody(case: Case, condition: Condition) -> bool:
    operator = operator_of(condition)
    prefix, claim = split_key(condition.key.lower())
    if prefix != case.request.provider.lower() or not demands(operator):
        return False
    if prefix in COGNITO and claim == "aud":
        return True  # the identity pool: "IAM roles" in the Amazon Cognito Developer Guide
    if claim not in _WHO or case.request.values(condition.key) is None:
        return False
    literal = operator.name.startswith("StringEquals")
    return literal or not any(_broad(case, condition, value) for value in condition.values)


def _broad(case: Case, condition: Condition, pattern: str) -> bool:
    """Return whether a pattern leaves open whose token it is."""
    head = re.split(r"[*?]", pattern, maxsplit=1)[0]
    if head == pattern:
        return False
    subject = str(case.request.claims.get("sub"))
    claim = _claim(condition)
    prefix = next((each for each in _OWNED if subject.startswith(each)), None)
    if claim == "repository" or (claim == "sub" and prefix):
        # The owner ends at the first separator behind the prefix, and must stand there in full.
        start = prefix or ""
        owner = head.removeprefix(start if claim == "sub" else "")
        return (claim == "sub" and not head.startswith(start)) or not re.search("[/:]", owner)
    if claim == "sub" and subject.startswith(_POD):
        return all(like(pattern, pod) for pod in _ANY_PODS)
    return not pattern.strip("*?:/")


def _any_audience(case: Case) -> Iterator[Found]:
    """Yield P06 where no condition tests the audience."""
    if any(_claim(condition) in _AUDIENCES for condition, _ in case.conditions()):
        return
    audience = case.request.values(case.key("aud"))
    value = audience[0] if isinstance(audience, tuple) and audience else AUDIENCE
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
        test("StringEquals", case.key("aud"), value),
    )


def _claim(condition: Condition) -> str:
    """Return the claim that a key is meant to be, its prefix left aside."""
    return split_key(condition.key)[1].strip().lower()
