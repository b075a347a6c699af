"""What a policy says, by the evaluator of `irsa-creds explain`; where it cannot tell, an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._policy.evaluate import judge, judge_action
from irsa_creds.diagnosis._policy.logic import UNKNOWN, Truth, Values
from irsa_creds.diagnosis._policy.parse import Policy, PolicyError, parse_permissions, parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from irsa_creds.diagnosis._policy.evaluate import Judged, Judgement
    from irsa_creds.diagnosis._policy.request import Request

__all__ = ["Question", "UnsupportedPolicyError", "allows", "trusts_caller", "trusts_token"]


class UnsupportedPolicyError(NotImplementedError):
    """A policy uses what the sandbox cannot evaluate: to guess would be to lie."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a signed request asks of a policy.

    Attributes:
        action: such as "s3:GetObject".
        resource: an ARN; None asks a trust policy, which names no resource.
        names: the AWS principals that mean the caller; empty where a permission policy is asked,
            which names none.
        facts: the condition keys that are known, in lower case, with their values; None: absent.
    """

    action: str
    resource: str | None = None
    names: frozenset[str] = frozenset()
    facts: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)

    def trusts(self, kind: str, name: str) -> Truth:
        """Return whether a principal is the caller."""
        return None if name == "*" else kind == "AWS" and name in self.names

    def values(self, key: str) -> Values:
        """Return the values of a condition key."""
        return self.facts.get(key.lower(), UNKNOWN)


def allows(documents: Iterable[str], question: Question) -> bool:
    """Return whether permission policies allow it.

    Args:
        documents: policies as JSON.
        question: what is asked.

    Raises:
        UnsupportedPolicyError: that depends on what the sandbox does not know.
    """
    policies = [_parsed(parse_permissions, document) for document in documents]
    return _decided(judge_action(policies, question, question.action))


def trusts_caller(document: str, question: Question) -> bool:
    """Return whether a role's trust policy lets a caller who signs in.

    Raises:
        UnsupportedPolicyError: that depends on what the sandbox does not know.
    """
    policy = _parsed(parse_policy, document)
    return _decided(judge_action([policy], question, question.action))


def trusts_token(document: str, request: Request) -> bool:
    """Return whether a role's trust policy lets the bearer of a token in.

    Raises:
        UnsupportedPolicyError: that depends on what the sandbox does not know.
    """
    return _decided(judge(_parsed(parse_policy, document), request))


@lru_cache(maxsize=256)
def _parsed(parse: Callable[[str], Policy], document: str) -> Policy:
    try:
        return parse(document)
    except PolicyError as error:
        trouble = str(error)
    raise UnsupportedPolicyError(f"The sandbox does not evaluate this policy. {trouble}")


def _decided(judgement: Judgement) -> bool:
    if judgement.verdict != "unknown":
        return judgement.verdict == "allow"
    unknown = [reason for one in judgement.statements for reason in _unknown(one)]
    raise UnsupportedPolicyError(
        f"The sandbox cannot tell whether the policy allows {judgement.action}: "
        f"{'; '.join(unknown)}."
    )


def _unknown(judged: Judged) -> Iterator[str]:
    """Yield what is not known of a statement that may decide."""
    if judged.truth is not None:
        return
    name = judged.statement.name
    if judged.principal is None:
        yield f'{name} has the principal "*"'
    if judged.resource is None:
        yield f"{name} has a variable in its resources"
    for condition, truth in judged.conditions:
        if truth is None:
            yield f"{name} asks for {condition.key} under {condition.operator}"
