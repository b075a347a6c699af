"""A FastAPI application: each request reads S3 with aioboto3."""

from __future__ import annotations

import contextlib
import os
import traceback
from typing import TYPE_CHECKING, Any

import irsa_creds

irsa_creds.install()

import aioboto3  # noqa: E402 - after install()
from fastapi import FastAPI, Response  # noqa: E402 - as above

from frameworks.replies import Reply  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

provider = irsa_creds.provider()
session = aioboto3.Session()


@contextlib.asynccontextmanager
async def lifespan_with_client(application: Any) -> AsyncIterator[None]:
    async with session.client("s3") as application.state.s3:
        yield


async def read() -> Any:
    try:
        response = await application.state.s3.get_object(Bucket="data", Key="greeting")
        async with response["Body"] as body:
            content = (await body.read()).decode()
        key = (await provider.aget()).access_key_id
        reply = Reply(os.getpid(), key, provider.status().sts_calls, content)
    except Exception:  # noqa: BLE001 - the test reports it
        return Response(traceback.format_exc(), status_code=500)
    return Response(reply.json())


application = FastAPI(lifespan=lifespan_with_client)
application.add_api_route("/", read)
