"""All findings about a policy and a request (P01 to P12), and the changes worth trying."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._explain.actions import action_findings
from irsa_creds.diagnosis._explain.broad_access import security_findings
from irsa_creds.diagnosis._explain.changes import add_statement, apply_all
from irsa_creds.diagnosis._explain.condition_keys import (
    absent_findings,
    prefix_findings,
    unknown_findings,
)
from irsa_creds.diagnosis._explain.condition_values import undecided_findings, value_findings
from irsa_creds.diagnosis._explain.deny_statements import deny_findings
from irsa_creds.diagnosis._explain.finding import Case, Finding, Found
from irsa_creds.diagnosis._explain.other_callers import other_caller_findings
from irsa_creds.diagnosis._explain.principals import (
    correct_statement,
    is_meant_for,
    principal_findings,
)
from irsa_creds.diagnosis._explain.untrusted_tokens import is_of_pull_request, pull_request_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from irsa_creds.diagnosis._explain.finding import Change
    from irsa_creds.diagnosis._policy.evaluate import Judgement
    from irsa_creds.diagnosis._policy.parse import Policy
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["changes", "findings"]

_ORDER = ("error", "warning", "info")


def findings(policy: Policy, request: AccessRequest, judgement: Judgement) -> tuple[Found, ...]:
    """Return all findings, the worst first, each with the change that may fix the policy."""
    found = _of_statements(policy, request, judgement)
    # Two checks may report the same warning; within a severity, statements keep their order.
    unique = {(each.finding.id, each.finding.message): each for each in found}
    if is_of_pull_request(request):
        unique = {key: _for_every_pull_request(each, request) for key, each in unique.items()}
    return tuple(sorted(unique.values(), key=lambda each: _ORDER.index(each.finding.severity)))


def _for_every_pull_request(found: Found, request: AccessRequest) -> Found:
    """Return a finding whose fix says which tokens it would let in."""
    fix = found.finding.fix
    own = (request.subject, *pull_request_values(request))
    if not any(value in fix for value in own):
        return found
    named = replace(found.finding, fix=f"To give every pull request the role:\n{fix}")
    return found._replace(finding=named)


def _of_statements(policy: Policy, request: AccessRequest, judgement: Judgement) -> Iterator[Found]:
    cases = [Case(policy, request, judgement, judged) for judged in judgement.statements]
    for case in cases:
        if case.statement.effect == "Deny":
            yield from deny_findings(case)
    for case in cases:
        if case.statement.effect == "Allow":
            yield from _of_allow(case)
    if judgement.nearest is None:
        yield _no_allow(policy, request)
    else:
        yield from _of_nearest(Case(policy, request, judgement, judgement.nearest))


def _of_allow(case: Case) -> Iterator[Found]:
    """Yield the warnings about an Allow; `_of_nearest` yields the other ones of the nearest."""
    judged = case.judged
    if judged is not case.judgement.nearest and judged.action and judged.principal:
        yield from security_findings(case)
    yield from other_caller_findings(case)


def _of_nearest(case: Case) -> Iterator[Found]:
    yield from action_findings(case)
    yield from principal_findings(case)
    yield from prefix_findings(case)
    yield from absent_findings(case)
    yield from value_findings(case)
    yield from undecided_findings(case)
    yield from unknown_findings(case)
    yield from security_findings(case)


def _no_allow(policy: Policy, request: AccessRequest) -> Found:
    message = "No statement of the policy allows anything, and IAM denies by default."
    lines = json.dumps(correct_statement(policy, request)[0], indent=2)
    return Found(Finding("P01", "error", None, message, f"Add this statement:\n{lines}"))


def changes(
    policy: Policy, request: AccessRequest, judgement: Judgement, found: Iterable[Found]
) -> Iterator[Change]:
    """Yield the changes worth trying; `corrected` evaluates the effect of each."""
    own, complete = correct_statement(policy, request)
    if complete and not (judgement.nearest and is_meant_for(judgement.nearest, request)):
        yield partial(add_statement, own)
    errors = [each for each in found if each.finding.severity == "error"]
    yield from (each.change for each in errors if each.change)
    # A provider misspelled both in its ARN and in the condition keys is one mistake.
    together = [each.change for each in errors if each.change]
    if {each.finding.id for each in errors} == {"P02", "P03"} and len(together) == len(errors):
        yield partial(apply_all, together)
