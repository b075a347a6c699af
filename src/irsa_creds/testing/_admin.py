"""The administrator's steps of IRSA, as ordinary boto3 calls."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3.session
import botocore.session
from botocore.config import Config

from irsa_creds.diagnosis._policy.pod_identity import POD_IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds.testing._identity import SigningIdentity

__all__ = ["POD_IDENTITY_POLICY", "Administrator"]

# IAM requires a SHA-1 of the issuer's certificate. AWS ignores it, and so does the sandbox.
_THUMBPRINT = "0" * 40
#: The trust policy of the EKS User Guide for EKS Pod Identity.
POD_IDENTITY_POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": POD_IDENTITY},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ],
}


class Administrator:
    """Creates OIDC providers, buckets and policies; its clients ignore environment variables.

    Args:
        region: the clients' region.
    """

    endpoint_url: str

    def __init__(self, region: str) -> None:
        self._region = region
        self._clients: dict[tuple[str, str], Any] = {}
        self._session, core = _sessions()
        self.partition: str = core.get_partition_for_region(region)

    def client(self, service: str, identity: SigningIdentity) -> Any:
        """Return the boto3 client for a service and an account."""
        key = service, identity.account_id
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service,
                region_name=self._region,
                endpoint_url=self.endpoint_url,
                aws_access_key_id=identity.access_key_id,
                aws_secret_access_key=identity.secret_access_key,
                # An empty mapping, unlike None, disables HTTP_PROXY.
                config=Config(proxies={}, max_pool_connections=50),
            )
        return self._clients[key]

    def close(self) -> None:
        """Close the clients' connections."""
        for client in self._clients.values():
            client.close()

    def ensure_provider(self, iam: Any, url: str, audience: str) -> str:
        """Return the ARN of the issuer's OIDC provider; create it or add the audience if needed."""
        host_and_path = url.rpartition("://")[2]
        audiences = [audience]
        for entry in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            arn: str = entry["Arn"]
            if arn.partition(":oidc-provider/")[2] == host_and_path:
                known = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
                if audience in known["ClientIDList"]:
                    return arn
                # moto has no AddClientIDToOpenIDConnectProvider.
                iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
                audiences = [*known["ClientIDList"], audience]
        made = iam.create_open_id_connect_provider(
            Url=url, ClientIDList=audiences, ThumbprintList=[_THUMBPRINT]
        )
        return str(made["OpenIDConnectProviderArn"])

    def ensure_bucket(self, s3: Any, bucket: str) -> None:
        """Create a bucket unless this account owns it."""
        owned = {entry["Name"] for entry in s3.list_buckets()["Buckets"]}
        if bucket in owned:
            return
        if self._region == "us-east-1":  # S3 rejects a location for its oldest region
            s3.create_bucket(Bucket=bucket)
        else:
            s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self._region}
            )

    def trust_policy(self, provider_arn: str, audience: str, subject: str) -> dict[str, Any]:
        """Return the trust policy of the EKS User Guide."""
        issuer = provider_arn.split(":oidc-provider/", 1)[-1]
        return _policy(
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider_arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{issuer}:aud": audience, f"{issuer}:sub": subject}
                },
            }
        )

    def bucket_policy(self, bucket: str) -> dict[str, Any]:
        """Return a permission policy for one bucket."""
        arn = f"arn:{self.partition}:s3:::{bucket}"
        return _policy(
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn},
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": f"{arn}/*",
            },
        )


@cache
def _sessions() -> tuple[boto3.session.Session, botocore.session.Session]:
    """Return the sessions that all sandboxes share: reading the service models is slow."""
    unset = (None, None, None, None)
    names = (
        "profile", "config_file", "credentials_file", "ca_bundle", "use_fips_endpoint",
        "use_dualstack_endpoint", "max_attempts",
    )  # fmt: skip
    fixed: dict[str, Any] = {
        **dict.fromkeys(names, unset),
        "defaults_mode": (None, None, "legacy", None),
        "retry_mode": (None, None, "standard", None),
    }
    core = botocore.session.Session(session_vars=fixed)
    return boto3.session.Session(botocore_session=core), core


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
