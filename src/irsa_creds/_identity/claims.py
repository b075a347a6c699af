"""What the claims of a token mean: its audience, issuer and service account."""

from __future__ import annotations

import re

__all__ = [
    "OTHER_CLIENTS",
    "POD_IDENTITY",
    "SERVICE_ACCOUNT",
    "STS",
    "is_for_api_server",
    "plain_issuer",
]

#: The audience that AWS's STS requires (EKS user guide, "IAM roles for service accounts").
STS = "sts.amazonaws.com"
#: EKS Pod Identity: its tokens' audience, and its service in policies (EKS user guide).
POD_IDENTITY = "pods.eks.amazonaws.com"
#: Other usual client IDs of IAM OIDC providers: kops (add-on of the Pod Identity webhook), ROSA.
OTHER_CLIENTS = frozenset({"amazonaws.com", "openshift"})
#: The subject of a service account's token (Kubernetes, "Service accounts"): namespace and name.
#: Neither needs quotes in a shell or can look like an option.
SERVICE_ACCOUNT = r"system:serviceaccount:([a-z0-9][a-z0-9-]{0,62}):([a-z0-9][a-z0-9.-]{0,252})"

# The API server's own audience: EKS and kubeadm, kops, k3s, RKE2.
_API_AUDIENCES = (
    r"https://kubernetes\.default(?:\.svc(?:\.[\w.-]+)?)?(?::\d+)?/?|kubernetes\.svc\.default"
    r"|k3s|rke2|kubernetes|api"
)
# One word for a shell; no program takes it for an option or for a user and a password.
_CLEAN_URL = r"(?ai:https?://(?:[a-z0-9][a-z0-9.-]*|\[[0-9a-f:]+\])(?::\d{1,5})?(?:/[\w.~/%+-]*)?)"
_LONGEST_URL = 255  # IAM's API reference, OpenIDConnectProviderUrlType


def plain_issuer(iss: str | None) -> str | None:
    """Return an issuer that may be part of a command; None if it is not a plain http(s) URL."""
    # `one_line` ends a URL that it cuts with three dots.
    if not iss or len(iss) > _LONGEST_URL or "..." in iss:
        return None
    return iss if re.fullmatch(_CLEAN_URL, iss) else None


def is_for_api_server(audience: str, issuer: str | None) -> bool:
    """Whether an audience is that of a cluster's own API server.

    Args:
        audience: one of a token.
        issuer: the token's issuer, which many API servers use as their audience.
    """
    if issuer is not None and audience.rstrip("/") == issuer.rstrip("/"):
        return True
    return re.fullmatch(_API_AUDIENCES, audience) is not None
