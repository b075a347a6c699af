"""aiobotocore as other libraries use it: with sessions that they create."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiobotocore.session import AioSession, get_session

import irsa_creds

if TYPE_CHECKING:
    from integrations.conftest import Workload


async def read_through_refreshes(session: Any, workload: Workload) -> None:
    async with session.create_client("s3") as client:
        for _ in workload.turns():
            found = await client.get_object(Bucket="data", Key="greeting")
            async with found["Body"] as body:
                assert await body.read() == b"hello"


def test_a_client_works_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    asyncio.run(read_through_refreshes(get_session(), workload))


def test_credentials_set_on_a_session_work_across_refreshes(
    workload: Workload,
) -> None:
    session = AioSession()
    session._credentials = irsa_creds.provider().aiobotocore_credentials()
    asyncio.run(read_through_refreshes(session, workload))
