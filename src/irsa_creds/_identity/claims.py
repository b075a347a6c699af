"""Claims of a token that is not verified: which may be shown, and their meaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from irsa_creds._masking import JWT, one_line, without_userinfo

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "OTHER_CLIENTS",
    "POD_IDENTITY",
    "SERVICE_ACCOUNT",
    "STS",
    "claims_fields",
    "clean_issuer",
    "is_for_api_server",
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
_LONGEST_CLAIM = 200
_END_OF_TIME = 253_402_300_799  # the last second of the year 9999


def claims_fields(claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the claims that a failure shows, sanitized, as fields of `Failure`.

    Args:
        claims: not verified: types, lengths and characters are arbitrary.
    """
    given = claims or {}
    exp: Any = given.get("exp")
    # Not `isinstance`: True is an int. The range excludes NaN and dates that no calendar has.
    sound = type(exp) in {int, float} and 0 <= exp <= _END_OF_TIME
    return {
        **{name: _claim(given.get(name)) for name in ("iss", "sub", "aud")},
        "exp": float(exp) if sound else None,
    }


def _claim(value: object) -> str | None:
    if isinstance(value, list):
        value = ", ".join(each for each in value if isinstance(each, str))
    if not isinstance(value, str):
        return None
    # Not `mask`: a valid subject or issuer may be as long as a secret.
    return one_line(re.sub(JWT, "***", without_userinfo(value)), _LONGEST_CLAIM) or None


def clean_issuer(iss: str | None) -> str | None:
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
