from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aioboto3

import irsa_creds

if TYPE_CHECKING:
    from integrations.conftest import Workload


def test_a_client_works_across_refreshes(workload: Workload) -> None:
    async def read() -> None:
        async with aioboto3.Session().client("s3") as client:
            for _ in workload.turns():
                found = await client.get_object(Bucket="data", Key="greeting")
                async with found["Body"] as body:
                    assert await body.read() == b"hello"

    irsa_creds.install()
    asyncio.run(read())


def test_a_resource_works_across_refreshes(workload: Workload) -> None:
    async def read() -> None:
        async with aioboto3.Session().resource("s3") as s3:
            thing = await s3.Object("data", "greeting")
            for _ in workload.turns():
                found = await thing.get()
                assert await found["Body"].read() == b"hello"

    irsa_creds.install()
    asyncio.run(read())


def test_install_affects_an_existing_session(workload: Workload) -> None:
    async def read() -> None:
        async with session.client("s3") as client:
            for _ in workload.turns():
                await client.head_object(Bucket="data", Key="greeting")

    session = aioboto3.Session()
    irsa_creds.install(session)
    asyncio.run(read())


def test_install_gives_an_existing_session_a_tenants_provider(workload: Workload) -> None:
    async def whoami() -> str:
        async with session.client("sts") as sts:
            arn: str = (await sts.get_caller_identity())["Arn"]
            return arn

    session = aioboto3.Session()
    irsa_creds.install(session, provider=irsa_creds.provider(session_name="red"))
    assert asyncio.run(whoami()).endswith("/red")
