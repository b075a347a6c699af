"""What the pytest plugin's fixtures are made of; loaded by the first test that asks for one."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3

import irsa_creds
from irsa_creds.testing._environ import environ_of
from irsa_creds.testing._issuer import Issuer
from irsa_creds.testing._sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from irsa_creds.testing._faults import Faults
    from irsa_creds.testing._pod import Pod

__all__ = ["Irsa", "issuer", "pod_environment"]


@dataclass(frozen=True, slots=True)
class Irsa:
    """A test in a pod with IRSA: what the fixture `irsa` gives.

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


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Serve one issuer to all tests of a process: making its key takes longer than the rest."""
    with Issuer().serve() as served:
        yield served


@contextmanager
def pod_environment(
    patch: pytest.MonkeyPatch, issuer: Issuer, arguments: Mapping[str, Any]
) -> Iterator[Irsa]:
    """Let the process be a pod's, and leave neither provider nor session of it behind.

    Args:
        patch: undoes the variables afterwards.
        issuer: of the pod's tokens.
        arguments: of `Sandbox.deploy`.
    """
    issuer.reachable = True
    with Sandbox(issuer=issuer) as sandbox:
        pod = sandbox.deploy(**arguments)
        for name, value in environ_of(pod, os.environ).items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        # It holds credentials, and clients made of it the address of another sandbox.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        installed = _is_installed()
        irsa_creds.reset()
        try:
            yield Irsa(sandbox, pod)
        finally:
            if not installed:
                irsa_creds.uninstall()
            irsa_creds.reset()


def _is_installed() -> bool:
    """Whether an import of the application has called `install()`, which it does once only."""
    module = sys.modules.get("irsa_creds._install")
    return module is not None and module._INSTALLATION._everywhere  # noqa: SLF001 - of this library
