"""aiobotocore's colour of the differential table, and its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession

from aio.loops import on_asyncio
from differential import Case, Outcome, Program

if TYPE_CHECKING:
    import pytest

    from fake_network import Wire

__all__ = ["AioProgram"]


class _Body:
    """aiohttp's response, as far as aiobotocore reads one that is no stream."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


class AioProgram(Program):
    """A program of aiobotocore's, in a loop of its own."""

    session = AioSession
    config = AioConfig

    def tap(self, patch: pytest.MonkeyPatch) -> Wire:
        """Return what stands in for both networks: our exchange's, and aiobotocore's own.

        Both sessions take a prepared request of botocore's and keep its settings under the same
        names, so one look sees either.
        """
        wire = super().tap(patch)

        async def send(session: Any, request: Any) -> AioAWSResponse:
            answer = wire.send(session, request)
            body = _Body(answer.content)
            return AioAWSResponse(answer.url, answer.status_code, answer.headers, body)

        patch.setattr(AIOHTTPSession, "send", send)
        return wire

    def resolve(self, case: Case, *, installed: bool) -> Outcome:
        """Do what the program does: it makes a client, and reads credentials."""

        async def main() -> Outcome:
            session = self.prepared(case, installed=installed)
            if case.client_region is not None:
                async with session.create_client("sts", region_name=case.client_region):
                    pass
            credentials = await session.get_credentials()
            if credentials is None:
                return Outcome()
            frozen = await credentials.get_frozen_credentials()
            return Outcome(credentials.method, frozen.access_key)

        return on_asyncio(main)
