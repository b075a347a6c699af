from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import s3fs

import irsa_creds

if TYPE_CHECKING:
    from integrations.conftest import Workload


def test_a_file_system_works_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    for _ in workload.turns():
        assert files.cat_file("data/greeting") == b"hello"


def test_file_systems_on_the_loops_of_two_threads_share_the_keys(workload: Workload) -> None:
    irsa_creds.install()
    files = s3fs.S3FileSystem(skip_instance_cache=True)

    async def read() -> None:
        inside = s3fs.S3FileSystem(asynchronous=True, skip_instance_cache=True)
        session = await inside.set_session()
        assert await inside._cat_file("data/greeting") == b"hello"
        await session.close()

    for _ in workload.turns():
        assert files.cat_file("data/greeting") == b"hello"
        asyncio.run(read())
