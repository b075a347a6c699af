"""Lines to paste that mend what several checks find: kubectl in a pod, shell elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._claims import Subject, subject_of

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.facts import Facts

__all__ = [
    "ROLE_EXAMPLE",
    "WEBHOOK_PATH",
    "annotate",
    "mount_token",
    "name_role",
    "or_mount",
    "restart",
    "service_account",
]

#: Where the pod identity webhook has the token mounted (its README).
WEBHOOK_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"

#: Where the role's ARN is not known.
ROLE_EXAMPLE = "arn:aws:iam::ACCOUNT:role/ROLE"
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


def mount_token(audience: str) -> str:
    """Return the volume that the webhook writes, for pods that are written by hand.

    The fields are those of Kubernetes' ServiceAccountTokenProjection.
    """
    return (
        "# the pod's spec\n"
        "volumes:\n"
        "- name: aws-iam-token\n"
        "  projected:\n"
        "    sources:\n"
        "    - serviceAccountToken:\n"
        f"        audience: {audience}\n"
        "        expirationSeconds: 86400\n"
        "        path: token\n"
        "# the container, as a whole directory: no subPath\n"
        "volumeMounts:\n"
        "- name: aws-iam-token\n"
        f"  mountPath: {WEBHOOK_PATH.removesuffix('/token')}\n"
        "  readOnly: true"
    )


def or_mount(audience: str) -> str:
    """Return the same behind other lines to paste, so that a shell does not take it for commands.

    Args:
        audience: of the token.
    """
    lines = mount_token(audience).replace("# ", "").splitlines()
    return "\n".join(["# or, where no webhook runs:", *(f"# {line}" for line in lines)])
