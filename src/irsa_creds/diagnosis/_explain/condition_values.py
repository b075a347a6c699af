"""P04, P05, P06: conditions with a correct key and a wrong value."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import partial
from typing import TYPE_CHECKING

from irsa_creds._identity.claims import STS
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import is_plain, rename_keys, set_values
from irsa_creds.diagnosis._explain.condition_keys import is_other_issuers_key
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    json_condition,
    json_pair,
    like_operator,
    matches_wildcards,
    quoted_list,
    requires_value,
    split_key,
)
from irsa_creds.diagnosis._explain.github_subjects import has_other_ids, lacks_ids, with_ids
from irsa_creds.diagnosis._explain.strangers import let_in, near_subjects, unrelated_subjects
from irsa_creds.diagnosis._explain.subjects import (
    PREFIX,
    SUBJECT,
    is_misspelled,
    subject_difference,
)
from irsa_creds.diagnosis._explain.untrusted_tokens import is_of_api_server, is_of_pull_request
from irsa_creds.diagnosis._policy.logic import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = ["undecided_findings", "value_findings"]

# Enough for any policy: IAM allows 4,096 characters by default.
_MOST = 50
_LONGEST = 300
_AUDIENCES = frozenset({"aud", "azp", "oaud"})


def value_findings(case: Case) -> Iterator[Found]:
    """Yield the conditions on known keys that do not match."""
    for condition, truth in case.conditions():
        values = case.request.values(condition.key)
        if (
            truth is False
            and isinstance(values, tuple)
            and not is_other_issuers_key(case, condition.key)
        ):
            yield _not_met(case, condition, values)


def undecided_findings(case: Case) -> Iterator[Found]:
    """Yield the conditions on known keys that cannot be decided without AWS."""
    for condition, truth in case.conditions():
        values = case.request.values(condition.key)
        if truth is None and not isinstance(values, Unknown):
            yield _undecidable(case, condition, values)


def _not_met(case: Case, condition: Condition, values: tuple[str, ...]) -> Found:
    operator = condition.parsed_operator
    claim = split_key(condition.key)[1].lower()
    id_ = "P06" if claim in _AUDIENCES else "P04"
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if operator.name == "Null":
        message = (
            f"{where}, which requires it to be absent, but the token has {quoted_list(values)}."
        )
        fix = f"Remove the condition Null on {quoted(condition.key)} to allow such tokens."
        if claim in {"sub", "aud"}:
            fix = f"Replace it with {json_condition('StringEquals', condition.key, *values)}"
        cause = f"the token has {case.shown(condition.key)}, which must be absent"
        return case.found("P07", "error", message, fix, cause=cause)
    if operator.negated:
        # The author excluded these tokens, so no correction is offered.
        message = (
            f"{where}, which excludes {quoted_list(condition.values)}; the token has "
            f"{quoted_list(values)}."
        )
        use = f"a token for another audience, as {STS}" if id_ == "P06" else "another token"
        fix = f"The policy excludes this token on purpose; use {use}."
        cause = f"{condition.operator} excludes {quoted_list(values)}"
        return case.found(id_, "error", message, fix, cause=cause)
    if requires_value(operator) and (found := _wildcard(case, condition, values, claim)):
        return found
    return _differs(case, condition, values, id_, claim)


def _wildcard(
    case: Case, condition: Condition, values: tuple[str, ...], claim: str
) -> Found | None:
    """Return the finding for a pattern under an operator that does not expand wildcards."""
    if "equals" not in condition.operator.lower():
        return None
    patterns = [p for p in condition.values if any(matches_wildcards(p, value) for value in values)]
    if not patterns:
        return None
    operator, value = like_operator(condition.operator), values[0]
    message = (
        f"tests {case.shown(condition.key)} under {condition.operator} against "
        f"{quoted(patterns[0])}, but Equals takes wildcards literally. With {operator} the value "
        f"of the token, {quoted_list(values)}, would match"
    )
    cause = f"{condition.operator} takes the wildcard in {quoted(patterns[0])} literally"
    writable = is_plain(value)
    if claim in _AUDIENCES and not _is_for_sts(case, value):
        value, writable = STS, False
    wanted = tuple(dict.fromkeys(value if v == patterns[0] else v for v in condition.values))
    fix = json_condition(condition.operator, condition.key, *wanted)
    # A correction never lets in the other subjects that a pattern matches.
    change = partial(set_values, case.index, condition, wanted) if writable else None
    also = _also_matched(condition, value) if claim == "sub" else []
    if also:
        message += f", but so would {' and '.join(also)}"
    if _is_proposable(condition, value, claim, also):
        whom = f"{' and '.join(also)} too" if also else "all values that match"
        like = json_condition(operator, condition.key, *condition.values)
        fix += f"\nor, to allow {whom}, {like}"
    return case.found("P05", "error", f"{message}.", fix, change, cause=cause)


def _also_matched(condition: Condition, subject: str) -> list[str]:
    near = near_subjects(subject).items()
    return [words for words, other in near if let_in(condition.values, other)]


def _is_proposable(condition: Condition, value: str, claim: str, also: list[str]) -> bool:
    """Return whether a fix may name the patterns of a condition under an operator for them."""
    if claim in _AUDIENCES:
        return False
    if claim != "sub":
        return all(each.strip("*?:/") for each in condition.values)
    # The owner of a namespace names its service accounts, so every namespace may have this one.
    if "subjects of other namespaces" in also:
        return False
    return not any(let_in(condition.values, other) for other in unrelated_subjects(value))


def _is_for_sts(case: Case, audience: str) -> bool:
    """Return whether a policy may name this audience: a pod's other tokens are not for STS."""
    if audience == STS:
        return True
    of_pod = case.request.subject.startswith(PREFIX)
    return not (of_pod or is_of_api_server(case.request))


def _differs(
    case: Case, condition: Condition, values: tuple[str, ...], id_: str, claim: str
) -> Found:
    actual = values[0] if values else ""
    closest = _closest(condition.values, actual)
    where = f"requires {case.shown(condition.key)} to be {quoted_list(condition.values)}"
    if other := _swapped_claim(case, condition, claim):
        message = f"{where}, which is the value of '{other}', but this is the key of '{claim}'."
        names = {condition.key: case.key(other)}
        fix = json_pair(case.key(other), closest)
        cause = f"the key of '{claim}' has the value of '{other}'"
        return case.found(
            id_, "error", message, fix, partial(rename_keys, case.index, names), cause=cause
        )
    if claim == "aud":
        return _audience(case, condition, values, closest)
    why = subject_difference(closest, actual) if claim == "sub" else ""
    if "${" in closest and case.policy.version == "2008-10-17":
        why = 'variables like ${...} work only with "Version": "2012-10-17"'
    message = f"{where}, but the token has {quoted_list(values)}" + (f": {why}." if why else ".")
    wanted = _corrected_values(condition, actual, closest)
    fix = f'Under "{condition.operator}": {json_pair(condition.key, *wanted)}'
    if claim == "sub" and (pod := SUBJECT.fullmatch(closest)) and SUBJECT.fullmatch(actual):
        fix += (
            f"\nor run the pod as the service account {pod['name']} of the namespace "
            f"{pod['namespace']}"
        )
    change = partial(set_values, case.index, condition, wanted) if is_plain(actual) else None
    if claim == "sub" and has_other_ids(closest, actual):
        fix, change = f"If you recreated it and trust the new one:\n{fix}", None
    if claim == "sub" and lacks_ids(closest, actual):
        fix, change = f"Switch it to immutable subjects in its settings, or:\n{fix}", None
    if claim == "sub" and is_of_pull_request(case.request):
        message += " This may be intended: with this subject every pull request gets the role."
    return case.found(
        id_,
        "error",
        message,
        fix,
        change,
        cause=_in_short(case.shown(condition.key), closest, actual, why),
    )


def _in_short(shown: str, wanted: str, actual: str, why: str = "") -> str:
    """Return the difference of a claim in a few words."""
    why = why.removesuffix(" (probably misspelled)")
    if why.startswith(("the namespace differs", "the name differs", "namespace and name differ")):
        return why.removeprefix("the ")
    why = why or f"{quoted(wanted)} in the policy, {quoted(actual)} in the token"
    return f"{shown} differs: {why}"


def _audience(case: Case, condition: Condition, values: tuple[str, ...], closest: str) -> Found:
    """Return P06; its fix changes the one, token or policy, that has the unusual audience."""
    actual = values[0] if values else ""
    message = (
        f"requires aud to be {quoted_list(condition.values)}, but the token has "
        f"{quoted_list(values)}"
    )
    message += " (its azp, which IAM uses as aud)." if case.request.claims.get("azp") else "."
    wanted = _corrected_values(condition, actual, closest)
    policy = f'Under "{condition.operator}": {json_pair(condition.key, *wanted)}'
    token = f"Use a token for the audience {quoted(closest)}"
    of_pod = case.request.subject.startswith(PREFIX)
    change = None
    if STS in condition.values:
        # The policy is correct: it must not allow a token for another audience.
        fix = token + (": in a pod, AWS_WEB_IDENTITY_TOKEN_FILE is its path." if of_pod else ".")
    elif not _is_for_sts(case, actual):
        usual = json_condition("StringEquals", case.key("aud"), STS)
        fix = f"{token}, or require the usual one: {usual}"
    else:
        fix = policy if actual == STS else f"{policy}\nor {token[0].lower()}{token[1:]}."
        change = partial(set_values, case.index, condition, wanted) if is_plain(actual) else None
    return case.found("P06", "error", message, fix, change, cause=_in_short("aud", closest, actual))


def _corrected_values(condition: Condition, actual: str, closest: str) -> tuple[str, ...]:
    """Return the values with the token's value instead of a misspelled one, or at the end.

    A subject of GitHub that only lacks the ids gets them, and the rest of its pattern stays.
    """
    if changed := with_ids(closest, actual):
        # Other repositories that a pattern matches may still have subjects without ids.
        if not is_plain(closest.split(":")[1]):
            return (*condition.values, changed)
        return tuple(changed if each == closest else each for each in condition.values)
    any_case = "ignorecase" in condition.operator.lower()
    if is_misspelled(closest.lower() if any_case else closest, actual):
        return tuple(actual if value == closest else value for value in condition.values)
    return (*condition.values, actual)


def _undecidable(case: Case, condition: Condition, values: tuple[str, ...] | None) -> Found:
    """Return why a condition on a known key cannot be decided without AWS."""
    operator = condition.parsed_operator
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if operator.name == "Null" and operator.quantifier:
        message = f"{where}. AWS does not document the effect of {operator.quantifier} on Null."
        return case.found(
            "P07", "warning", message, json_condition("Null", condition.key, *condition.values)
        )
    if values is not None and len(values) > 1 and not operator.quantifier:
        return _several_values(case, condition, values)
    if variables := re.findall(r"\$\{[^{}]*\}", " ".join(condition.values)):
        message = f"{where} against {quoted_list(tuple(variables))}, which only AWS can evaluate."
        fix = "Compare it yourself, or write the value instead of the variable."
        return case.found("P12", "warning", message, fix)
    has = quoted_list(values) if values is not None else "no such claim"
    message = (
        f"{where} against {quoted_list(condition.values)}, and the token has {has}. AWS does not "
        "document the result."
    )
    return case.found(
        "P07", "warning", message, "Use values of the type that the operator compares."
    )


def _several_values(case: Case, condition: Condition, values: tuple[str, ...]) -> Found:
    message = (
        f"tests {case.shown(condition.key)} under {condition.operator}, which takes one value, and "
        f"the token has {len(values)}: {quoted_list(values)}. AWS does not document the result."
    )
    fix = json_condition(f"ForAnyValue:{condition.operator}", condition.key, *condition.values)
    if condition.parsed_operator.negated:
        # None of the values may be excluded, and ForAllValues matches if there is no value.
        all_ = json_condition(
            f"ForAllValues:{condition.operator}", condition.key, *condition.values
        )
        fix = f"{all_},\n{json_condition('Null', condition.key, 'false')}"
    return case.found("P06", "warning", message, fix)


def _swapped_claim(case: Case, condition: Condition, claim: str) -> str:
    """Return the claim to which this key's value belongs; empty if it is not sub or aud."""
    other = {"sub": "aud", "aud": "sub"}.get(claim, "")
    found = case.request.values(case.key(other)) if other else None
    return other if isinstance(found, tuple) and set(found) & set(condition.values) else ""


def _closest(wanted: tuple[str, ...], actual: str) -> str:
    """Return the policy's value that only lacks GitHub's ids, else the most similar one."""
    for value in wanted[:_MOST]:
        if with_ids(value, actual):
            return value
    pairs = SequenceMatcher(None, "", actual[:_LONGEST], autojunk=False)

    def likeness(value: str) -> float:
        pairs.set_seq1(value[:_LONGEST])
        # `quick_ratio` compares letters only; `ratio` can take cubic time.
        return pairs.quick_ratio()

    return max(wanted[:_MOST], key=likeness, default="")
