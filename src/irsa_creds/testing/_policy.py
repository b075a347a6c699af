"""Policy decisions by the evaluator of `irsa-creds explain`; an error if it cannot decide."""

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
    from irsa_creds.diagnosis._policy.pod_identity import PodIdentityRequest
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["SignedRequest", "UnsupportedPolicyError", "allows", "trusts", "trusts_caller"]


class UnsupportedPolicyError(NotImplementedError):
    """A policy uses something that the sandbox cannot evaluate."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A signed request, as a policy sees it.

    Attributes:
        action: such as "s3:GetObject".
        resource: an ARN; None for a trust policy, which names no resource.
        principals: the AWS principals that match the caller; empty for a permission policy, which
            names none.
        facts: values of the known condition keys, in lower case; None means absent.
    """

    action: str
    resource: str | None = None
    principals: frozenset[str] = frozenset()
    facts: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)

    def trusts(self, kind: str, name: str) -> Truth:
        """Return whether a principal matches the caller."""
        return None if name == "*" else kind == "AWS" and name in self.principals

    def resembles(self, kind: str, _: str) -> bool:
        """Return whether a principal is one of AWS."""
        return kind == "AWS"

    def values(self, key: str) -> Values:
        """Return the values of a condition key."""
        return self.facts.get(key.lower(), UNKNOWN)


def allows(documents: Iterable[str], request: SignedRequest) -> bool:
    """Return whether permission policies allow a request.

    Args:
        documents: policies as JSON.
        request: the signed request.

    Raises:
        UnsupportedPolicyError: the sandbox cannot decide.
    """
    policies = [_parsed(parse_permissions, document) for document in documents]
    return _decided(judge_action(policies, request, request.action, request.resource))


def trusts_caller(document: str, request: SignedRequest) -> bool:
    """Return whether a trust policy allows a signed request.

    Raises:
        UnsupportedPolicyError: the sandbox cannot decide.
    """
    policy = _parsed(parse_policy, document)
    return _decided(judge_action([policy], request, request.action))


def trusts(document: str, request: AccessRequest | PodIdentityRequest) -> bool:
    """Return whether a trust policy allows a request with a token, or EKS Pod Identity.

    Raises:
        UnsupportedPolicyError: the sandbox cannot decide.
    """
    return _decided(judge(_parsed(parse_policy, document), request))


@lru_cache(maxsize=256)
def _parsed(parse: Callable[[str], Policy], document: str) -> Policy:
    try:
        return parse(document)
    except PolicyError as error:
        reason = str(error)
    raise UnsupportedPolicyError(f"The sandbox cannot evaluate this policy. {reason}")


def _decided(judgement: Judgement) -> bool:
    if judgement.verdict != "unknown":
        return judgement.verdict == "allow"
    unknown = [reason for one in judgement.statements for reason in _unknown(one)]
    raise UnsupportedPolicyError(
        f"The sandbox cannot decide whether the policy allows {judgement.action}: "
        f"{'; '.join(unknown)}."
    )


def _unknown(judged: Judged) -> Iterator[str]:
    """Yield why the sandbox cannot decide a statement."""
    if judged.truth is not None:
        return
    name = judged.statement.name
    if judged.principal is None:
        yield f'{name} has the principal "*"'
    if judged.resource is None:
        yield f"{name} has a variable in its resources"
    for condition, truth in judged.conditions:
        if truth is None:
            yield f"{name} tests {condition.key} with {condition.operator}"
