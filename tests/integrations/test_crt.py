"""s3transfer's CRT takes a botocore credentials object, and reads it for every request."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import boto3
import boto3.crt
import pytest
import requests
import s3transfer.crt
from awscrt.auth import (
    AwsSignatureType,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from s3transfer.crt import BotocoreCRTCredentialsWrapper, create_s3_crt_client

import irsa_creds
from botocore_sessions import key_of

if TYPE_CHECKING:
    from engine_fakes import FakeClock
    from integrations.conftest import Workload
    from irsa_creds.testing._server import LoopbackServer


@pytest.fixture
def _crt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 create a new CRT client, with HTTP instead of TLS."""

    def plain(**arguments: Any) -> Any:
        return create_s3_crt_client(**{**arguments, "use_ssl": False})

    monkeypatch.setattr(boto3.crt, "create_s3_crt_client", plain)
    monkeypatch.setattr(boto3.crt, "CRT_S3_CLIENT", None)
    monkeypatch.setattr(boto3.crt, "BOTOCORE_CRT_SERIALIZER", None)
    # Only one process of a machine may use the CRT under a name.
    monkeypatch.setattr(boto3.crt, "PROCESS_LOCK_NAME", f"irsa-creds-tests-{os.getpid()}")
    monkeypatch.setattr(s3transfer.crt, "CRT_S3_PROCESS_LOCK", None)


@pytest.mark.usefixtures("_crt")
def test_boto3s_crt_transfers_work_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    client = boto3.client("s3")
    config = TransferConfig(preferred_transfer_client="crt")
    for _ in workload.turns():
        into = io.BytesIO()
        client.download_fileobj("data", "greeting", into, Config=config)
        assert into.getvalue() == b"hello"
    # boto3 does not use the CRT if it sees another identity there; only the CRT requests a range of
    # such a small object.
    ranges = [each for each in workload.sandbox.s3_identities if each.status == 206]
    assert list(dict.fromkeys(each.access_key_id for each in ranges)) == workload.given


def test_the_crt_signs_across_refreshes(workload: Workload, service: LoopbackServer) -> None:
    credentials = irsa_creds.provider().botocore_credentials()
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=(
            BotocoreCRTCredentialsWrapper(credentials).to_crt_credentials_provider()
        ),
        region="us-east-1",
        service="es",
    )
    for _ in workload.turns():
        request = HttpRequest("GET", "/", HttpHeaders([("Host", service.url.split("/")[-1])]))
        signed = aws_sign_request(request, config).result(10)
        response = requests.get(service.url, headers=dict(signed.headers), timeout=10)
        assert response.json() == {"answer": 42}


@pytest.mark.usefixtures("pod_without_timer")
def test_a_presigned_url_with_an_asymmetric_signature_outlasts_its_seconds(
    clock: FakeClock,
) -> None:
    s3 = boto3.client("s3", config=Config(signature_version="s3v4a"))
    keys = []
    for _ in range(2):
        url = s3.generate_presigned_url("get_object", {"Bucket": "data", "Key": "report"}, 900)
        assert "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256" in url
        keys.append(key_of(url))
        clock.advance(58 * 60)
    assert keys == ["ASIA0000000000000001", "ASIA0000000000000002"]
