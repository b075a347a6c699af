"""Subjects of GitHub Actions: immutable ones, and the reason for what stands after the repository.

Source: "OpenID Connect reference" in GitHub's documentation: example subject claims, and immutable
subject claims, in which the id of the owner and of the repository follows the name after an "@".
"""

from __future__ import annotations

import re

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import is_plain
from irsa_creds.diagnosis._explain.finding import matches_wildcards

__all__ = ["context_difference", "has_other_ids", "lacks_ids", "with_ids", "without_ids"]

_IMMUTABLE = re.compile(
    r"repo:(?P<owner>[^/:@]+)@(?P<owner_id>\d+)/(?P<name>[^/:@]+)@(?P<id>\d+)(?P<context>:.*)?",
    re.DOTALL,
)
# A policy's value, which may have wildcards in each part.
_NAMED = re.compile(r"repo:(?P<owner>[^/:@]+)/(?P<name>[^:@]+)(?P<context>:.*)?", re.DOTALL)


def without_ids(subject: str) -> str:
    """Return a subject with the names alone; other subjects unchanged."""
    found = _IMMUTABLE.fullmatch(subject)
    if not found:
        return subject
    return f"repo:{found['owner']}/{found['name']}{found['context'] or ''}"


def has_other_ids(wanted: str, actual: str) -> bool:
    """Return whether two immutable subjects have the same names, and other ids.

    Args:
        wanted: the policy's value; its context may have wildcards.
        actual: the token's subject.
    """
    one, other = _IMMUTABLE.fullmatch(wanted), _IMMUTABLE.fullmatch(actual)
    if not one or not other or one.group("owner", "name") != other.group("owner", "name"):
        return False
    return one.group("owner_id", "id") != other.group("owner_id", "id")


def lacks_ids(wanted: str, actual: str) -> bool:
    """Return whether a subject has the names of a policy's immutable one, and no ids."""
    names = without_ids(wanted)
    return names != wanted and matches_wildcards(names, actual)


def with_ids(pattern: str, subject: str) -> str:
    """Return a policy's value with the ids of an immutable subject behind its names.

    Args:
        pattern: names without ids, as the policy has it.
        subject: the token's.

    Returns:
        The value, or an empty text if the ids are not the only difference.
    """
    ids, names = _IMMUTABLE.fullmatch(subject), _NAMED.fullmatch(pattern)
    if not ids or not names or not matches_wildcards(pattern, without_ids(subject)):
        return ""
    name = names["name"]
    if is_plain(name):
        name += f"@{ids['id']}"
    elif not name.endswith("*"):
        name += "@*"
    return f"repo:{names['owner']}@{ids['owner_id']}/{name}{names['context'] or ''}"


def context_difference(wanted: str, actual: str) -> str:
    """Return why a subject has another kind of context than a policy's; empty if unknown.

    Args:
        wanted: the part of the policy's value after the repository, such as `ref:refs/heads/main`.
        actual: the same part of the token's subject.
    """
    kind, _, value = actual.partition(":")
    if kind == "environment":
        return f"the job runs in the environment {quoted(value)}, which replaces its branch or tag"
    if kind == "pull_request":
        return "a pull request started the job, which replaces its branch"
    if kind == "ref" and wanted.startswith("environment:"):
        return f"the job names no environment, so its subject has {quoted(value)}"
    return ""
