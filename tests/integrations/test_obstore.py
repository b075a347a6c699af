from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.exceptions import UnauthenticatedError
from obstore.store import S3Store

import irsa_creds
from engine_fakes import eventually
from irsa_creds.adapters import AsyncObstoreCredentials, ObstoreCredentials

if TYPE_CHECKING:
    from integrations.conftest import Workload

KINDS = [ObstoreCredentials, AsyncObstoreCredentials]


def store(credentials: ObstoreCredentials | AsyncObstoreCredentials) -> S3Store:
    return S3Store("data", client_options={"allow_http": True}, credential_provider=credentials)


def test_a_store_works_across_refreshes(workload: Workload) -> None:
    bucket = store(ObstoreCredentials(irsa_creds.provider()))
    for _ in workload.turns():
        assert bytes(obstore.get(bucket, "greeting").bytes()) == b"hello"


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_works_across_refreshes_in_tasks(
    kind: type[ObstoreCredentials | AsyncObstoreCredentials], workload: Workload
) -> None:
    bucket = store(kind(irsa_creds.provider()))

    async def read() -> None:
        found = await obstore.get_async(bucket, "greeting")
        assert bytes(await found.bytes_async()) == b"hello"

    async def work() -> None:
        for _ in workload.turns():
            await asyncio.gather(*[read() for _ in range(5)])

    asyncio.run(work())


def test_an_async_store_works_after_its_loop_was_closed(workload: Workload) -> None:
    bucket = store(AsyncObstoreCredentials(irsa_creds.provider()))

    async def read() -> None:
        await obstore.head_async(bucket, "greeting")

    for _ in workload.turns():
        asyncio.run(read())


def test_invalidated_credentials_are_soon_not_used_any_more(workload: Workload) -> None:
    # The default lifetime of STS: obstore could have kept them for most of an hour.
    workload.sandbox.lifetime = None
    provider = irsa_creds.provider()
    bucket = store(ObstoreCredentials(provider))
    obstore.head(bucket, "greeting")
    provider.invalidate()

    def asks_again() -> bool:
        obstore.head(bucket, "greeting")
        return len(workload.used) == 2

    eventually(asks_again, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_store_has_no_secret(
    kind: type[ObstoreCredentials | AsyncObstoreCredentials], workload: Workload
) -> None:
    provider = irsa_creds.provider()
    bucket = store(kind(provider))

    travels = pickle.dumps(bucket)

    given = provider.get()
    assert given.secret_access_key.encode() not in travels
    assert given.session_token.encode() not in travels
    arrived = pickle.loads(travels)
    assert arrived == bucket
    assert arrived.credential_provider == kind(provider)


def test_without_credentials_a_request_fails_with_the_reason_and_no_secret(
    workload: Workload,
) -> None:
    workload.sandbox.faults.fail("AccessDenied")
    bucket = store(ObstoreCredentials(irsa_creds.provider()))
    with pytest.raises(UnauthenticatedError, match=r"ExchangeError: .*AccessDenied") as caught:
        obstore.head(bucket, "greeting")
    assert workload.pod.token_file.read_text() not in str(caught.value)
