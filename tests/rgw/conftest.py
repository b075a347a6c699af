"""One gateway for all tests; an issuer, a role, a bucket and a token for each test."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from aiobotocore.httpxsession import HttpxSession

from irsa_creds.testing import Issuer, ProjectedVolume
from rgw.ceph import REASONS, Cluster, ClusterError
from rgw.libraries import Aiobotocore, Boto3, Library
from rgw.pod import (
    AUDIENCE,
    CONTENT,
    KEY,
    SUBJECT,
    BadToken,
    Pod,
    bucket_policy,
    trust_policy,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def ceph() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
    except ClusterError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    yield cluster
    cluster.stop()


@pytest.fixture
def issuer(ceph: Cluster) -> Iterator[Issuer]:
    with Issuer().serve() as issuer:
        provider = ceph.iam.create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=[AUDIENCE], ThumbprintList=["0" * 40]
        )
        yield issuer
        ceph.iam.delete_open_id_connect_provider(
            OpenIDConnectProviderArn=provider["OpenIDConnectProviderArn"]
        )


@pytest.fixture
def pod(ceph: Cluster, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    bucket = _create_bucket(ceph)
    role = _create_role(ceph, trust_policy(issuer), bucket_policy(bucket))
    pod = Pod(
        ceph,
        issuer,
        volume=ProjectedVolume(tmp_path / "token"),
        config_file=tmp_path / "config",
        role=role,
        bucket=bucket,
    )
    pod.rotate_token()
    for name, value in pod.environment.items():
        monkeypatch.setenv(name, value)
    # Discard the log lines of other tests.
    ceph.denials(within=0)
    ceph.exchanges(within=0)
    return pod


@pytest.fixture(params=["boto3", "aiobotocore"])
def library(request: pytest.FixtureRequest, pod: Pod) -> Library:
    """boto3 and aiobotocore, in the pod's environment."""
    library: Library = request.getfixturevalue(f"{request.param}_library")
    return library


@pytest.fixture
def boto3_library(pod: Pod) -> Library:
    return Boto3()


@pytest.fixture
def aiobotocore_library(pod: Pod) -> Iterator[Library]:
    """aiobotocore on asyncio, with aiohttp."""
    with Aiobotocore.on("asyncio") as library:
        yield library


@pytest.fixture
def trio_library(pod: Pod) -> Iterator[Library]:
    """aiobotocore on trio, with httpx."""
    with Aiobotocore.on("trio", http_session_cls=HttpxSession) as library:
        yield library


def _create_bucket(ceph: Cluster) -> str:
    name = f"lake-{uuid.uuid4()}"
    ceph.s3.create_bucket(Bucket=name)
    ceph.s3.put_object(Bucket=name, Key=KEY, Body=CONTENT)
    return name


def _create_role(ceph: Cluster, trust: str, permission: str) -> str:
    name = f"reader-{uuid.uuid4()}"
    ceph.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    ceph.iam.put_role_policy(RoleName=name, PolicyName="bucket", PolicyDocument=permission)
    return name


_BAD_TOKENS: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "of another service account": (
        lambda issuer: issuer.token("system:serviceaccount:data:writer"),
        REASONS["trust policy"],
    ),
    "for another audience": (
        lambda issuer: issuer.token(SUBJECT, audience=["vault"]),
        REASONS["audience"],
    ),
    "expired": (
        lambda issuer: issuer.token(SUBJECT, lifetime=-1),
        REASONS["expired"],
    ),
    "forged": (
        lambda issuer: issuer.forged_token(SUBJECT),
        REASONS["signature"],
    ),
    "of an unknown issuer": (
        lambda issuer: issuer.token(SUBJECT, iss="http://127.0.0.1/unknown"),
        REASONS["issuer"],
    ),
}


@pytest.fixture(params=_BAD_TOKENS.values(), ids=list(_BAD_TOKENS))
def bad_token(request: pytest.FixtureRequest, pod: Pod) -> BadToken:
    make, reason = request.param
    return BadToken(make(pod.issuer), reason)
