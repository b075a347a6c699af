"""aiobotocore's program for the differential table, and its fake network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.context import start_as_current_context

from aio.loops import on_asyncio
from differential import Case, Outcome, Program, client_features

if TYPE_CHECKING:
    import pytest

    from fake_network import FakeNetwork

__all__ = ["AioProgram"]


class _Body:
    """The part of aiohttp's response that aiobotocore reads without streaming."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


class AioProgram(Program):
    """A program that uses aiobotocore, in its own loop."""

    session = AioSession
    config = AioConfig

    def tap(self, patch: pytest.MonkeyPatch) -> FakeNetwork:
        """Return one fake network for irsa-creds and for aiobotocore.

        Both HTTP sessions take botocore's prepared requests and keep their settings under the same
        names.
        """
        network = super().tap(patch)

        async def send(session: Any, request: Any) -> AioAWSResponse:
            response = network.send(session, request)
            body = _Body(response.content)
            return AioAWSResponse(response.url, response.status_code, response.headers, body)

        patch.setattr(AIOHTTPSession, "send", send)
        return network

    def resolve(self, case: Case, *, installed: bool) -> Outcome:
        """Create a client, and read credentials."""

        async def main() -> Outcome:
            session = self.prepared(case, installed=installed)
            if case.client_region is not None:
                async with session.create_client("sts", region_name=case.client_region):
                    pass
            with start_as_current_context():
                credentials = await session.get_credentials()
                features = client_features(session)
            if credentials is None:
                return Outcome(features=features)
            with start_as_current_context():
                frozen = await credentials.get_frozen_credentials()
            return Outcome(credentials.method, frozen.access_key, features=features)

        return on_asyncio(main)
