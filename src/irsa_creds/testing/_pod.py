"""A pod: what a webhook of EKS and the kubelet set up for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds.testing._issuer import Issuer
    from irsa_creds.testing._volume import ProjectedVolume

__all__ = ["Pod"]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with IRSA, or with EKS Pod Identity.

    Attributes:
        namespace: of the service account.
        service_account: its name.
        role_arn: the role in the service account's annotation, or in its association.
        provider_arn: of the IAM OIDC provider that its role trusts; "" with EKS Pod Identity.
        bucket: the bucket that its role may read and write, or None.
        audience: of its tokens.
        issuer: of its tokens.
        volume: the volume of its token.
        environ: the variables injected into its containers.
    """

    namespace: str
    service_account: str
    role_arn: str
    provider_arn: str
    bucket: str | None
    audience: str
    issuer: Issuer
    volume: ProjectedVolume
    environ: dict[str, str]

    @property
    def token_file(self) -> Path:
        """The path of the projected token."""
        return self.volume.token_file

    def token(self, **arguments: Any) -> str:
        """Return a new token for this pod without projecting it.

        Args:
            **arguments: as in `Issuer.token`.
        """
        return self.issuer.token(
            **{
                "namespace": self.namespace,
                "service_account": self.service_account,
                "audience": self.audience,
                **arguments,
            }
        )

    def rotate_token(self, **arguments: Any) -> str:
        """Project a new token as the kubelet does, and return it.

        Args:
            **arguments: as in `Issuer.token`, such as `lifetime` in seconds.
        """
        token = self.token(**arguments)
        self.volume.write(token)
        return token
