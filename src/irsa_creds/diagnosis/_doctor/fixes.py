"""Lines to paste that mend what several checks find: kubectl in a pod, shell elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._claims import Subject, subject_of
from irsa_creds.diagnosis._fixes import ROLE_EXAMPLE

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["annotate", "name_role", "restart", "service_account"]

_ROLE = r"(?a:arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)"


def service_account(facts: Facts) -> Subject:
    """Return the pod's service account; in capitals what is not known."""
    found = subject_of(facts.claims) or facts.account
    return found or Subject("NAMESPACE", "SERVICE_ACCOUNT")


def annotate(facts: Facts, *annotations: str) -> str:
    """Return how to annotate the service account, and the restart that makes it count.

    Args:
        facts: what names the service account.
        annotations: as `kubectl annotate` takes them; none: the role's.
    """
    namespace, name = service_account(facts)
    role = f"eks.amazonaws.com/role-arn={_role(facts)}"
    given = " ".join(annotations or (role,))
    return (
        f"kubectl annotate --overwrite serviceaccount {name} --namespace {namespace} \\\n"
        f"  {given}\n"
        f"{restart(facts)}"
    )


def restart(facts: Facts) -> str:
    """Return how to make the pods anew: the webhook changes only those that are being made."""
    return f"kubectl rollout restart deployment NAME --namespace {service_account(facts)[0]}"


def name_role(facts: Facts) -> str:
    """Return how to name the role, and the token where nothing names it."""
    if facts.in_pod or facts.of_kubernetes:
        return annotate(facts)
    role = f"export AWS_ROLE_ARN={_role(facts)}"
    if facts.token_source:
        return role
    return f"{role}\nexport AWS_WEB_IDENTITY_TOKEN_FILE=/path/of/the/token"


def _role(facts: Facts) -> str:
    """Return the role's ARN where it is one that can be pasted."""
    named = str(facts.role.value) if facts.role else ""
    return named if re.fullmatch(_ROLE, named) else ROLE_EXAMPLE
