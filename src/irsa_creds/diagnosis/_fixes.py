"""Kubernetes snippets and placeholders that the fixes of several packages share."""

from __future__ import annotations

from irsa_creds._identity.claims import STS

__all__ = ["MOUNT_TOKEN", "MOUNT_TOKEN_AS_COMMENT", "ROLE_EXAMPLE", "WEBHOOK_PATH"]

#: Where the Pod Identity webhook mounts the token (its README).
WEBHOOK_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"

#: Stands for a role ARN that is not known.
ROLE_EXAMPLE = "arn:aws:iam::ACCOUNT:role/ROLE"

#: The volume and mount that the webhook would add to a pod (Kubernetes API reference,
#: ServiceAccountTokenProjection).
MOUNT_TOKEN = f"""\
# the pod's spec
volumes:
- name: aws-iam-token
  projected:
    sources:
    - serviceAccountToken:
        audience: {STS}
        expirationSeconds: 86400
        path: token
# the container, as a whole directory: no subPath
volumeMounts:
- name: aws-iam-token
  mountPath: {WEBHOOK_PATH.removesuffix("/token")}
  readOnly: true"""

#: The same lines as shell comments, to print below commands that are pasted.
MOUNT_TOKEN_AS_COMMENT = "\n# ".join(
    ["# or, where no webhook runs:", *MOUNT_TOKEN.replace("# ", "").splitlines()]
)
