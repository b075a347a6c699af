"""boto3 and aiobotocore with one interface, so that each test runs with both.

All calls wait for their result. aiobotocore's run as tasks of an event loop on a thread of its own,
so that the loop continues while a test kills the gateway or sleeps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.session
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from anyio.from_thread import start_blocking_portal
from botocore.config import Config

import irsa_creds
from rgw.load import Load, Tasks, Threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from irsa_creds import Credentials, Provider

__all__ = ["S3", "Aiobotocore", "Boto3", "Library"]

_Value = TypeVar("_Value")

# Longer than any call, including one that waits for a refresh.
_TIMEOUT = 60.0


class S3(ABC):
    """An S3 client of one of the libraries."""

    @abstractmethod
    def get(self, bucket: str, key: str) -> bytes:
        """Return the object's content."""

    @abstractmethod
    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write the object."""

    @abstractmethod
    def load(self, bucket: str, key: str) -> Load:
        """Return threads or tasks that read the object all the time."""


class Library(ABC):
    """One of the libraries, with an event loop and clients for one test."""

    def __init__(self) -> None:
        # The client gets its key later, because creating it may take as long as a short key lasts.
        session = self.own_session()
        core = getattr(session, "_session", session)
        core.set_credentials("none", "none")
        self._key = core._credentials
        self._s3_of_key = self.s3(session)

    def s3_with_key(self, key_id: str, secret: str, token: str) -> S3:
        """Return the one client that signs with this key from now on."""
        self._key.access_key, self._key.secret_key, self._key.token = key_id, secret, token
        return self._s3_of_key

    def s3_of(self, credentials: Credentials) -> S3:
        """Return the one client that signs with these credentials from now on."""
        return self.s3_with_key(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        )

    @abstractmethod
    def session(self) -> Any:
        """Return a session with irsa-creds."""

    @abstractmethod
    def own_session(self) -> Any:
        """Return an unchanged session of the library."""

    @abstractmethod
    def s3(self, session: Any, *, retries: bool = True) -> S3:
        """Return a client of a session."""

    @abstractmethod
    def key_id(self, session: Any) -> str:
        """Return the access key id that a session signs with."""

    @abstractmethod
    def get(self, provider: Provider) -> Credentials:
        """Return the provider's credentials with the library's kind of call."""


class Boto3(Library):
    """boto3."""

    def session(self) -> Any:
        return irsa_creds.boto3_session()

    def own_session(self) -> Any:
        return boto3.session.Session(botocore_session=botocore.session.Session())

    def s3(self, session: Any, *, retries: bool = True) -> S3:
        return _Boto3S3(session.client("s3", config=Config(**_retries(retries=retries))))

    def key_id(self, session: Any) -> str:
        key_id: str = session.get_credentials().get_frozen_credentials().access_key
        return key_id

    def get(self, provider: Provider) -> Credentials:
        return provider.get()


class _Boto3S3(S3):
    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, bucket: str, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=bucket, Key=key, Body=content)

    def load(self, bucket: str, key: str) -> Load:
        return Threads(partial(self.get, bucket, key))


class Aiobotocore(Library):
    """aiobotocore; created by `on`.

    Args:
        portal: to the event loop.
        clients: what closes them when the test is over.
        settings: of every client's `AioConfig`.
    """

    def __init__(
        self, portal: BlockingPortal, clients: ExitStack, settings: dict[str, Any]
    ) -> None:
        self._portal = portal
        self._clients = clients
        self._settings = settings
        super().__init__()

    @classmethod
    @contextmanager
    def on(cls, backend: str, **settings: Any) -> Iterator[Aiobotocore]:
        """Run an event loop of "asyncio" or "trio" for aiobotocore."""
        with start_blocking_portal(backend) as portal, ExitStack() as exits:
            # A task that hangs has failed its test already, so do not wait for it.
            exits.callback(portal.call, partial(portal.stop, cancel_remaining=True))
            clients = exits.enter_context(ExitStack())
            yield cls(portal, clients, settings)

    def session(self) -> Any:
        return irsa_creds.aiobotocore_session()

    def own_session(self) -> Any:
        return AioSession()

    def s3(self, session: Any, *, retries: bool = True) -> S3:
        config = AioConfig(**self._settings, **_retries(retries=retries))
        client = session.create_client("s3", config=config)
        opened = self._clients.enter_context(self._portal.wrap_async_context_manager(client))
        return _AiobotocoreS3(self._portal, opened)

    def key_id(self, session: Any) -> str:
        async def key_id() -> str:
            frozen = await (await session.get_credentials()).get_frozen_credentials()
            return str(frozen.access_key)

        return _result(self._portal, key_id)

    def get(self, provider: Provider) -> Credentials:
        return _result(self._portal, provider.aget)


class _AiobotocoreS3(S3):
    def __init__(self, portal: BlockingPortal, client: Any) -> None:
        self._portal = portal
        self._client = client

    def get(self, bucket: str, key: str) -> bytes:
        return _result(self._portal, partial(self._get, bucket, key))

    async def _get(self, bucket: str, key: str) -> bytes:
        response = await self._client.get_object(Bucket=bucket, Key=key)
        async with response["Body"] as body:
            content: bytes = await body.read()
        return content

    def put(self, bucket: str, key: str, content: bytes) -> None:
        _result(
            self._portal, partial(self._client.put_object, Bucket=bucket, Key=key, Body=content)
        )

    def load(self, bucket: str, key: str) -> Load:
        return Tasks(self._portal, partial(self._get, bucket, key))


def _retries(*, retries: bool) -> dict[str, Any]:
    return {} if retries else {"retries": {"total_max_attempts": 1}}


def _result(portal: BlockingPortal, call: Callable[[], Awaitable[_Value]]) -> _Value:
    return portal.start_task_soon(call).result(timeout=_TIMEOUT)
