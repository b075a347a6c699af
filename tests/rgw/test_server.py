"""The gateway and the fixtures themselves, without irsa-creds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from rgw.libraries import Library
    from rgw.pod import BadToken, Pod

pytestmark = pytest.mark.real


def test_the_librarys_own_provider_reads_and_writes_with_the_token(
    pod: Pod, library: Library
) -> None:
    s3 = library.s3(library.own_session())
    pod.write(s3, b"by the library alone")
    assert pod.read(s3) == b"by the library alone"


def test_the_gateway_denies_a_token(bad_token: BadToken, pod: Pod) -> None:
    with pytest.raises(ClientError) as caught:
        _assume(pod, bad_token.token)
    assert caught.value.response["Code"] == "AccessDenied"
    assert pod.ceph.denials() == [bad_token.reason]


def test_the_gateway_denies_the_issuers_old_key_after_a_rotation(pod: Pod) -> None:
    old = pod.volume.token_file.read_text()
    pod.issuer.rotate()
    with pytest.raises(ClientError):
        _assume(pod, old)
    pod.rotate_token()
    _assume(pod, pod.volume.token_file.read_text())


def test_s3_denies_expired_credentials(pod: Pod, boto3_library: Library) -> None:
    key = _assume(pod, pod.volume.token_file.read_text(), DurationSeconds=3)
    s3 = boto3_library.s3_with_key(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    assert pod.read(s3)
    time.sleep(max(0.0, (key["Expiration"] - datetime.now(UTC)).total_seconds()))
    with pytest.raises(ClientError, match="AccessDenied"):
        pod.read(s3)


def _assume(pod: Pod, token: str, **parameters: Any) -> dict[str, Any]:
    response = pod.ceph.sts.assume_role_with_web_identity(
        RoleArn=pod.role_arn, RoleSessionName="pod", WebIdentityToken=token, **parameters
    )
    key: dict[str, Any] = response["Credentials"]
    return key
