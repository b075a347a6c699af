"""The EKS Pod Identity Agent and EKS Auth: a token in, credentials of the association's role out.

Source: the EKS Pod Identity Agent 0.1.37, pkg/handlers, pkg/errors and internal/credsretriever.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from irsa_creds.diagnosis._policy.pod_identity import POD_IDENTITY, PodIdentityRequest
from irsa_creds.testing._policy import trusts
from irsa_creds.testing._responses import AwsError
from irsa_creds.testing._server import Reply
from irsa_creds.testing._webidentity import check_times, issuer_and_key, verified_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds.testing._issuer import Issuer
    from irsa_creds.testing._moto import Moto
    from irsa_creds.testing._sts import Session, Sts

__all__ = ["ACTION", "Agent", "agent_error", "agent_result"]

#: The action of EKS Auth.
ACTION = "AssumeRoleForPodIdentity"
# Seconds: how long the credentials last, and how many must be left of cached ones.
_LIFETIME = 6 * 3600
_LEAST_LEFT = 15.0
_STATUSES = {"ResourceNotFoundException": 404, "ThrottlingException": 429, "Throttling": 429}


@dataclass(kw_only=True, eq=False, repr=False)
class Agent:
    """The agent of a node, which caches credentials for each token, as the real one.

    Attributes:
        associations: the role of each service account, by namespace and name.
        cluster_arn: of the cluster.
    """

    sts: Sts
    moto: Moto
    issuers: Mapping[str, Issuer]
    clock: Callable[[], float]
    cluster_arn: str
    associations: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _cache: dict[str, Session] = field(default_factory=dict, init=False)

    def forget(self) -> None:
        """Drop the cached credentials, as a restart of the agent does."""
        with self._lock:
            self._cache.clear()

    def session_for(self, token: str) -> Session:
        """Return the credentials for a token: cached ones while they last.

        Raises:
            AwsError: EKS Auth would return this error.
            UnsupportedPolicyError: the sandbox cannot decide on the trust policy.
        """
        request = self._verified(token)
        key = hashlib.sha256(token.encode()).hexdigest()
        with self._lock:
            cached = self._cache.get(key)
            if cached is None or not self._lasts(cached):
                cached = self._cache[key] = self._assume_role(request)
            return cached

    def _lasts(self, session: Session) -> bool:
        least = min(_LEAST_LEFT, session.lifetime / 4)
        return session.expires_at - self.clock() > least

    def _verified(self, token: str) -> PodIdentityRequest:
        if not token:
            # The agent's own check, without a code.
            raise AwsError("", "Service account token cannot be empty")
        try:
            issuer, kid = issuer_and_key(token)
            claims = verified_claims(token, kid, self.issuers.get(issuer))
            check_times(claims, self.clock())
        except AwsError as error:
            if error.code == "ExpiredTokenException":
                raise AwsError(
                    "",
                    "Service account token failed basic claim validations: token has invalid "
                    "claims: token is expired",
                ) from None
            raise AwsError("InvalidTokenException", error.message) from None
        if POD_IDENTITY not in claims.get("aud", ()):
            raise AwsError("InvalidTokenException", "Token audience is invalid")
        *_, namespace, account = str(claims.get("sub")).split(":")
        return PodIdentityRequest(namespace, account, self.cluster_arn)

    def _assume_role(self, request: PodIdentityRequest) -> Session:
        role_arn = self.associations.get((request.namespace, request.account))
        if role_arn is None:
            raise AwsError(
                "ResourceNotFoundException",
                "No PodIdentityAssociation found for service account "
                f"{request.namespace}/{request.account}",
            )
        role = self.moto.role(role_arn)
        if role is None or not trusts(role.assume_role_policy_document, request):
            raise AwsError(
                "AccessDeniedException",
                "Unauthorized Exception! EKS does not have permissions to assume the associated "
                "role.",
            )
        return self.sts.open_session(
            role, f"eks-sandbox-{request.account}-{uuid.uuid4()}", _LIFETIME
        )


def agent_result(session: Session, *, clock_skew: float) -> Reply:
    """Return credentials as the agent writes them."""
    content = {
        "AccessKeyId": session.identity.access_key_id,
        "SecretAccessKey": session.identity.secret_access_key,
        "Token": session.identity.session_token,
        "AccountId": session.identity.account_id,
        "Expiration": session.expiration(clock_skew),
    }
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(content).encode())


def agent_error(error: AwsError) -> Reply:
    """Return an error as the agent words it: its own, or one of EKS Auth."""
    text = error.message
    if error.code:
        text = f"[{uuid.uuid4()}]: ({error.code}): {error.message}, fault: client"
    status = _STATUSES.get(error.code, error.status)
    headers: dict[str, Any] = {"Content-Type": "text/plain; charset=utf-8", **error.headers}
    return Reply(status, headers, f"{text}\n".encode())
