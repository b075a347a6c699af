"""P01 and P10: the actions of a statement."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from irsa_creds._validate import shown
from irsa_creds.diagnosis._findings_base import Case, Found, listed, pair
from irsa_creds.diagnosis._findings_principal import meant_for
from irsa_creds.diagnosis._fix import add_action, replace_action

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["action_findings"]

_EXCHANGE = "sts:AssumeRoleWithWebIdentity"
# The claims and the actions they need: IAM User Guide, "Pass session tags in AWS STS" and "Monitor
# and control actions taken with assumed roles".
_CLAIMS = {
    "sts:TagSession": ("session tags", "https://aws.amazon.com/tags"),
    "sts:SetSourceIdentity": ("a source identity", "https://aws.amazon.com/source_identity"),
}
_ALIKE = 0.8


def action_findings(case: Case) -> Iterator[Found]:
    """Yield what is wrong with the actions of a statement that does not allow what is asked."""
    if case.judged.action is not False:
        return
    missing = case.judgement.action
    if missing in _CLAIMS:
        yield _further(case, missing)
    elif case.statement.not_actions is not None:
        yield case.found(
            "P01",
            "error",
            f"allows all but {listed(case.statement.not_actions)}, and so not {_EXCHANGE}.",
            f'In place of "NotAction": "Action": "{_EXCHANGE}"',
            add_action(case.index, _EXCHANGE),
        )
    else:
        yield _other(case)


def _further(case: Case, action: str) -> Found:
    what, claim = _CLAIMS[action]
    return case.found(
        "P10",
        "error",
        f"allows {listed(case.statement.actions)}, but the token brings {what} (claim {claim}), "
        f"and STS refuses it without {action}.",
        pair("Action", [*case.statement.actions, action]),
        add_action(case.index, action),
    )


def _other(case: Case) -> Found:
    actions = case.statement.actions
    mistaken = _mistaken(actions)
    if mistaken is None:
        said = f"allows {listed(actions)}; a token needs {_EXCHANGE}."
        fix = _fix(case, [*actions, _EXCHANGE])
        return case.found("P01", "error", said, fix, add_action(case.index, _EXCHANGE))
    action, why = mistaken
    said = f"allows {shown(action)}, {why}; a token needs {_EXCHANGE}."
    fix = _fix(case, [_EXCHANGE if each == action else each for each in actions])
    return case.found("P01", "error", said, fix, replace_action(case.index, action, _EXCHANGE))


def _fix(case: Case, actions: list[str]) -> str:
    if not meant_for(case.judged, case.request):
        return "Leave that statement to those whom it is for, and add one of its own."
    return pair("Action", actions if len(actions) > 1 else actions[0])


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
        if lower == _EXCHANGE.lower():
            return action, "with blanks around it"
        if get_close_matches(lower[:100], [_EXCHANGE.lower()], cutoff=_ALIKE):
            return action, "which is misspelt"
    return None
