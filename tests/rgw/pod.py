"""A pod with IRSA: an issuer, a projected token, a role and a bucket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rgw.ceph import ACCOUNT, REGION

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds.testing import Issuer, ProjectedVolume
    from rgw.ceph import Cluster
    from rgw.libraries import S3
    from rgw.load import Load

__all__ = [
    "AUDIENCE",
    "CONTENT",
    "KEY",
    "SESSION_NAME",
    "SUBJECT",
    "BadToken",
    "Pod",
    "bucket_policy",
    "trust_policy",
]

AUDIENCE = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:data:reader"
SESSION_NAME = "reader-0"
KEY = "greeting.txt"
CONTENT = b"Good morning."


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod of one test.

    Attributes:
        ceph: the gateway, and its administrator's clients.
        issuer: registered at the gateway, its audience `AUDIENCE`.
        volume: contains a valid token of `SUBJECT`.
        config_file: AWS's; not there before `set_lifetime`.
        role: trusts `SUBJECT`, may do everything with `bucket`.
        bucket: has `CONTENT` at `KEY`.
    """

    ceph: Cluster
    issuer: Issuer
    volume: ProjectedVolume
    config_file: Path
    role: str
    bucket: str

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.role}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the Pod Identity webhook, the gateway's URL and the profile."""
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
        """Set the lifetime of unchanged programs' credentials."""
        self.config_file.write_text(f"[default]\nduration_seconds = {seconds}\n")

    def rotate_token(self, **arguments: Any) -> None:
        """Replace the token with a new one, signed with the issuer's newest key."""
        self.volume.write(self.issuer.token(SUBJECT, **arguments))

    def read(self, s3: S3) -> bytes:
        """Read the object."""
        return s3.get(self.bucket, KEY)

    def write(self, s3: S3, content: bytes) -> None:
        """Write the object."""
        s3.put(self.bucket, KEY, content)

    def load(self, s3: S3) -> Load:
        """Return readers of the object."""
        return s3.load(self.bucket, KEY)


@dataclass(frozen=True, slots=True)
class BadToken:
    """A token that the gateway denies, and the reason in its log."""

    token: str
    reason: str


def trust_policy(issuer: Issuer, subject: str = SUBJECT) -> str:
    """Return the usual trust policy of IRSA as JSON."""
    host = issuer.url.removeprefix("http://")
    return _policy(
        Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": subject}},
    )


def bucket_policy(bucket: str, action: str = "s3:*") -> str:
    """Return a permission for one bucket and its objects as JSON."""
    arn = f"arn:aws:s3:::{bucket}"
    return _policy(Action=action, Resource=[arn, f"{arn}/*"])


def _policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
