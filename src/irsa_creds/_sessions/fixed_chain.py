"""The credential provider chain of a session that was given a provider: it finds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.credentials import CredentialResolver

from irsa_creds._registry import engine_of
from irsa_creds._sessions.compat import existing_chain, register_features
from irsa_creds._sessions.expired_token import register_handlers

if TYPE_CHECKING:
    from botocore.session import Session

    from irsa_creds._botocore.aio import AioIrsaCredentials
    from irsa_creds._botocore.sync import IrsaCredentials
    from irsa_creds._provider import Provider

__all__ = ["AioFixedChain", "FixedChain", "SyncFixedChain", "given_provider"]


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
        self.provider = provider

    def _prepare_clients(self) -> None:
        register_features(self.provider._identity.features)  # noqa: SLF001 - it is not API
        register_handlers(self._session, engine_of(self.provider))


class SyncFixedChain(FixedChain):
    """The chain for boto3 and botocore."""

    def load_credentials(self) -> IrsaCredentials:
        """Return the credentials object; the session calls this once and keeps it."""
        self._prepare_clients()
        return self.provider.botocore_credentials()


class AioFixedChain(FixedChain):
    """The chain for aiobotocore."""

    async def load_credentials(self) -> AioIrsaCredentials:
        """Return the credentials object; the session calls this once and keeps it."""
        self._prepare_clients()
        return self.provider.aiobotocore_credentials()


def given_provider(session: Session) -> Provider | None:
    """Return the provider that a session was given; None if it was given none."""
    chain = existing_chain(session)
    return chain.provider if isinstance(chain, FixedChain) else None
