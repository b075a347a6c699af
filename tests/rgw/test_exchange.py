"""From a pod's token to S3, and denials."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

import irsa_creds
from rgw.ceph import ACCOUNT, REASONS
from rgw.pod import CONTENT, SESSION_NAME, SUBJECT, bucket_policy, trust_policy

if TYPE_CHECKING:
    from rgw.libraries import Library
    from rgw.pod import BadToken, Pod

pytestmark = pytest.mark.real


def test_s3_accepts_the_credentials_of_a_token(pod: Pod, library: Library) -> None:
    credentials = library.get(irsa_creds.provider())
    assert credentials.account_id == ACCOUNT
    assert credentials.assumed_role_arn == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{pod.role}/{SESSION_NAME}"
    )
    s3 = library.s3_of(credentials)
    pod.write(s3, b"by our key")
    assert pod.read(s3) == b"by our key"


def test_a_session_with_irsa_creds_reads_and_writes(pod: Pod, library: Library) -> None:
    s3 = library.s3(library.session())
    pod.write(s3, b"by our session")
    assert pod.read(s3) == b"by our session"
    assert irsa_creds.provider().status().sts_calls == 1


def test_install_lets_all_sessions_of_a_library_share_one_exchange(
    pod: Pod, library: Library
) -> None:
    irsa_creds.install()
    for _ in range(3):
        assert pod.read(library.s3(library.own_session())) == CONTENT
    assert irsa_creds.provider().status().sts_calls == 1
    assert pod.ceph.exchanges() == [200]


def test_one_denial_is_raised_and_not_repeated_for_a_token(
    bad_token: BadToken, pod: Pod, library: Library
) -> None:
    pod.volume.write(bad_token.token)
    provider = irsa_creds.provider()
    with pytest.raises(irsa_creds.ExchangeError) as caught:
        library.get(provider)
    assert caught.value.code == "AccessDenied"
    assert not caught.value.retryable
    assert caught.value.request_id is not None
    assert bad_token.token not in str(caught.value)
    assert provider.status().sts_calls == 1
    assert pod.ceph.denials() == [bad_token.reason]
    assert pod.ceph.exchanges() == [403]


def test_a_denial_is_a_client_error_of_botocore(pod: Pod, library: Library) -> None:
    pod.volume.write(pod.issuer.forged_token(SUBJECT))
    with pytest.raises(ClientError) as caught:
        pod.read(library.s3(library.session()))
    error = caught.value
    assert error.response["Error"]["Code"] == "AccessDenied"
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert error.operation_name == "AssumeRoleWithWebIdentity"
    assert isinstance(error, irsa_creds.ExchangeError)


def test_a_missing_role_is_denied(pod: Pod, library: Library) -> None:
    with pytest.raises(irsa_creds.ExchangeError) as caught:
        library.get(irsa_creds.provider(role_arn=f"{pod.role_arn}-typo"))
    assert caught.value.code == "AccessDenied"
    assert pod.ceph.denials() == [REASONS["role"]]


def test_a_provider_recovers_after_a_corrected_trust_policy(pod: Pod, library: Library) -> None:
    _trust(pod, f"{SUBJECT}-typo")
    provider = irsa_creds.provider()
    with pytest.raises(irsa_creds.ExchangeError):
        library.get(provider)
    _trust(pod, SUBJECT)
    # Two attempts: RGW may be slow to respond to the first one.
    deadline = time.monotonic() + 60
    while provider.status().state != "fresh" and time.monotonic() < deadline:
        time.sleep(0.2)
        provider.prefetch()
    assert pod.read(library.s3_of(library.get(provider))) == CONTENT


def test_a_session_policy_restricts_permissions(pod: Pod, library: Library) -> None:
    policy = bucket_policy(pod.bucket, "s3:GetObject")
    s3 = library.s3_of(library.get(irsa_creds.provider(policy=policy)))
    assert pod.read(s3) == CONTENT
    with pytest.raises(ClientError, match="AccessDenied"):
        pod.write(s3, b"more than the policy allows")
    assert pod.read(s3) == CONTENT


def test_a_duration_over_the_roles_maximum_is_denied(pod: Pod, library: Library) -> None:
    with pytest.raises(irsa_creds.ExchangeError, match="7200") as caught:
        library.get(irsa_creds.provider(duration_seconds=7200))
    assert caught.value.code == "InvalidArgument"
    assert caught.value.failure is not None
    assert caught.value.failure.status == 400
    assert pod.ceph.denials() == [REASONS["duration"]]


def test_a_profiles_duration_over_the_roles_maximum_is_omitted(
    pod: Pod, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    pod.set_lifetime(7200)
    provider = irsa_creds.provider()
    assert pod.read(library.s3_of(library.get(provider))) == CONTENT
    assert provider.status().sts_calls == 2
    assert pod.ceph.exchanges(2) == [400, 200]
    assert "duration_seconds = 7200" in caplog.text


def _trust(pod: Pod, subject: str) -> None:
    pod.ceph.iam.update_assume_role_policy(
        RoleName=pod.role, PolicyDocument=trust_policy(pod.issuer, subject)
    )
