"""Describe how a token's subject differs from the one that a policy requires."""

from __future__ import annotations

import re

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import is_plain
from irsa_creds.diagnosis._explain.finding import matches_wildcards
from irsa_creds.diagnosis._explain.github_subjects import (
    context_difference,
    has_other_ids,
    lacks_ids,
    without_ids,
)
from irsa_creds.diagnosis._explain.provider_names import is_similar

__all__ = ["PREFIX", "SUBJECT", "is_misspelled", "subject_difference"]

PREFIX = "system:serviceaccount:"
SUBJECT = re.compile(r"system:serviceaccount:(?P<namespace>[a-z0-9-]+):(?P<name>[a-z0-9.-]+)")


def is_misspelled(wanted: str, actual: str) -> bool:
    """Return whether a policy's value can only be a misspelling of the token's.

    A value that may be another valid subject is not, such as one that differs in a number.
    """
    if not is_plain(wanted):
        return False
    if SUBJECT.fullmatch(actual) and not SUBJECT.fullmatch(wanted):
        return True
    wanted_part, actual_part = wanted.split(":"), actual.split(":")
    if len(wanted_part) != len(actual_part) or re.sub(r"\d", "", wanted) == re.sub(
        r"\d", "", actual
    ):
        return False
    return all(
        one == other or is_similar(one, other)
        for one, other in zip(wanted_part, actual_part, strict=True)
    )


def subject_difference(wanted: str, actual: str) -> str:
    """Return the difference between the token's and the policy's subject, as a clause.

    Args:
        wanted: the policy's value.
        actual: the token's `sub`.
    """
    if wanted.strip().strip("'\"") == actual:
        return "the policy's has blanks or quotes around it"
    if re.sub(r"\s", "", wanted) == actual:
        return "the policy's contains a blank"
    if wanted.lower() == actual.lower():
        return "upper and lower case differ, and StringEquals and StringLike are case-sensitive"
    if not actual.startswith(PREFIX):
        return _of_segments(wanted, actual)
    if not wanted.startswith(PREFIX):
        return _prefix_difference(wanted, actual)
    return _of_service_accounts(wanted.removeprefix(PREFIX), actual.removeprefix(PREFIX))


def _prefix_difference(wanted: str, actual: str) -> str:
    namespace, _, name = actual.removeprefix(PREFIX).partition(":")
    if wanted in {f"{namespace}:{name}", f"{namespace}/{name}", name}:
        return f"the policy's lacks '{PREFIX}' before NAMESPACE:NAME"
    return f"the policy's does not begin with '{PREFIX}'" + _probably_misspelled(wanted, actual)


def _of_service_accounts(wanted: str, actual: str) -> str:
    if wanted.replace("/", ":") == actual:
        return "a colon, not a slash, separates namespace and name"
    namespace, colon, name = wanted.partition(":")
    actual_namespace, _, actual_name = actual.partition(":")
    if not colon:
        return "the policy's has no name after the namespace"
    if (namespace, name) == (actual_name, actual_namespace):
        return "namespace and name are swapped"
    same_namespace = matches_wildcards(namespace, actual_namespace)
    if not same_namespace and not matches_wildcards(name, actual_name):
        return "namespace and name differ" + _probably_misspelled(wanted, actual)
    what, one, other = "namespace", namespace, actual_namespace
    if same_namespace:
        what, one, other = "name", name, actual_name
    return (
        f"the {what} differs: {quoted(one)} in the policy, {quoted(other)} in the token"
        + _probably_misspelled(one, other)
    )


def _of_segments(wanted: str, actual: str) -> str:
    """Return the first part that differs, for subjects that are not Kubernetes' format."""
    if has_other_ids(wanted, actual):
        return "the ids differ, so GitHub has another organization or repository with these names"
    if lacks_ids(wanted, actual):
        return "the GitHub organization or repository has not switched to immutable subjects"
    names, ids = without_ids(actual), ""
    if names != actual and "@" not in wanted:
        ids = (
            "the GitHub organization or repository has switched to immutable subjects, with an id "
            "after each name"
        )
        if matches_wildcards(wanted, names):
            return ids
        ids, actual = f"{ids}; and ", names
    pairs = list(zip(wanted.split(":"), actual.split(":"), strict=False))
    for at, (wanted_part, actual_part) in enumerate(pairs):
        if wanted_part != actual_part and not matches_wildcards(wanted_part, actual_part):
            rest = [":".join(each.split(":")[at:]) for each in (wanted, actual)]
            why = context_difference(*rest) if actual.startswith("repo:") else ""
            both = f"{quoted(wanted_part)} in the policy, {quoted(actual_part)} in the token"
            if why:
                return f"{ids}{why} ({both})"
            return ids + both + _probably_misspelled(wanted_part, actual_part)
    return f"{ids}one is longer than the other"


def _probably_misspelled(wanted_part: str, actual_part: str) -> str:
    return " (probably misspelled)" if is_similar(wanted_part, actual_part) else ""
