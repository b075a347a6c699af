"""A second role by way of the pod's: the pod's own credentials are ours, the second botocore's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiobotocore.session
import botocore.session
import pytest
from botocore.credentials import DeferredRefreshableCredentials

import irsa_creds
from sessions import write_profiles

if TYPE_CHECKING:
    from pathlib import Path

    from doors.conftest import Workload
    from irsa_creds.testing._server import LoopbackServer


@pytest.fixture(autouse=True)
def _hop(
    workload: Workload,
    service: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pod = workload.pod
    second = workload.sandbox.deploy(
        service_account="second",
        role="second-role",
        trust_policy={
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": pod.role_arn},
                "Action": "sts:AssumeRole",
            },
        },
    )
    workload.sandbox.reset_calls()
    write_profiles(
        monkeypatch,
        tmp_path,
        f"[profile hop]\nrole_arn = {second.role_arn}\nsource_profile = app\n"
        f"[profile app]\nrole_arn = {pod.role_arn}\nweb_identity_token_file = {pod.token_file}\n",
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    irsa_creds.install()


def test_botocores_hop_signs_through_refreshes(workload: Workload) -> None:
    session = botocore.session.Session(profile="hop")
    client = session.create_client("s3")
    # These last four minutes, so botocore takes the second role anew for each request.
    for _ in workload.turns(lambda: list(dict.fromkeys(workload.signers))):
        client.get_object(Bucket="data", Key="greeting")
    assert type(session.get_credentials()) is DeferredRefreshableCredentials
    assert {(each.arn or "").split("/")[1] for each in workload.sandbox.s3_identities} == {
        "second-role"
    }


def test_aiobotocores_hop_signs_through_refreshes(workload: Workload) -> None:
    async def read() -> None:
        session = aiobotocore.session.AioSession(profile="hop")
        async with session.create_client("s3") as client:
            for _ in workload.turns(lambda: list(dict.fromkeys(workload.signers))):
                await client.get_object(Bucket="data", Key="greeting")

    asyncio.run(read())
    assert {(each.arn or "").split("/")[1] for each in workload.sandbox.s3_identities} == {
        "second-role"
    }
