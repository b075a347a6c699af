"""A01 and A02: whether EKS Pod Identity is configured, and which identity is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_creds._flags import is_on
from irsa_creds._identity.claims import POD_IDENTITY
from irsa_creds._masking import claims_fields
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import audiences
from irsa_creds.diagnosis._doctor.fixes import restart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.diagnosis._doctor.container_facts import ContainerFacts
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["container_checks"]


def container_checks(facts: Facts) -> tuple[Check, ...]:
    """Return A01 and A02; none if no endpoint is configured."""
    if facts.container is None:
        return ()
    return (_identity(facts, facts.container), _token(facts, facts.container))


def _identity(facts: Facts, container: ContainerFacts) -> Check:
    if container.error:
        name = container.error.split()[0]
        return Check("A01", "fail", container.error, f"unset {name}")
    data = {"url": container.url}
    if facts.has_irsa:
        return Check(
            "A01",
            "ok",
            f"IRSA and {container.service} are both configured: IRSA takes precedence.",
            data=data,
        )
    if is_on(facts.variables.get("IRSA_CREDS_CONTAINER")) is False:
        return Check(
            "A01",
            "warn",
            "IRSA_CREDS_CONTAINER is off: botocore's own provider is used for "
            f"{container.service} instead of irsa-creds.",
            "unset IRSA_CREDS_CONTAINER",
            data,
        )
    return Check(
        "A01", "ok", f"Credentials come from {container.service}: {container.url}.", data=data
    )


def _token(facts: Facts, container: ContainerFacts) -> Check:
    why = _why_skipped(facts, container)
    if why:
        return Check("A02", "skipped", why)
    trouble = container.token_error or _trouble(container.claims, facts.now)
    if trouble:
        return Check("A02", "fail", trouble, restart(facts))
    return Check("A02", "ok", "The token for EKS Pod Identity is valid by its claims.")


def _why_skipped(facts: Facts, container: ContainerFacts) -> str:
    if container.error:
        return "The variables are not valid: see A01."
    if facts.has_irsa:
        return "IRSA takes precedence: see A01."
    return "" if container.is_pod_identity else "Only EKS Pod Identity has a token file."


def _trouble(claims: Mapping[str, Any] | None, now: float) -> str:
    """Return what is wrong with the token's claims, as a sentence; "" if they are valid."""
    if claims is None:
        return "The token for EKS Pod Identity is not a JWT: its file holds something else."
    exp = claims_fields(claims)["exp"]
    if exp is not None and now >= exp:
        return (
            f"The token for EKS Pod Identity expired {now - exp:,.0f} s ago: the kubelet does not "
            "renew it, or the file is mounted with subPath."
        )
    if POD_IDENTITY not in audiences(claims):
        return (
            f"The token's audience is {', '.join(audiences(claims)) or '(none)'}, not "
            f"{POD_IDENTITY}: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names another token."
        )
    return ""
