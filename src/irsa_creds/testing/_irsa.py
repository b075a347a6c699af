"""The object that the fixture `irsa` and `in_a_pod` return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

    from irsa_creds.testing._faults import Faults
    from irsa_creds.testing._pod import Pod
    from irsa_creds.testing._sandbox import Sandbox

__all__ = ["Irsa"]


@dataclass(frozen=True, slots=True)
class Irsa:
    """A pod with IRSA and its sandbox, as `irsa` and `in_a_pod` return them.

    Attributes:
        sandbox: the verifying STS, IAM and S3, their recorded calls and faults.
        pod: the pod that the process's variables describe.
    """

    sandbox: Sandbox
    pod: Pod

    @property
    def environ(self) -> dict[str, str]:
        """The pod's variables; the process has them."""
        return self.pod.environ

    @property
    def faults(self) -> Faults:
        """Faults to inject into STS."""
        return self.sandbox.faults

    @overload
    def client(self, service: Literal["iam"]) -> IAMClient: ...

    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...

    @overload
    def client(self, service: Literal["sts"]) -> STSClient: ...

    def client(self, service: Literal["iam", "s3", "sts"]) -> Any:
        """Return an administrator's boto3 client, for setup and for checks.

        Its type has methods if the stubs of boto3 are installed: `boto3-stubs[iam,s3,sts]`.

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
        """Return a token signed by the cluster's issuer, without projecting it.

        Args:
            sub: None takes the pod's service account.
            aud: None takes the pod's audience.
            exp: seconds since the epoch, or an aware datetime; None is a day from now.
            **claims: further claims; they replace claims of the same name.
        """
        if sub is not None:
            claims["sub"] = sub
        if exp is not None:
            claims["exp"] = int(exp.timestamp() if isinstance(exp, datetime) else exp)
        return self.pod.token(audience=self.pod.audience if aud is None else aud, **claims)
