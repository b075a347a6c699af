"""`explain` on the trust policies that people really wrote.

The verdicts and causes are those of IAM's documentation and of the threads.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from re import sub
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.collected.shapes import Case, Claims, jwt
from diagnosis.collected.sound_policies import SOUND
from diagnosis.collected.wrong_policies import INVALID, WRONG
from irsa_creds.diagnosis._explain.explain import Explanation, explain
from irsa_creds.diagnosis._policy.parse import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator


def explained(case: Case, policy: Any = None, token: Claims | None = None) -> Explanation:
    return explain(policy or case.policy, token=jwt(token or case.token), role_arn=case.role)


def strangers(case: Case) -> Iterator[Claims]:
    """Yield tokens of the same issuer that the policy is not meant for, whatever its mistake."""
    meant = [each.replace("$", "?") for each in _texts(case.policy)]
    for subject in _other_subjects(case.token["sub"]):
        # A policy for the names of a repository may get its pattern with the ids.
        names = sub(r"@[0-9]+", "", subject) if subject.endswith(":pull_request") else subject
        if not any(fnmatchcase(text, each) for each in meant for text in (subject, names)):
            yield case.token | {"sub": subject}


def _other_subjects(subject: str) -> Iterator[str]:
    kind, _, rest = subject.partition(":")
    if kind == "system":
        _, namespace, name = subject.split(":")[1:]
        yield f"system:serviceaccount:stranger:{name}"
        yield f"system:serviceaccount:{namespace}:stranger"
        yield f"system:serviceaccount:{namespace}-2:{name}"
    elif kind == "repo":
        repository, _, context = rest.partition(":")
        owner, _, name = repository.partition("/")
        yield f"repo:stranger/{name}:{context}"
        yield f"repo:{owner}-2/{name}:{context}"
        yield f"repo:{owner.partition('@')[0]}@999/{name}:{context}"
        yield f"repo:{repository}:pull_request"
    else:
        yield f"stranger:{rest}"


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from _texts(each)
    else:
        yield str(document)


def test_no_sound_policy_raises_an_alarm() -> None:
    wrong = {}
    for case in SOUND:
        found = explained(case)
        alarms = [each.id for each in found.findings if each.severity != "info"]
        if found.verdict != "allow" or alarms:
            wrong[case.source] = (found.verdict, alarms)
    assert wrong == {}


def test_each_wrong_policy_has_its_verdict_and_its_cause_first() -> None:
    assert {case.source: _seen(case) for case in WRONG if not _is_right(case)} == {}


def _is_right(case: Case) -> bool:
    verdict, first, *others = _seen(case)
    # P07 advises to remove a condition.
    removes = case.verdict == "deny" and "P07 error" in others and "P07" not in case.causes
    severity = "error" if case.verdict == "deny" else "warning"
    causes = {f"{each} {severity}" for each in case.causes}
    return verdict == case.verdict and first in causes and not removes


def _seen(case: Case) -> list[str]:
    """Return the verdict, and the findings with their severities."""
    found = explained(case)
    return [found.verdict, *([f"{each.id} {each.severity}" for each in found.findings] or ["none"])]


def test_no_correction_allows_a_stranger() -> None:
    allowed = []
    for case in WRONG:
        fixed = explained(case).fixed
        if fixed is None:
            continue
        assert explained(case, fixed).verdict == "allow", case.source
        allowed += [
            (case.source, stranger["sub"])
            for stranger in strangers(case)
            if explained(case, token=stranger).verdict == "deny"
            and explained(case, fixed, stranger).verdict != "deny"
        ]
    assert allowed == []


def test_no_correction_is_for_pull_requests_or_the_api_server() -> None:
    meant = [each for each in WRONG if each.token["sub"].endswith(":pull_request")]
    meant += [each for each in WRONG if each.token["aud"] == ["https://kubernetes.default.svc"]]
    assert len(meant) >= 3
    assert [each.source for each in meant if explained(each).fixed is not None] == []


@pytest.mark.parametrize(
    ("policy", "word"), [pytest.param(policy, word, id=source) for source, policy, word in INVALID]
)
def test_a_text_that_is_not_a_trust_policy_is_refused_with_the_reason(
    policy: Any, word: str
) -> None:
    with pytest.raises(PolicyError, match=word):
        explain(policy, token=jwt({"iss": "https://example.com", "sub": "a", "aud": "b"}))


def test_the_tables_are_as_long_as_they_are_meant_to_be() -> None:
    assert len(SOUND) >= 100
    assert len(WRONG) >= 100
    named = [case.source for case in (*SOUND, *WRONG)]
    assert len(set(named)) == len(named)
