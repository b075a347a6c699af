"""P11 for the other providers of a statement: each of them must have conditions of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds._masking import quoted
from irsa_creds.diagnosis._explain.broad_access import names_identity
from irsa_creds.diagnosis._explain.finding import Case, operator_of, requires_value, split_key
from irsa_creds.diagnosis._explain.principals import provider_of
from irsa_creds.diagnosis._explain.provider_names import is_other_issuer
from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN, condition_claims
from irsa_creds.diagnosis._policy.request import AccessRequest
from irsa_creds.diagnosis._policy.templates import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._explain.finding import Found

__all__ = ["other_provider_findings"]

_STRANGER = "0nobody0"  # no subject, repository or project has this name


def other_provider_findings(case: Case) -> Iterator[Found]:
    """Yield the other providers of a statement whose tokens it does not restrict."""
    for _, name in dict.fromkeys(case.statement.principals):
        provider = provider_of(name) or (name if name in BUILT_IN else "")
        # One that is misspelled is meant for this token's issuer.
        if is_other_issuer(provider, case.request.provider) and _lets_in(case, provider):
            issuer = quoted(f"https://{provider}")
            message = (
                f"trusts {quoted(name)}, and no condition restricts its tokens to particular "
                f"identities, so any token of {issuer} can get this role."
            )
            fix = "Write one statement for each provider, with StringEquals on its sub and aud."
            yield case.found("P11", "warning", message, fix)


def _lets_in(case: Case, provider: str) -> bool:
    """Return whether a statement allows tokens of a provider without naming an identity."""
    stranger = _stranger(case, provider)
    judgement = judge(case.policy, stranger)
    other = Case(case.policy, stranger, judgement, judgement.statements[case.index])
    if judgement.verdict == "deny" or other.judged.truth is False:
        return False
    return not any(names_identity(other, condition) for condition, _ in other.conditions())


def _stranger(case: Case, provider: str) -> AccessRequest:
    """Return the request with a token that matches what a statement requires of a provider."""
    claims: dict[str, Any] = dict.fromkeys(condition_claims(provider), _STRANGER)
    claims["aud"] = AUDIENCE
    for condition in case.statement.conditions:
        prefix, claim = split_key(condition.key.lower())
        if (
            prefix == provider.lower()
            and condition.values
            and requires_value(operator_of(condition))
        ):
            # A pattern matches itself.
            claims[claim] = condition.values[0]
    return AccessRequest(f"https://{provider}", claims, case.request.role_arn)
