"""A profile with `source_profile` in both libraries, across two refreshes of both roles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiobotocore.session
import botocore.session
import pytest

import irsa_creds
from botocore_sessions import write_profiles

if TYPE_CHECKING:
    from pathlib import Path

    from integrations.conftest import Workload
    from irsa_creds.testing._server import LoopbackServer


@pytest.fixture(autouse=True)
def second(
    workload: Workload,
    service: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:
    """Return the target role of the profile `target`."""
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
        f"[profile target]\nrole_arn = {second.role_arn}\nsource_profile = app\n"
        f"[profile app]\nrole_arn = {pod.role_arn}\nweb_identity_token_file = {pod.token_file}\n",
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    irsa_creds.install()
    return second.role_arn


def check(workload: Workload) -> None:
    """Check that both roles were refreshed twice, and that only the target role signed."""
    sandbox = workload.sandbox
    actions = [each.action for each in sandbox.sts_calls]
    assert actions.count("AssumeRoleWithWebIdentity") == 3
    assert {each.outcome for each in sandbox.sts_calls} == {"OK"}
    assert {(each.arn or "").split("/")[1] for each in sandbox.s3_identities} == {"second-role"}
    # A refresh of the target role does not wait for one of the source role: it uses a valid key.
    workload.action = "AssumeRoleWithWebIdentity"
    # On a slow machine, it may skip one.
    used = list(dict.fromkeys(workload.signers))
    assert used == [key for key in workload.given if key in used]


def seen_by_s3(workload: Workload) -> list[str]:
    return list(
        dict.fromkeys(each.access_key_id or "unsigned" for each in workload.sandbox.s3_identities)
    )


def test_a_botocore_session_signs_as_the_target_role_across_refreshes(workload: Workload) -> None:
    session = botocore.session.Session(profile="target")
    client = session.create_client("s3")
    workload.action = "AssumeRole"
    for _ in workload.turns(lambda: seen_by_s3(workload)):
        client.get_object(Bucket="data", Key="greeting")
    assert session.get_credentials().method == "assume-role"
    check(workload)


def test_an_aiobotocore_session_signs_as_the_target_role_across_refreshes(
    workload: Workload,
) -> None:
    async def read() -> None:
        session = aiobotocore.session.AioSession(profile="target")
        async with session.create_client("s3") as client:
            for _ in workload.turns(lambda: seen_by_s3(workload)):
                await client.get_object(Bucket="data", Key="greeting")

    workload.action = "AssumeRole"
    asyncio.run(read())
    check(workload)


def test_a_provider_and_a_session_share_the_target_role(workload: Workload, second: str) -> None:
    provider = irsa_creds.provider(assume=[second])
    session = botocore.session.Session(profile="target")
    workload.action = "AssumeRole"
    for _ in workload.turns(lambda: seen_by_s3(workload)):
        session.create_client("s3").get_object(Bucket="data", Key="greeting")
        provider.get()
    check(workload)
