"""A pod with IRSA as these tests see it: an issuer, a projected token, a role and a bucket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.credentials
import botocore.session

from rgw.ceph import ACCOUNT, REGION

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds import Credentials
    from irsa_creds.testing import Issuer, ProjectedVolume
    from rgw.ceph import Cluster

__all__ = [
    "AUDIENCE",
    "CONTENT",
    "KEY",
    "SESSION_NAME",
    "SUBJECT",
    "BadToken",
    "Pod",
    "S3OfOneKey",
    "bucket_policy",
    "trust_policy",
]

AUDIENCE = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:data:reader"
SESSION_NAME = "reader-0"
KEY = "greeting.txt"
CONTENT = b"Good morning."


class S3OfOneKey:
    """An S3 client whose key comes later: to make one may take as long as a short key lasts."""

    def __init__(self, endpoint_url: str) -> None:
        self._key = botocore.credentials.Credentials("none", "none")
        session = botocore.session.Session()
        session._credentials = self._key
        self._s3 = boto3.session.Session(botocore_session=session, region_name=REGION).client(
            "s3", endpoint_url=endpoint_url
        )

    def with_key(self, key_id: str, secret: str, token: str) -> Any:
        """Return the client, which signs with this key from now on, past its end as well."""
        self._key.access_key, self._key.secret_key, self._key.token = key_id, secret, token
        return self._s3

    def of(self, credentials: Credentials) -> Any:
        """Return the client, which signs with these credentials from now on."""
        return self.with_key(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        )


@dataclass(frozen=True, slots=True)
class Pod:
    """What belongs to one test.

    Attributes:
        ceph: the gateway, and its administrator's clients.
        issuer: registered at the gateway, its audience `AUDIENCE`.
        volume: holds a good token of `SUBJECT`.
        config_file: AWS's; not there before `set_lifetime`.
        role: trusts `SUBJECT`, may do everything with `bucket`.
        bucket: holds `CONTENT` at `KEY`.
        s3: for keys that a test has in hand.
    """

    ceph: Cluster
    issuer: Issuer
    volume: ProjectedVolume
    config_file: Path
    role: str
    bucket: str
    s3: S3OfOneKey

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.role}"

    @property
    def environment(self) -> dict[str, str]:
        """What the pod identity webhook injects, and where the gateway and the profile are."""
        return {
            "AWS_ROLE_ARN": self.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.volume.token_file),
            "AWS_ROLE_SESSION_NAME": SESSION_NAME,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.ceph.endpoint_url,
            "AWS_CONFIG_FILE": str(self.config_file),
        }

    def set_lifetime(self, seconds: int) -> None:
        """Let the credentials of unchanged boto3 programs last so long."""
        self.config_file.write_text(f"[default]\nduration_seconds = {seconds}\n")

    def rotate_token(self, **arguments: Any) -> None:
        """Let kubelet replace the token by a new one, signed by the issuer's newest key."""
        self.volume.write(self.issuer.token(SUBJECT, **arguments))

    def read(self, s3: Any) -> bytes:
        """Read the object."""
        content: bytes = s3.get_object(Bucket=self.bucket, Key=KEY)["Body"].read()
        return content

    def write(self, s3: Any, content: bytes) -> None:
        """Write the object."""
        s3.put_object(Bucket=self.bucket, Key=KEY, Body=content)


@dataclass(frozen=True, slots=True)
class BadToken:
    """A token that the gateway refuses, and the reason that its log gives."""

    token: str
    reason: str


def trust_policy(issuer: Issuer, subject: str = SUBJECT) -> str:
    """Return the trust policy that every IRSA guide shows, as JSON."""
    host = issuer.url.removeprefix("http://")
    return _policy(
        Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": subject}},
    )


def bucket_policy(bucket: str, action: str = "s3:*") -> str:
    """Return a permission for one bucket and all in it, as JSON."""
    arn = f"arn:aws:s3:::{bucket}"
    return _policy(Action=action, Resource=[arn, f"{arn}/*"])


def _policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
