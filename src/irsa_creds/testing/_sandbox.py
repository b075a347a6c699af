"""IRSA on one machine: issuer, STS, IAM and S3 on 127.0.0.1, and pods."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from irsa_creds.diagnosis._policy.pod_identity import POD_IDENTITY
from irsa_creds.testing._admin import POD_IDENTITY_POLICY, Administrator
from irsa_creds.testing._agent import Agent
from irsa_creds.testing._faults import Faults, InjectedFaults
from irsa_creds.testing._identity import Identities
from irsa_creds.testing._issuer import Issuer
from irsa_creds.testing._log import CallLog
from irsa_creds.testing._moto import Moto
from irsa_creds.testing._pod import Pod
from irsa_creds.testing._server import LoopbackServer
from irsa_creds.testing._services import AGENT_PATH, Services
from irsa_creds.testing._sts import Sts
from irsa_creds.testing._volume import ProjectedVolume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

    from irsa_creds.testing._log import S3Call, StsCall

__all__ = ["Sandbox"]

# moto has one state per process, so one sandbox can be open at a time.
_OPEN = threading.Lock()


class Sandbox:
    """A verifying STS, an OIDC issuer, IAM and S3 on the loopback, inside a `with` block.

    Everything is served over HTTP, so other processes can use it. IAM and S3 are moto's.

    Args:
        region: the region of pods and administrators.
        account_id: the default account, twelve digits.
        issuer: the cluster's OIDC issuer; None creates one with a loopback URL.
        clock: seconds since the epoch, for the times of tokens and credentials.

    Attributes:
        faults: faults to inject into STS.
        endpoint_url: one URL for STS, IAM and S3.
        sts_url: a URL for STS alone; the outage "refuse" closes its port.
        agent_url: the URL of the Pod Identity agent; "refuse" closes its port, too.
    """

    endpoint_url: str
    sts_url: str
    agent_url: str

    _sts_server: LoopbackServer | None = None
    _agent_server: LoopbackServer | None = None

    def __init__(
        self,
        *,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        issuer: Issuer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self.issuer: Issuer = issuer or Issuer(clock=clock)
        faults = InjectedFaults(self._refuse)
        self.faults: Faults = faults
        self._admin = Administrator(region)
        self._issuers: dict[str, Issuer] = {}
        self._log = CallLog()
        self._closing = threading.Event()
        self._exit = ExitStack()
        self._moto = Moto()
        self._identities = Identities(clock, self._admin.partition)
        self._sts = Sts(
            moto=self._moto,
            identities=self._identities,
            issuers=self._issuers,
            faults=self.faults,
            clock=clock,
        )
        self._agent = Agent(
            sts=self._sts,
            moto=self._moto,
            issuers=self._issuers,
            clock=clock,
            cluster_arn=f"arn:{self._admin.partition}:eks:{region}:{account_id}:cluster/sandbox",
        )
        self._services = Services(
            sts=self._sts,
            agent=self._agent,
            moto=self._moto,
            identities=self._identities,
            faults=faults,
            log=self._log,
            clock=clock,
            closing=self._closing,
        )

    def __repr__(self) -> str:
        return f"<Sandbox {self.endpoint_url if self._sts_server else '(closed)'}>"

    def __enter__(self) -> Self:
        if not _OPEN.acquire(blocking=False):
            raise RuntimeError(
                "Another Sandbox is open in this process, perhaps opened by `irsa` or `in_a_pod`. "
                "moto has one state per process: use the open Sandbox."
            )
        with ExitStack() as stack:
            stack.callback(_OPEN.release)
            self._moto.begin()
            stack.callback(self._moto.reset)
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            common = stack.enter_context(LoopbackServer(self._services.common))
            self._sts_server = stack.enter_context(LoopbackServer(self._services.sts))
            self._agent_server = stack.enter_context(LoopbackServer(self._services.agent))
            self.endpoint_url, self.sts_url = common.url, self._sts_server.url
            self.agent_url = f"{self._agent_server.url}{AGENT_PATH}"
            self._admin.endpoint_url = self.endpoint_url
            if self.faults.outage == "refuse":
                self._refuse(True)
            stack.callback(self._admin.close)
            # Callbacks run last to first: requests that still wait for a slow response end first.
            stack.callback(self._closing.set)
            stack.callback(self.faults.clear)
            self._exit = stack.pop_all()
        self.add_issuer(self.issuer)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()
        self._sts_server = self._agent_server = None

    @property
    def lifetime(self) -> float | None:
        """The lifetime of new credentials in seconds; None means as requested."""
        return self._sts.lifetime

    @lifetime.setter
    def lifetime(self, seconds: float | None) -> None:
        self._sts.lifetime = seconds

    @property
    def sts_calls(self) -> list[StsCall]:
        """All requests to STS and the agent since the start or `reset_calls`, oldest first."""
        return self._log.sts_calls()

    @property
    def s3_identities(self) -> list[S3Call]:
        """The last 10,000 requests to S3, each with its caller."""
        return self._log.s3_calls()

    def reset_calls(self) -> None:
        """Empty `sts_calls` and `s3_identities`."""
        self._log.reset()

    def expire_credentials(self) -> None:
        """Expire all credentials now, before their own expiration."""
        self._identities.expire_all()
        self._agent.forget()

    def add_issuer(self, issuer: Issuer) -> Issuer:
        """Serve another issuer until the sandbox ends, and give STS its keys.

        Args:
            issuer: that of another cluster or of a CI system.
        """
        self._exit.enter_context(issuer.serve())
        self._issuers[issuer.url] = issuer
        return issuer

    @overload
    def client(self, service: Literal["iam"], *, account_id: str | None = None) -> IAMClient: ...

    @overload
    def client(self, service: Literal["s3"], *, account_id: str | None = None) -> S3Client: ...

    @overload
    def client(self, service: Literal["sts"], *, account_id: str | None = None) -> STSClient: ...

    def client(self, service: Literal["iam", "s3", "sts"], *, account_id: str | None = None) -> Any:
        """Return a boto3 client with an administrator's static keys.

        Its type has methods if the stubs of boto3 are installed: `boto3-stubs[iam,s3,sts]`.

        Args:
            service: "iam", "s3" or "sts".
            account_id: None takes the default account.
        """
        return self._admin.client(service, self._identities.admin(account_id or self.account_id))

    def deploy(
        self,
        namespace: str = "default",
        service_account: str = "app",
        role: str = "app-role",
        bucket: str | None = "data",
        *,
        account_id: str | None = None,
        issuer: Issuer | None = None,
        audience: str = "sts.amazonaws.com",
        token_lifetime: float = 86_400,
        max_session_duration: int = 3600,
        trust_policy: Mapping[str, Any] | None = None,
        permissions: Mapping[str, Any] | None = None,
        pod_identity: bool = False,
    ) -> Pod:
        """Set up IRSA for one service account as its users do, and create a pod.

        Source of the steps: "IAM roles for service accounts" and "EKS Pod Identity", Amazon EKS
        User Guide.

        Args:
            namespace: of the service account.
            service_account: its name.
            role: name of the new role.
            bucket: created if missing; None for a role without permissions.
            account_id: the role's account; None takes the default account.
            issuer: of the pod's token; None takes the sandbox's.
            audience: of the pod's token and of the trust policy.
            token_lifetime: seconds.
            max_session_duration: of the role, in seconds.
            trust_policy: replaces the policy with `StringEquals` on `aud` and `sub`, or the one
                for EKS Pod Identity.
            permissions: replaces the policy for the bucket.
            pod_identity: set up EKS Pod Identity in place of IRSA: an association of the service
                account, and a token for the agent at `agent_url`.
        """
        issuer = issuer or self.issuer
        iam = self.client("iam", account_id=account_id)
        if pod_identity:
            audience, provider_arn, usual = POD_IDENTITY, "", POD_IDENTITY_POLICY
        else:
            provider_arn = self._admin.ensure_provider(iam, issuer.url, audience)
            subject = f"system:serviceaccount:{namespace}:{service_account}"
            usual = self._admin.trust_policy(provider_arn, audience, subject)
        role_arn = iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=json.dumps(trust_policy or usual),
            MaxSessionDuration=max_session_duration,
        )["Role"]["Arn"]
        if bucket is not None:
            self._admin.ensure_bucket(self.client("s3", account_id=account_id), bucket)
            permissions = permissions or self._admin.bucket_policy(bucket)
        if permissions is not None:
            iam.put_role_policy(
                RoleName=role, PolicyName="permissions", PolicyDocument=json.dumps(permissions)
            )
        pod = Pod(
            namespace=namespace,
            service_account=service_account,
            role_arn=role_arn,
            provider_arn=provider_arn,
            bucket=bucket,
            audience=audience,
            issuer=issuer,
            volume=ProjectedVolume(tempfile.mkdtemp(prefix="pod-", dir=self._directory)),
            environ={},
        )
        if pod_identity:
            self.associate(namespace, service_account, role_arn)
        pod.environ.update(self._environ(pod, pod_identity=pod_identity))
        pod.rotate_token(lifetime=token_lifetime)
        return pod

    def associate(self, namespace: str, service_account: str, role_arn: str | None) -> None:
        """Set the role of a service account's Pod Identity association; None removes it.

        The agent has forgotten all credentials afterwards.
        """
        account = namespace, service_account
        self._agent.associations.pop(account, None)
        if role_arn is not None:
            self._agent.associations[account] = role_arn
        self._agent.forget()

    def _environ(self, pod: Pod, *, pod_identity: bool) -> dict[str, str]:
        token_file = str(pod.token_file)
        if pod_identity:
            identity = {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.agent_url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file,
            }
        else:
            identity = {"AWS_ROLE_ARN": pod.role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": token_file}
        return {
            # EKS injects these, by one of two webhooks.
            **identity,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            # These keep the program inside the sandbox.
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_STS": self.sts_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _refuse(self, on: bool) -> None:  # noqa: FBT001 - a callback's only argument
        for server in filter(None, (self._sts_server, self._agent_server)):
            if on:
                server.refuse()
            else:
                server.listen()
