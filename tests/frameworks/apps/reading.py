"""The read of every worker with boto3."""

from __future__ import annotations

import os

import irsa_creds

irsa_creds.install()

import boto3  # noqa: E402 - after install()

from frameworks.replies import Reply  # noqa: E402 - as above

s3 = boto3.client("s3")
provider = irsa_creds.provider()


def read() -> Reply:
    """Read once."""
    body = s3.get_object(Bucket="data", Key="greeting")["Body"].read().decode()
    key = provider.get().access_key_id
    return Reply(os.getpid(), key, provider.status().sts_calls, body)
