"""What a test in a pod has: the pod, the sandbox around it, and tokens of its cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irsa_creds.testing._faults import Faults
    from irsa_creds.testing._pod import Pod
    from irsa_creds.testing._sandbox import Sandbox

__all__ = ["Irsa"]


@dataclass(frozen=True, slots=True)
class Irsa:
    """A test in a pod with IRSA: what `irsa` and `in_a_pod` give.

    Attributes:
        sandbox: the verifying STS, IAM and S3, what they saw, and what goes wrong.
        pod: the pod whose variables the process has.
    """

    sandbox: Sandbox
    pod: Pod

    @property
    def environ(self) -> dict[str, str]:
        """The variables that webhook and kubelet give to the pod; the process has them."""
        return self.pod.environ

    @property
    def faults(self) -> Faults:
        """What goes wrong with STS, on command."""
        return self.sandbox.faults

    def client(self, service: str) -> Any:
        """Return an administrator's boto3 client, to prepare and to look at the results.

        Args:
            service: "iam", "s3" or "sts".
        """
        return self.sandbox.client(service)

    def token(
        self,
        sub: str | None = None,
        aud: str | list[str] | None = None,
        exp: float | datetime | None = None,
        **claims: Any,
    ) -> str:
        """Return a token that the cluster's issuer has signed, without projecting it.

        Args:
            sub: None is the pod's service account.
            aud: None is the pod's audience.
            exp: seconds since the epoch, or an aware datetime; None is a day from now.
            **claims: to set over all the others.
        """
        if sub is not None:
            claims["sub"] = sub
        if exp is not None:
            claims["exp"] = int(exp.timestamp() if isinstance(exp, datetime) else exp)
        return self.pod.token(audience=self.pod.audience if aud is None else aud, **claims)
