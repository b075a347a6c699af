"""P01 and P10: a statement that does not allow the required actions."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.changes import add_action, apply_all, replace_action
from irsa_creds.diagnosis._explain.finding import Case, Found, json_pair, quoted_list
from irsa_creds.diagnosis._explain.principals import is_meant_for
from irsa_creds.diagnosis._policy.evaluate import covers_action
from irsa_creds.diagnosis._policy.request import SOURCE_IDENTITY, TAGS
from irsa_creds.diagnosis._policy.templates import ACTION

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["action_findings"]

# Claims in the token, and the action that each requires: IAM User Guide, "Pass session tags in AWS
# STS" and "Monitor and control actions taken with assumed roles".
_CLAIMS = {
    "sts:TagSession": ("session tags", TAGS),
    "sts:SetSourceIdentity": ("a source identity", SOURCE_IDENTITY),
}
# Actions that stand for `ACTION` by mistake, in lower case.
_WRONG_ACTIONS = {
    "sts:assumerole": "which is for AWS principals with signed requests",
    "sts:assumerolewithsaml": "which is for SAML assertions",
    "assumerolewithwebidentity": "which lacks the prefix 'sts:'",
    ACTION.lower(): "which has blanks around it",
}
_SIMILAR = 0.8


def action_findings(case: Case) -> Iterator[Found]:
    """Yield findings about the actions of a statement that does not allow the request."""
    if case.judged.action is not False:
        return
    if case.judgement.action in _CLAIMS:
        yield _missing_actions(case)
    elif case.statement.not_actions is not None:
        yield case.found(
            "P01",
            "error",
            f"allows all actions except {quoted_list(case.statement.not_actions)}: not {ACTION}.",
            f'Replace "NotAction" with {json_pair("Action", *case.request.actions)}',
        )
    else:
        yield _wrong_action(case)


def _missing_actions(case: Case) -> Found:
    """Return P10 for all missing actions: one change adds them."""
    missing = [
        each
        for each in _CLAIMS
        if each in case.request.actions and not covers_action(case.statement, each)
    ]
    claims = " and ".join(f"{_CLAIMS[each][0]} (claim {_CLAIMS[each][1]})" for each in missing)
    actions, excluded = case.statement.actions, case.statement.not_actions
    allows = (
        f"allows {quoted_list(actions)}" if excluded is None else f"excepts {quoted_list(excluded)}"
    )
    fix = json_pair("Action", *actions, *missing)
    if excluded is not None:
        fix = f'Remove {" and ".join(missing)} from "NotAction".'
    return case.found(
        "P10",
        "error",
        f"{allows}. The token has {claims}, so STS also requires {' and '.join(missing)}.",
        fix,
        partial(apply_all, [partial(add_action, case.index, each) for each in missing]),
    )


def _wrong_action(case: Case) -> Found:
    actions = case.statement.actions
    wrong = _misspelled_action(actions)
    if wrong is None:
        message = f"allows {quoted_list(actions)}; a token needs {ACTION}."
        change = partial(add_action, case.index, ACTION)
        fix = json_pair("Action", *actions, ACTION)
    else:
        action, why = wrong
        message = f"allows {quoted(action)}, {why}; a token needs {ACTION}."
        change = partial(replace_action, case.index, action, ACTION)
        fix = json_pair("Action", *(ACTION if each == action else each for each in actions))
    if is_meant_for(case.judged, case.request):
        return case.found("P01", "error", message, fix, change)
    fix = "Keep this statement for its other principals, and add a statement for this issuer."
    return case.found("P01", "error", message, fix)


def _misspelled_action(actions: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the action that stands for `ACTION` by mistake, and why it is wrong."""
    for action in actions:
        lower = action.strip().lower()
        if why := _WRONG_ACTIONS.get(lower):
            return action, why
        if get_close_matches(lower[:100], [ACTION.lower()], cutoff=_SIMILAR):
            return action, "which is misspelled"
    return None
