"""The credential provider chain of a session that was given a provider: it finds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.credentials import CredentialResolver

from irsa_creds._registry import engine_of
from irsa_creds._sessions.compat import register_features
from irsa_creds._sessions.expired_token import register_handlers

if TYPE_CHECKING:
    from botocore.session import Session

    from irsa_creds._botocore.aio import AioIrsaCredentials
    from irsa_creds._botocore.sync import IrsaCredentials
    from irsa_creds._provider import Provider

__all__ = ["AioFixedChain", "FixedChain", "SyncFixedChain"]


class FixedChain(CredentialResolver):
    """The chain of a session with the credentials of one provider.

    Its list of providers is empty, and has no effect: other code cannot add another identity.

    Args:
        session: the session that has the chain.
        provider: the provider of its credentials.
    """

    def __init__(self, session: Session, provider: Provider) -> None:
        super().__init__([])
        self._session = session
        self._provider = provider

    def _prepare_clients(self) -> None:
        register_features(self._provider._identity.features)  # noqa: SLF001 - it is not API
        register_handlers(self._session, engine_of(self._provider))


class SyncFixedChain(FixedChain):
    """The chain for boto3 and botocore."""

    def load_credentials(self) -> IrsaCredentials:
        """Return the credentials object; the session calls this once and keeps it."""
        self._prepare_clients()
        return self._provider.botocore_credentials()


class AioFixedChain(FixedChain):
    """The chain for aiobotocore."""

    async def load_credentials(self) -> AioIrsaCredentials:
        """Return the credentials object; the session calls this once and keeps it."""
        self._prepare_clients()
        return self._provider.aiobotocore_credentials()
