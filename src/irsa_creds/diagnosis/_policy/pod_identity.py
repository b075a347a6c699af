"""The request of EKS Pod Identity, and its values for condition keys.

Sources: Amazon EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity" and
"Enable or disable session tags".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from irsa_creds._identity.claims import POD_IDENTITY
from irsa_creds.diagnosis._policy.logic import UNKNOWN

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.logic import Truth, Values

__all__ = ["POD_IDENTITY", "PodIdentityRequest"]

# Tags with values that the service account does not tell.
_OTHER_TAGS = frozenset({"kubernetes-pod-name", "kubernetes-pod-uid"})


@dataclass(frozen=True, slots=True)
class PodIdentityRequest:
    """The call of AssumeRole, with session tags, that EKS makes for a pod.

    Attributes:
        namespace: of the pod's service account.
        account: the service account's name.
        cluster_arn: of the pod's cluster; None if not known.
    """

    namespace: str
    account: str
    cluster_arn: str | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """Return both required actions."""
        return ("sts:AssumeRole", "sts:TagSession")

    def trusts(self, kind: str, name: str) -> Truth:
        """Return whether a policy's principal is the service of Pod Identity."""
        return None if name == "*" else kind == "Service" and name == POD_IDENTITY

    def resembles(self, kind: str, _: str) -> bool:
        """Return whether a policy's principal is a service."""
        return kind == "Service"

    def values(self, key: str) -> Values:
        """Return the values of a condition key; None: absent; UNKNOWN: only AWS knows."""
        vendor, _, name = key.lower().partition(":")
        if vendor == "sts" and name in {"externalid", "sourceidentity"}:
            return None
        if vendor != "aws":
            # Keys of an issuer exist only in requests with a token.
            return UNKNOWN if vendor in {"sts", "eks"} else None
        if name == "sourcearn":
            return self._of_cluster(self.cluster_arn)
        if name == "sourceaccount":
            return self._of_cluster((self.cluster_arn or "::::").split(":")[4])
        prefix, slash, tag = name.partition("/")
        return self._tag(tag) if prefix == "requesttag" and slash else UNKNOWN

    def _tag(self, tag: str) -> Values:
        known = {
            "kubernetes-namespace": (self.namespace,),
            "kubernetes-service-account": (self.account,),
            "eks-cluster-arn": self._of_cluster(self.cluster_arn),
            "eks-cluster-name": self._of_cluster((self.cluster_arn or "").rpartition("/")[2]),
        }
        return known.get(tag, UNKNOWN if tag in _OTHER_TAGS else None)

    def _of_cluster(self, value: str | None) -> Values:
        return (value,) if self.cluster_arn and value else UNKNOWN
