"""P01 and P10: the actions of a statement."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.changes import add_action, in_turn, replace_action
from irsa_creds.diagnosis._explain.finding import Case, Found, listed, pair
from irsa_creds.diagnosis._explain.principals import meant_for
from irsa_creds.diagnosis._policy.patterns import matches
from irsa_creds.diagnosis._policy.request import SOURCE_IDENTITY, TAGS
from irsa_creds.diagnosis._policy.templates import ACTION

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["action_findings"]

# The claims and the actions they need: IAM User Guide, "Pass session tags in AWS STS" and "Monitor
# and control actions taken with assumed roles".
_CLAIMS = {
    "sts:TagSession": ("session tags", TAGS),
    "sts:SetSourceIdentity": ("a source identity", SOURCE_IDENTITY),
}
_ALIKE = 0.8


def action_findings(case: Case) -> Iterator[Found]:
    """Yield what is wrong with the actions of a statement that does not allow what is asked."""
    if case.judged.action is not False:
        return
    if case.judgement.action in _CLAIMS:
        yield _further(case)
    elif case.statement.not_actions is not None:
        yield case.found(
            "P01",
            "error",
            f"allows all but {listed(case.statement.not_actions)}, and so not {ACTION}.",
            f'In place of "NotAction": {pair("Action", *case.request.actions)}',
        )
    else:
        yield _other(case)


def _further(case: Case) -> Found:
    """Return P10 for all further actions that the statement lacks: they are one change."""
    missing = [each for each in _CLAIMS if each in case.request.actions and not _about(case, each)]
    brings = " and ".join(f"{_CLAIMS[each][0]} (claim {_CLAIMS[each][1]})" for each in missing)
    actions, excluded = case.statement.actions, case.statement.not_actions
    allows = f"allows {listed(actions)}" if excluded is None else f"excepts {listed(excluded)}"
    fix = pair("Action", *actions, *missing)
    if excluded is not None:
        fix = f'Take {" and ".join(missing)} out of what "NotAction" excepts.'
    return case.found(
        "P10",
        "error",
        f"{allows}, but the token brings {brings}, and STS refuses it without "
        f"{' and '.join(missing)}.",
        fix,
        in_turn(add_action(case.index, each) for each in missing),
    )


def _about(case: Case, action: str) -> bool:
    named, excepted = case.statement.actions, case.statement.not_actions
    found = any(matches(name.lower(), action.lower()) for name in excepted or named)
    return found is (excepted is None)


def _other(case: Case) -> Found:
    actions = case.statement.actions
    mistaken = _mistaken(actions)
    ours = meant_for(case.judged, case.request)
    if mistaken is None:
        said = f"allows {listed(actions)}; a token needs {ACTION}."
        change = add_action(case.index, ACTION)
        fix = _fix(case, [*actions, ACTION])
    else:
        action, why = mistaken
        said = f"allows {quoted(action)}, {why}; a token needs {ACTION}."
        change = replace_action(case.index, action, ACTION)
        fix = _fix(case, [ACTION if each == action else each for each in actions])
    return case.found("P01", "error", said, fix, change if ours else None)


def _fix(case: Case, actions: list[str]) -> str:
    if not meant_for(case.judged, case.request):
        return "Leave that statement to those whom it is for, and add one of its own."
    return pair("Action", *actions)


def _mistaken(actions: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the action that was meant to be the exchange, and what it is instead."""
    for action in actions:
        lower = action.strip().lower()
        if lower == "sts:assumerole":
            return action, "which is for AWS principals that sign their request"
        if lower == "sts:assumerolewithsaml":
            return action, "which is for SAML assertions"
        if lower == "assumerolewithwebidentity":
            return action, "which lacks the service's prefix 'sts:'"
        if lower == ACTION.lower():
            return action, "with blanks around it"
        if get_close_matches(lower[:100], [ACTION.lower()], cutoff=_ALIKE):
            return action, "which is misspelt"
    return None
