"""P11 for the other providers of a statement: each of them must have conditions of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._explain.principals import provider_of
from irsa_creds.diagnosis._explain.provider_names import is_other_issuer
from irsa_creds.diagnosis._policy.evaluate import judge
from irsa_creds.diagnosis._policy.issuer_claims import BUILT_IN, condition_claims
from irsa_creds.diagnosis._policy.request import Request
from irsa_creds.diagnosis._policy.templates import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._explain.finding import Case, Found

__all__ = ["other_provider_findings"]

_STRANGER = "0nobody0"  # no subject, repository or project has this name


def other_provider_findings(case: Case) -> Iterator[Found]:
    """Yield the other providers of a statement that any of their tokens satisfies."""
    for _, name in dict.fromkeys(case.statement.principals):
        provider = provider_of(name) or (name if name in BUILT_IN else "")
        # One that is misspelled is meant for this token's issuer.
        if is_other_issuer(provider, case.request.provider) and _lets_in(case, provider):
            issuer = quoted(f"https://{provider}")
            message = (
                f"also trusts {quoted(name)}, and no condition restricts its tokens, so any token "
                f"of {issuer} can get this role."
            )
            fix = "Write one statement for each provider, with StringEquals on its sub and aud."
            yield case.found("P11", "warning", message, fix)


def _lets_in(case: Case, provider: str) -> bool:
    """Return whether a statement allows a token of a provider that no policy can mean."""
    claims: dict[str, Any] = dict.fromkeys(condition_claims(provider), _STRANGER)
    key = f"{provider}:aud".lower()
    audiences = [c.values for c in case.statement.conditions if c.key.lower() == key]
    claims["aud"] = audiences[0][0] if audiences and audiences[0] else AUDIENCE
    stranger = Request(f"https://{provider}", claims, case.request.role_arn)
    judgement = judge(case.policy, stranger)
    return judgement.verdict == "allow" and judgement.statements[case.index].truth is True
