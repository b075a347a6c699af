"""P13 to P15, and P12: whether a trust policy allows EKS Pod Identity to assume the role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds._identity.claims import POD_IDENTITY
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._claims import subject_of
from irsa_creds.diagnosis._explain.finding import Finding, quoted_list
from irsa_creds.diagnosis._policy.evaluate import covers_action
from irsa_creds.diagnosis._policy.logic import Unknown
from irsa_creds.diagnosis._policy.pod_identity import PodIdentityRequest
from irsa_creds.diagnosis._policy.request import from_token
from irsa_creds.diagnosis._policy.templates import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.diagnosis._policy.evaluate import Judged, Judgement

__all__ = ["CAUSES", "pod_identity_findings", "pod_identity_request"]

#: The cause of a denial by the finding's id.
CAUSES = {
    "P13": "EKS Pod Identity is not trusted",
    "P14": "an action of EKS Pod Identity is not allowed",
    "P15": "a condition does not match",
}
_STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": POD_IDENTITY},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}


def pod_identity_request(token: str | None, service_account: str | None) -> PodIdentityRequest:
    """Return the request for a service account.

    Args:
        token: of the service account, for any audience.
        service_account: "NAMESPACE/NAME".

    Raises:
        TokenError: the token is not a JWT, or has no issuer.
        ConfigError: neither or both are given, or the token is of no service account.
    """
    if (token is None) == (service_account is None):
        raise ConfigError("Give either a token or a service account.")
    if service_account is not None:
        return PodIdentityRequest(*names_of(service_account))
    subject = subject_of(from_token(token or "").claims)
    if subject is None:
        raise ConfigError("The token is not a service account's; give the service account.")
    return PodIdentityRequest(subject.namespace, subject.name)


def pod_identity_findings(judgement: Judgement, request: PodIdentityRequest) -> tuple[Finding, ...]:
    """Return all findings, the worst first."""
    denies = tuple(
        Finding("P15", "error", _number(judged), f"{_name(judged)} denies it.")
        for judged in judgement.statements
        if judged.statement.effect == "Deny" and judged.truth
    )
    nearest = judgement.nearest
    if judgement.verdict == "allow" or denies:
        return denies
    if nearest is None or nearest.principal is False:
        return (_not_trusted(nearest),)
    return tuple(sorted(_of_nearest(nearest, request), key=lambda each: each.severity))


def _name(judged: Judged) -> str:
    return f"S{judged.statement.name[1:]}"


def _number(judged: Judged) -> int:
    return judged.statement.index + 1


def _not_trusted(nearest: Judged | None) -> Finding:
    named = tuple(sorted({name for _, name in nearest.statement.principals})) if nearest else ()
    trusts = f"it trusts {quoted_list(named)}" if named else "it allows nothing"
    return Finding(
        "P13",
        "error",
        None,
        f"No statement allows the service {POD_IDENTITY}: {trusts}. IRSA and EKS Pod Identity need "
        "a statement each, and both may stand in one policy.",
        f"Add this statement:\n{json.dumps(_STATEMENT, indent=2)}",
    )


def _of_nearest(nearest: Judged, request: PodIdentityRequest) -> Iterator[Finding]:
    name, number = _name(nearest), _number(nearest)
    missing = [each for each in request.actions if not covers_action(nearest.statement, each)]
    if missing:
        yield Finding(
            "P14",
            "error",
            number,
            f"{name} does not allow {' and '.join(missing)}. EKS Pod Identity assumes the role "
            "with session tags, which need both actions.",
            f'"Action": {json.dumps(request.actions)}',
        )
    for condition, truth in nearest.conditions:
        if truth:
            continue
        values = request.values(condition.key)
        if truth is None or isinstance(values, Unknown):
            yield Finding(
                "P12", "warning", number, f"{name} tests {condition.key}, which only AWS knows."
            )
            continue
        has = f"is {quoted_list(values)}" if values else "does not exist for EKS Pod Identity"
        yield Finding(
            "P15",
            "error",
            number,
            f"{name} requires {condition.operator} {quoted_list(condition.values)} of "
            f"{condition.key}, which {has}.",
            ""
            if values
            else f"# remove {quoted(condition.key)}, or put it into a statement for IRSA",
        )
