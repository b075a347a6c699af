from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import (
    AsyncHttpConnection,
    AsyncOpenSearch,
    AWSV4SignerAsyncAuth,
    OpenSearch,
    RequestsAWSV4SignerAuth,
    RequestsHttpConnection,
    Urllib3AWSV4SignerAuth,
    Urllib3HttpConnection,
)

import irsa_creds

if TYPE_CHECKING:
    from integrations.conftest import Workload
    from irsa_creds.testing._server import LoopbackServer


@pytest.mark.parametrize(
    ("signer", "connection"),
    [
        (RequestsAWSV4SignerAuth, RequestsHttpConnection),
        (Urllib3AWSV4SignerAuth, Urllib3HttpConnection),
    ],
)
def test_a_client_searches_across_refreshes(
    signer: Any, connection: Any, workload: Workload, service: LoopbackServer
) -> None:
    credentials = irsa_creds.provider().botocore_credentials()
    auth = signer(credentials, "us-east-1", "es")
    client = OpenSearch(hosts=[service.url], http_auth=auth, connection_class=connection)
    for _ in workload.turns():
        assert client.search(index="index", body={"query": {"match_all": {}}}) == {"answer": 42}
    client.close()


def test_an_async_client_searches_across_refreshes(
    workload: Workload, service: LoopbackServer
) -> None:
    async def search() -> None:
        # Its signer is sync: it takes boto3's credentials, not aiobotocore's.
        credentials = irsa_creds.provider().botocore_credentials()
        auth = AWSV4SignerAsyncAuth(credentials, "us-east-1", "es")
        async with AsyncOpenSearch(
            hosts=[service.url], http_auth=auth, connection_class=AsyncHttpConnection
        ) as client:
            for _ in workload.turns():
                found = await client.search(index="index", body={"query": {"match_all": {}}})
                assert found == {"answer": 42}

    asyncio.run(search())
