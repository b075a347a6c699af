from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

import irsa_creds

if TYPE_CHECKING:
    import pytest

    from irsa_creds.testing import Sandbox


def test_an_unchanged_boto3_program_reads_its_bucket_after_install(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = sandbox.deploy()
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")

    irsa_creds.install()
    body = boto3.Session().client("s3").get_object(Bucket="data", Key="greeting")["Body"].read()

    assert body == b"hello"
    assert len(sandbox.sts_calls) == 1
