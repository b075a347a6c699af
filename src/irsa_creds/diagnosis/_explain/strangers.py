"""Invented subjects near a token's, which no correction may let in."""

from __future__ import annotations

from irsa_creds.diagnosis._explain.finding import matches_wildcards

__all__ = ["let_in", "near_subjects", "unrelated_subjects"]

# Parts that all subjects of one kind share.
_FIXED_PARTS = frozenset({"system", "serviceaccount", "repo", "project_path", "organization"})
_ANY = "0nobody0"  # no namespace, account or repository has this name
_POD = "system:serviceaccount:"
_JOB = "repo:"


def unrelated_subjects(subject: str) -> tuple[str, ...]:
    """Return subjects of the same issuer that have nothing in common with the token's."""
    parts = subject.split(":")
    other = [part if part in _FIXED_PARTS else _without_names(part) for part in parts]
    of_kind = [parts[0], *map(_without_names, parts[1:])]
    found = [":".join(other), ":".join(of_kind)]
    if subject.startswith(_JOB):
        found.append(f"{_JOB}{_ANY}/{subject.partition('/')[2]}")
    return tuple(each for each in found if each != subject)


def near_subjects(subject: str) -> dict[str, str]:
    """Return a subject of each kind that has a part in common with the token's, by its name."""
    if subject.startswith(_POD):
        namespace, _, name = subject.removeprefix(_POD).partition(":")
        return {
            "subjects of other namespaces": f"{_POD}{_ANY}:{name}",
            "other service accounts of the namespace": f"{_POD}{namespace}:{_ANY}",
        }
    if subject.startswith(_JOB):
        repository, _, context = subject.removeprefix(_JOB).partition(":")
        owner = repository.partition("/")[0]
        other = f"{_ANY}@0" if "@" in owner else _ANY  # an immutable subject has ids
        return {
            "pull requests": f"{_JOB}{repository}:pull_request",
            "other repositories": f"{_JOB}{owner}/{other}:{context}",
        }
    return {}


def let_in(patterns: tuple[str, ...], subject: str) -> bool:
    """Return whether one of these patterns matches a subject, whatever its length."""
    return any(matches_wildcards(each.replace("?", "*"), subject) for each in patterns)


def _without_names(part: str) -> str:
    return "/".join(_ANY for _ in part.split("/"))
