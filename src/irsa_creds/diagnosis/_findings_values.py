"""P04, P05, P06: conditions whose key is right and whose value is not."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from irsa_creds._validate import shown
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
from irsa_creds.diagnosis._findings_keys import is_foreign
from irsa_creds.diagnosis._findings_provider import alike
from irsa_creds.diagnosis._fix import drop_condition, move_condition, rename_keys, set_values
from irsa_creds.diagnosis._made import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._findings_base import Change
    from irsa_creds.diagnosis._policy import Condition

__all__ = ["subject_difference", "value_findings"]

_PREFIX = "system:serviceaccount:"
_SUBJECT = re.compile(r"system:serviceaccount:(?P<namespace>[a-z0-9-]+):(?P<name>[a-z0-9.-]+)")
# Enough to find the nearest one; a policy has 4,096 characters at most, or some more by quota.
_MOST = 50
_LONGEST = 300


def value_findings(case: Case) -> Iterator[Found]:
    """Yield the conditions on known keys that do not hold, or that cannot be decided."""
    for condition, truth in case.conditions():
        values = case.request.values(condition.key)
        if truth is True or is_foreign(case, condition.key) or not isinstance(values, tuple):
            continue
        if truth is None:
            yield _several(case, condition, values)
        else:
            yield _false(case, condition, values)


def _false(case: Case, condition: Condition, values: tuple[str, ...]) -> Found:
    operator = operator_of(condition)
    claim = split_key(condition.key)[1].lower()
    id_ = "P06" if claim in {"aud", "azp", "oaud"} else "P04"
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if operator.name == "Null":
        said = f"{where}, which wants it absent, but the token has it: {listed(values)}."
        fix = f"Take the condition Null on {condition.key} away."
        return case.found("P07", "error", said, fix, drop_condition(case.index, condition))
    if operator.negated:
        said = (
            f"{where}, which excludes {listed(condition.values)}; the token has {listed(values)}."
        )
        out = tuple(each for each in condition.values if any(like(each, v) for v in values))
        fix = f"Take {listed(out)} out of the values of {condition.operator}."
        return case.found(id_, "error", said, fix, _excluding_less(case, condition, values))
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
    operator = re.sub(r"(?i)equals(ignorecase)?", "Like", condition.operator)
    said = (
        f"{where} against {shown(patterns[0])}: Equals takes wildcards literally; with "
        f"{operator} the token's {listed(values)} would match."
    )
    shape = condition.values[0] if len(condition.values) == 1 else list(condition.values)
    fix = f'"{operator}": {{{pair(condition.key, shape)}}}'
    change = move_condition(case.index, condition, operator)
    return case.found("P05", "error", said, fix, change)


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
    fix = f'Under "{condition.operator}": {pair(condition.key, actual)}'
    if claim == "sub" and (wanted := _SUBJECT.fullmatch(closest)) and _SUBJECT.fullmatch(actual):
        fix += (
            f"\nor run the pod as the service account {wanted['name']} of the namespace "
            f"{wanted['namespace']}"
        )
    return case.found(id_, "error", said, fix, _change(case, condition, actual, closest))


def _audience(case: Case, condition: Condition, values: tuple[str, ...], closest: str) -> Found:
    """Return P06: whether the token or the policy is to be changed depends on which is usual."""
    actual = values[0] if values else ""
    said = f"wants aud to be {listed(condition.values)}, but the token has {listed(values)}"
    said += ", its azp, which IAM takes for it." if case.request.claims.get("azp") else "."
    policy = f'Under "{condition.operator}": {pair(condition.key, actual)}'
    token = f"Use a token for the audience {shown(closest)}"
    if AUDIENCE in condition.values:
        # The policy is as it should be: a token that is for others must not be let in.
        pod = str(case.request.claims.get("sub")).startswith(_PREFIX)
        token += ": AWS_WEB_IDENTITY_TOKEN_FILE names it in a pod." if pod else "."
        return case.found("P06", "error", said, token)
    fix = policy if actual == AUDIENCE else f"{policy}\nor {token[0].lower()}{token[1:]}."
    return case.found("P06", "error", said, fix, _change(case, condition, actual, closest))


def _excluding_less(case: Case, condition: Condition, values: tuple[str, ...]) -> Change:
    kept = tuple(
        wanted for wanted in condition.values if not any(like(wanted, value) for value in values)
    )
    if kept:
        return set_values(case.index, condition, *kept)
    return drop_condition(case.index, condition)


def _change(case: Case, condition: Condition, actual: str, closest: str) -> Change:
    kept = tuple(actual if value == closest else value for value in condition.values)
    return set_values(case.index, condition, *kept)


def _several(case: Case, condition: Condition, values: tuple[str, ...]) -> Found:
    said = (
        f"tests {case.shown(condition.key)} under {condition.operator}, which takes one value, and "
        f"the token has {len(values)}: {listed(values)}. AWS does not say what IAM makes of that."
    )
    operator = f"ForAnyValue:{condition.operator}"
    fix = f'"{operator}": {{{pair(condition.key, list(condition.values))}}}'
    change = move_condition(case.index, condition, operator)
    return case.found("P06", "warning", said, fix, change)


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


def subject_difference(wanted: str, actual: str) -> str:
    """Return in what the token's subject differs from what a policy wants, as a clause.

    Args:
        wanted: the policy's value.
        actual: the token's `sub`.
    """
    if wanted.strip().strip("'\"") == actual:
        return "there are blanks or quotes around the policy's"
    if re.sub(r"\s", "", wanted) == actual:
        return "there is a blank in the policy's"
    if wanted.lower() == actual.lower():
        return "upper and lower case differ, which StringEquals and StringLike tell apart"
    if not actual.startswith(_PREFIX):
        return _of_segments(wanted, actual)
    if not wanted.startswith(_PREFIX):
        return _of_prefix(wanted, actual)
    return _of_accounts(wanted.removeprefix(_PREFIX), actual.removeprefix(_PREFIX))


def _of_prefix(wanted: str, actual: str) -> str:
    namespace, _, name = actual.removeprefix(_PREFIX).partition(":")
    if wanted in {f"{namespace}:{name}", f"{namespace}/{name}", name}:
        return f"the policy's lacks '{_PREFIX}' before NAMESPACE:NAME"
    return f"the policy's does not begin with '{_PREFIX}'" + _did_you_mean(wanted, actual)


def _of_accounts(wanted: str, actual: str) -> str:
    if wanted.replace("/", ":") == actual:
        return "namespace and name are parted by a colon, not by a slash"
    namespace, colon, name = wanted.partition(":")
    mine, _, my_name = actual.partition(":")
    if not colon:
        return "the policy's has no name after the namespace"
    if (namespace, name) == (my_name, mine):
        return "namespace and name have changed places"
    if not like(namespace, mine) and not like(name, my_name):
        return "namespace and name differ" + _did_you_mean(wanted, actual)
    if not like(namespace, mine):
        return (
            f"the namespace differs: {shown(namespace)} there, {shown(mine)} in the token"
            + _did_you_mean(namespace, mine)
        )
    return f"the name differs: {shown(name)} there, {shown(my_name)} in the token" + _did_you_mean(
        name, my_name
    )


def _of_segments(wanted: str, actual: str) -> str:
    """Return the first part that differs of subjects whose form is not Kubernetes'."""
    pairs = zip(wanted.split(":"), actual.split(":"), strict=False)
    for theirs, mine in pairs:
        if theirs != mine and not like(theirs, mine):
            return f"{shown(theirs)} there is {shown(mine)} in the token" + _did_you_mean(
                theirs, mine
            )
    return "one goes on where the other ends"


def _did_you_mean(theirs: str, mine: str) -> str:
    return " (misspelt?)" if alike(theirs, mine) else ""
