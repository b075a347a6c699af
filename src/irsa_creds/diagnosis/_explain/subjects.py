"""How a token's subject differs from the one that a policy wants."""

from __future__ import annotations

import re

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.changes import exact
from irsa_creds.diagnosis._explain.finding import like
from irsa_creds.diagnosis._explain.provider_names import alike

__all__ = ["PREFIX", "SUBJECT", "misspelt", "subject_difference"]

PREFIX = "system:serviceaccount:"
SUBJECT = re.compile(r"system:serviceaccount:(?P<namespace>[a-z0-9-]+):(?P<name>[a-z0-9.-]+)")


def misspelt(wanted: str, actual: str) -> bool:
    """Return whether a policy's value can only have been meant for the token's.

    What could be the subject of somebody else is not: of two that differ in a number, say.
    """
    if not exact(wanted):
        return False
    if SUBJECT.fullmatch(actual) and not SUBJECT.fullmatch(wanted):
        return True
    theirs, mine = wanted.split(":"), actual.split(":")
    if len(theirs) != len(mine) or re.sub(r"\d", "", wanted) == re.sub(r"\d", "", actual):
        return False
    return all(one == other or alike(one, other) for one, other in zip(theirs, mine, strict=True))


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
    if not actual.startswith(PREFIX):
        return _of_segments(wanted, actual)
    if not wanted.startswith(PREFIX):
        return _of_prefix(wanted, actual)
    return _of_accounts(wanted.removeprefix(PREFIX), actual.removeprefix(PREFIX))


def _of_prefix(wanted: str, actual: str) -> str:
    namespace, _, name = actual.removeprefix(PREFIX).partition(":")
    if wanted in {f"{namespace}:{name}", f"{namespace}/{name}", name}:
        return f"the policy's lacks '{PREFIX}' before NAMESPACE:NAME"
    return f"the policy's does not begin with '{PREFIX}'" + _did_you_mean(wanted, actual)


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
            f"the namespace differs: {quoted(namespace)} there, {quoted(mine)} in the token"
            + _did_you_mean(namespace, mine)
        )
    return (
        f"the name differs: {quoted(name)} there, {quoted(my_name)} in the token"
        + _did_you_mean(name, my_name)
    )


def _of_segments(wanted: str, actual: str) -> str:
    """Return the first part that differs of subjects whose form is not Kubernetes'."""
    pairs = zip(wanted.split(":"), actual.split(":"), strict=False)
    for theirs, mine in pairs:
        if theirs != mine and not like(theirs, mine):
            return f"{quoted(theirs)} there is {quoted(mine)} in the token" + _did_you_mean(
                theirs, mine
            )
    return "one goes on where the other ends"


def _did_you_mean(theirs: str, mine: str) -> str:
    return " (misspelt?)" if alike(theirs, mine) else ""
