"""P06, P08, P11: a statement that also allows identities that it does not name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._identity.claims import STS
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import is_plain
from irsa_creds.diagnosis._explain.condition_keys import (
    intended_claim,
    intended_key,
    is_other_issuers_key,
)
from irsa_creds.diagnosis._explain.finding import (
    Case,
    Found,
    json_condition,
    like_operator,
    matches_wildcards,
    quoted_list,
    requires_value,
    split_key,
)
from irsa_creds.diagnosis._explain.principals import is_meant_for
from irsa_creds.diagnosis._explain.untrusted_tokens import is_of_api_server
from irsa_creds.diagnosis._policy.issuer_claims import COGNITO
from irsa_creds.diagnosis._policy.parse import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.parse import Condition

__all__ = ["names_identity", "security_findings"]

# Two service accounts without a common part: a pattern that matches both restricts nothing.
_UNRELATED_PODS = ("system:serviceaccount:a:b", "system:serviceaccount:7x:9yz")
_POD = "system:serviceaccount:"
# Two namespaces without a common part.
_UNRELATED_NAMESPACES = ("a", "7x")
# Prefix of the owner in subjects of public issuers: GitHub, also with a subject of other claims
# ("OpenID Connect reference", "Customizing the token claims"), GitLab, Terraform Cloud and
# Buildkite, and Vercel.
_OWNED = (
    "repo:", "repository:", "repository_id:", "repository_owner:", "repository_owner_id:",
    "enterprise:", "enterprise_id:", "job_workflow_ref:",
    "project_path:", "organization:", "owner:",
)  # fmt: skip
# Claims that identify the holder of a token; other claims say how, where or for what it was issued.
# `actor` does not: a user of GitHub starts jobs of any repository.
_IDENTIFYING = frozenset(
    {
        "sub", "email", "user_email", "user_id", "user_login", "enterprise_id", "repository",
        "repository_id", "repository_owner_id", "namespace_id", "project_id",
        "organization_id", "organization_slug", "pipeline_id", "cluster_id", "rpst_id",
        "oidc.circleci.com/project-id", "google/organization_number",
    }
)  # fmt: skip
_AUDIENCES = frozenset({"aud", "azp", "oaud"})


def security_findings(case: Case) -> Iterator[Found]:
    """Yield the warnings about a statement for this provider."""
    yield from _for_all_values(case)
    # A condition on the claim that does not match has a finding of its own.
    failing = {intended_claim(case, each) for each, truth in case.conditions() if truth is not True}
    if is_meant_for(case.judged, case.request) and "sub" not in failing:
        yield from _any_identity(case)
    if case.applies and not failing & _AUDIENCES:
        yield from _any_audience(case)


def _for_all_values(case: Case) -> Iterator[Found]:
    sure = {
        condition.key.lower()
        for condition, _ in case.conditions()
        if condition.parsed_operator.name == "Null" and condition.values == ("false",)
    }
    for condition, truth in case.conditions():
        if condition.parsed_operator.quantifier != "ForAllValues" or condition.key.lower() in sure:
            continue
        absent = case.request.values(condition.key) is None and truth is True
        message = (
            f"tests {case.shown(condition.key)} under {condition.operator}, which matches "
            + ("here because the key is absent." if absent else "whenever the key is absent.")
        )
        plain = condition.operator.partition(":")[2]
        if not is_plain(*condition.values):
            plain = like_operator(plain)
        operator = plain if _claim(condition) in {"sub", "aud"} else f"ForAnyValue:{plain}"
        fix = json_condition(operator, intended_key(case, condition.key), *condition.values)
        yield case.found("P08", "warning", message, fix)


def _any_identity(case: Case) -> Iterator[Found]:
    """Yield P11 unless a condition identifies the holders of a token."""
    if any(names_identity(case, condition) for condition, _ in case.conditions()):
        return
    subject = case.request.values(case.key("sub"))
    value = subject[0] if isinstance(subject, tuple) and subject else "SUBJECT"
    message = _why(case)
    message = message if case.applies else f"{message[:-1]}, once the other findings are fixed."
    fix = json_condition("StringEquals", case.key("sub"), value)
    yield case.found("P11", "warning", message, fix)


def _why(case: Case) -> str:
    effect = f"so any token of {quoted(case.request.issuer)} can get this role"
    tested = [c for c, _ in case.conditions() if _claim(c) == "sub"]
    if not tested:
        return f"has no condition on sub, {effect}."
    condition = tested[0]
    where = f"tests {case.shown(condition.key)} under {condition.operator}"
    if is_other_issuers_key(case, condition.key) or case.request.values(condition.key) is None:
        return f"{where}, which matches if the key is absent, and no token has it, {effect}."
    if not requires_value(condition.parsed_operator):
        return f"{where}, which requires no particular value, {effect}."
    broad = tuple(value for value in condition.values if _is_broad(case, condition, value))
    if broad and all(value.endswith(":default") for value in broad):
        return (
            f"{where} against {quoted_list(broad)}, which any namespace has, so every pod of the "
            "cluster without a service account of its own can get this role."
        )
    if case.request.subject.startswith(_POD) and not any(
        _matches_all(_as_pattern(case, condition, value), _UNRELATED_PODS) for value in broad
    ):
        return (
            f"{where} against {quoted_list(broad)}, which a service account of any namespace can "
            "match."
        )
    return f"{where} against {quoted_list(broad)}, which any subject can match, {effect}."


def names_identity(case: Case, condition: Condition) -> bool:
    """Return whether a condition requires particular identities of the token's issuer."""
    if not case.is_own(condition.key) or not requires_value(condition.parsed_operator):
        return False
    prefix, claim = split_key(condition.key.lower())
    if prefix in COGNITO and claim == "aud":
        return True  # the identity pool: "IAM roles" in the Amazon Cognito Developer Guide
    if claim not in _IDENTIFYING or case.request.values(condition.key) is None:
        return False
    return not any(_is_broad(case, condition, value) for value in condition.values)


def _as_pattern(case: Case, condition: Condition, value: str) -> str:
    """Return a policy's value as a pattern in which a policy variable is any text.

    The token itself may give a variable its value.
    """
    if case.policy.version == LATEST:
        value = re.sub(r"\$\{[*?$]\}", "+", value)
        value = re.sub(r"\$\{[^{}]*\}", "${}", value)
    if condition.parsed_operator.name.startswith("StringEquals"):
        value = re.sub(r"[*?]", "+", value)  # no subject has this character
    return value.replace("${}", "*")


def _is_broad(case: Case, condition: Condition, value: str) -> bool:
    """Return whether a policy's value also matches tokens of unrelated identities."""
    pattern = _as_pattern(case, condition, value)
    head = re.split(r"[*?]", pattern, maxsplit=1)[0]
    if head == pattern:
        return False
    subject = case.request.subject
    claim = _claim(condition)
    prefix = next((each for each in _OWNED if subject.startswith(each)), None)
    if claim == "repository" or (claim == "sub" and prefix):
        # The owner ends at the first separator after the prefix and must be written in full. The
        # "@" stands before GitHub's immutable id, and no name has one.
        start = prefix or ""
        owner = head.removeprefix(start if claim == "sub" else "")
        return (claim == "sub" and not head.startswith(start)) or not re.search("[/:@]", owner)
    if claim != "sub":
        return True
    if subject.startswith(_POD):
        account = re.sub("[*?]", "", pattern.rpartition(":")[2]) or "x"
        named = tuple(f"{_POD}{namespace}:{account}" for namespace in _UNRELATED_NAMESPACES)
        # A session tag with the namespace restricts what the role may do, and not the pods.
        anywhere = "${" not in value and _matches_all(pattern, named)
        return anywhere or _matches_all(pattern, _UNRELATED_PODS)
    return not head.strip(":/")


def _matches_all(pattern: str, subjects: tuple[str, ...]) -> bool:
    """Return whether a pattern, in which `?` is any text, matches all of the subjects."""
    anyhow = pattern.replace("?", "*")
    return all(matches_wildcards(anyhow, each) for each in subjects)


def _any_audience(case: Case) -> Iterator[Found]:
    """Yield P06 unless a condition requires an audience."""
    tested = [condition for condition, _ in case.conditions() if _claim(condition) in _AUDIENCES]
    if any(_requires_audience(case, condition) for condition in tested):
        return
    audience = case.request.values(case.key("aud"))
    value = audience[0] if isinstance(audience, tuple) and audience else STS
    value = STS if is_of_api_server(case.request) else value
    # With one exact subject, installers of other clusters leave the audience to the provider's
    # list of client IDs, which is correct. The documentation and tools of EKS always test it.
    exact = any(
        names_identity(case, condition) and condition.parsed_operator.name == "StringEquals"
        for condition, _ in case.conditions()
    )
    elsewhere = not case.request.provider.startswith(("oidc.eks.", "oidc-eks."))
    yield case.found(
        "P06",
        "info" if exact and elsewhere else "warning",
        f"has no condition on aud{' that requires a value' if tested else ''}, so that any "
        "audience that the provider knows will do.",
        json_condition("StringEquals", case.key("aud"), value),
    )


def _requires_audience(case: Case, condition: Condition) -> bool:
    absent = case.request.values(condition.key) is None
    patterns = [_as_pattern(case, condition, value) for value in condition.values]
    specific = all(pattern.strip("*?") for pattern in patterns)
    return requires_value(condition.parsed_operator) and specific and not absent


def _claim(condition: Condition) -> str:
    """Return the claim that a key is meant to be, its prefix left aside."""
    return split_key(condition.key)[1].strip().lower()
