"""Kubernetes snippets and placeholders that the fixes of several packages share."""

from __future__ import annotations

__all__ = ["ROLE_EXAMPLE", "WEBHOOK_PATH", "mount_token", "mount_token_as_comment"]

#: Where the Pod Identity webhook mounts the token (its README).
WEBHOOK_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"

#: Stands for a role ARN that is not known.
ROLE_EXAMPLE = "arn:aws:iam::ACCOUNT:role/ROLE"


def mount_token(audience: str) -> str:
    """Return the volume and mount that the webhook would add to a pod.

    Source: Kubernetes API reference, ServiceAccountTokenProjection.
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


def mount_token_as_comment(audience: str) -> str:
    """Return the same lines as shell comments, to print below commands that are pasted."""
    lines = mount_token(audience).replace("# ", "").splitlines()
    return "\n".join(["# or, where no webhook runs:", *(f"# {line}" for line in lines)])
