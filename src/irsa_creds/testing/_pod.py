"""What the pod identity webhook and kubelet give to one pod."""

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
    """One pod with a service account that is annotated with a role.

    Attributes:
        namespace: of the service account.
        service_account: its name.
        role_arn: of its annotation.
        provider_arn: of the IAM OIDC provider that its role trusts.
        bucket: what its role may read and write; None for nothing.
        audience: of its tokens.
        issuer: of its tokens.
        volume: where its token is projected.
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
        """Path of the projected token."""
        return self.volume.token_file

    def token(self, **arguments: Any) -> str:
        """Return a new token for this pod, without projecting it.

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
        """Project a new token by kubelet's swap of `..data`, and return it.

        Args:
            **arguments: as in `Issuer.token`, such as `lifetime` in seconds.
        """
        token = self.token(**arguments)
        self.volume.write(token)
        return token
