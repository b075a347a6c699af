"""P04, P05, P06: conditions whose key is right and whose value is not."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.changes import exact, move_condition, rename_keys, set_values
from irsa_creds.diagnosis._explain.condition_keys import is_foreign
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    as_pattern,
    demands,
    like,
    listed,
    operator_of,
    pair,
    split_key,
    test,
)
from irsa_creds.diagnosis._explain.subjects import PREFIX, SUBJECT, misspelt, subject_difference
from irsa_creds.diagnosis._policy.logic import Unknown
from irsa_creds.diagnosis._policy.templates import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = ["undecided_findings", "value_findings"]

# Enough to find the nearest one; a policy has 4,096 characters at most, or some more by quota.
_MOST = 50
_LONGEST = 300
# A namespace that nobody has in mind.
_ELSEWHERE = f"{PREFIX}0nobody0:"


def value_findings(case: Case) -> Iterator[Found]:
    """Yield the conditions on known keys that do not hold."""
    for condition, truth in case.conditions():
        values = case.request.values(condition.key)
        if truth is False and isinstance(values, tuple) and not is_foreign(case, condition.key):
            yield _false(case, condition, values)


def undecided_findings(case: Case) -> Iterator[Found]:
    """Yield the conditions on known keys that nobody here can decide."""
    for condition, truth in case.conditions():
        values = case.request.values(condition.key)
        if truth is None and not isinstance(values, Unknown):
            yield _undecided(case, condition, values)


def _false(case: Case, condition: Condition, values: tuple[str, ...]) -> Found:
    operator = operator_of(condition)
    claim = split_key(condition.key)[1].lower()
    id_ = "P06" if claim in {"aud", "azp", "oaud"} else "P04"
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if operator.name == "Null":
        said = f"{where}, which wants it absent, but the token has it: {listed(values)}."
        fix = f"Take the condition Null on {quoted(condition.key)} away, if such a token may come."
        return case.found("P07", "error", said, fix)
    if operator.negated:
        # Whom its author has shut out, no correction lets in.
        said = (
            f"{where}, which excludes {listed(condition.values)}; the token has {listed(values)}."
        )
        out = tuple(each for each in condition.values if any(like(each, v) for v in values))
        fix = f"Take {listed(out)} out of the values of {condition.operator}, if it may come."
        return case.found(id_, "error", said, fix)
    if demands(operator) and (found := _wildcard(case, condition, values, where)):
        return found
    return _differs(case, condition, values, id_, claim)


def _wildcard(
    case: Case, condition: Condition, values: tuple[str, ...], where: str
) -> Found | None:
    """Return the finding for a pattern under an operator that takes it literally."""
    if "equals" not in condition.operator.lower():
        return None
    patterns = [p for p in condition.values if any(like(p, value) for value in values)]
    if not patterns:
        return None
    operator = as_pattern(condition.operator)
    said = (
        f"{where} against {quoted(patterns[0])}: Equals takes wildcards literally; with "
        f"{operator} the token's {listed(values)} would match"
    )
    fix = test(operator, condition.key, *condition.values)
    pod = SUBJECT.fullmatch(values[0])
    if pod and like(patterns[0], f"{_ELSEWHERE}{pod['name']}"):
        # Whoever has a namespace of his own can have an account of that name: not what is meant.
        said += ", and so would subjects of other namespaces"
        wanted = tuple(values[0] if each == patterns[0] else each for each in condition.values)
        anybody = like(patterns[0], f"{_ELSEWHERE}0nobody0")
        fix = "" if anybody else f"\nor, for that name in any namespace, {fix}"
        fix = test(condition.operator, condition.key, *wanted) + fix
        change = set_values(case.index, condition, *wanted)
        return case.found("P05", "error", f"{said}.", fix, change)
    change = move_condition(case.index, condition, operator)
    return case.found("P05", "error", f"{said}.", fix, change)


def _differs(
    case: Case, condition: Condition, values: tuple[str, ...], id_: str, claim: str
) -> Found:
    actual = values[0] if values else ""
    closest = _closest(condition.values, actual)
    where = f"wants {case.shown(condition.key)} to be {listed(condition.values)}"
    if other := _other_claim(case, condition, claim):
        said = f"{where}, which is the value of '{other}'; this is the key of '{claim}'."
        names = {condition.key: case.key(other)}
        fix = pair(case.key(other), closest)
        return case.found(id_, "error", said, fix, rename_keys(case.index, names))
    why = f": {subject_difference(closest, actual)}" if claim == "sub" else ""
    if "${" in closest and case.policy.version == "2008-10-17":
        why = ': variables like ${...} work only with "Version": "2012-10-17"'
    if claim == "aud":
        return _audience(case, condition, values, closest)
    said = f"{where}, but the token has {listed(values)}{why}."
    wanted = _with(condition, actual, closest)
    fix = f'Under "{condition.operator}": {pair(condition.key, *wanted)}'
    if claim == "sub" and (pod := SUBJECT.fullmatch(closest)) and SUBJECT.fullmatch(actual):
        fix += (
            f"\nor run the pod as the service account {pod['name']} of the namespace "
            f"{pod['namespace']}"
        )
    change = set_values(case.index, condition, *wanted) if exact(actual) else None
    if claim == "sub" and _is_pull_request(actual) and not _is_pull_request(*condition.values):
        # Whoever opens one has such a token: no correction is written that lets all of them in.
        said += " Perhaps that is right: with this subject every pull request has the role."
        fix, change = f"If every pull request shall have the role:\n{fix}", None
    return case.found(id_, "error", said, fix, change)


def _is_pull_request(*subjects: str) -> bool:
    """Whether one of them is GitHub's subject of a job that a pull request has started.

    Source: GitHub's "OpenID Connect reference", example subject claims.
    """
    return any(each.startswith("repo:") and ":pull_request" in each for each in subjects)


def _audience(case: Case, condition: Condition, values: tuple[str, ...], closest: str) -> Found:
    """Return P06: whether the token or the policy is to be changed depends on which is usual."""
    actual = values[0] if values else ""
    said = f"wants aud to be {listed(condition.values)}, but the token has {listed(values)}"
    said += ", its azp, which IAM takes for it." if case.request.claims.get("azp") else "."
    wanted = _with(condition, actual, closest)
    policy = f'Under "{condition.operator}": {pair(condition.key, *wanted)}'
    token = f"Use a token for the audience {quoted(closest)}"
    of_pod = str(case.request.claims.get("sub")).startswith(PREFIX)
    if AUDIENCE in condition.values:
        # The policy is as it should be: a token that is for others must not be let in.
        token += ": AWS_WEB_IDENTITY_TOKEN_FILE names it in a pod." if of_pod else "."
        return case.found("P06", "error", said, token)
    if of_pod and actual != AUDIENCE:
        usual = test("StringEquals", case.key("aud"), AUDIENCE)
        return case.found("P06", "error", said, f"{token}; the usual one is had by {usual}")
    fix = policy if actual == AUDIENCE else f"{policy}\nor {token[0].lower()}{token[1:]}."
    change = set_values(case.index, condition, *wanted) if exact(actual) else None
    return case.found("P06", "error", said, fix, change)


def _with(condition: Condition, actual: str, closest: str) -> tuple[str, ...]:
    """Return the values with the token's: in the place of the one misspelt, or else at the end."""
    any_case = "ignorecase" in condition.operator.lower()
    if misspelt(closest.lower() if any_case else closest, actual):
        return tuple(actual if value == closest else value for value in condition.values)
    return (*condition.values, actual)


def _undecided(case: Case, condition: Condition, values: tuple[str, ...] | None) -> Found:
    """Return why nobody here can tell whether a condition on a known key holds."""
    operator = operator_of(condition)
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if operator.name == "Null" and operator.quantifier:
        said = f"{where}: AWS does not say what {operator.quantifier} makes of Null."
        return case.found("P07", "warning", said, test("Null", condition.key, *condition.values))
    if values is not None and len(values) > 1 and not operator.quantifier:
        return _several(case, condition, values)
    if variables := re.findall(r"\$\{[^{}]*\}", " ".join(condition.values)):
        said = f"{where} against {listed(tuple(variables))}, which only AWS can put a value to."
        fix = "Compare it yourself, or write what it shall stand for."
        return case.found("P12", "warning", said, fix)
    has = listed(values) if values is not None else "no such claim"
    said = (
        f"{where} against {listed(condition.values)}, and the token has {has}: AWS does not say "
        "what IAM makes of that."
    )
    return case.found(
        "P07", "warning", said, "Write values of the kind that the operator compares."
    )


def _several(case: Case, condition: Condition, values: tuple[str, ...]) -> Found:
    said = (
        f"tests {case.shown(condition.key)} under {condition.operator}, which takes one value, and "
        f"the token has {len(values)}: {listed(values)}. AWS does not say what IAM makes of that."
    )
    fix = test(f"ForAnyValue:{condition.operator}", condition.key, *condition.values)
    if operator_of(condition).negated:
        # None of them may be what is excluded, and ForAllValues holds where there are none.
        all_ = test(f"ForAllValues:{condition.operator}", condition.key, *condition.values)
        fix = f"{all_},\n{test('Null', condition.key, 'false')}"
    return case.found("P06", "warning", said, fix)


def _other_claim(case: Case, condition: Condition, claim: str) -> str:
    """Return the claim whose value stands under this key by mistake; empty where it does not."""
    other = {"sub": "aud", "aud": "sub"}.get(claim, "")
    found = case.request.values(case.key(other)) if other else None
    return other if isinstance(found, tuple) and set(found) & set(condition.values) else ""


def _closest(wanted: tuple[str, ...], actual: str) -> str:
    """Return the value that is most like the token's."""
    pairs = SequenceMatcher(None, "", actual[:_LONGEST], autojunk=False)

    def likeness(value: str) -> float:
        pairs.set_seq1(value[:_LONGEST])
        # By the letters alone: the full ratio can take the cube of the length.
        return pairs.quick_ratio()

    return max(wanted[:_MOST], key=likeness, default="")
