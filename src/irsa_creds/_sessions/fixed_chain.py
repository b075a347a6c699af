"""The credential provider chain of a session that was given a provider: it finds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialResolver

from irsa_creds._registry import engine_of
from irsa_creds._sessions.compat import (
    current_credentials,
    existing_chain,
    keep_credentials,
    register_features,
)
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

    def _keep(self, credentials: Any) -> None:
        """Let the session have the credentials, and its next clients what goes with them."""
        if current_credentials(self._session) is credentials:
            return
        register_features(self.provider._identity.features)  # noqa: SLF001 - it is not API
        register_handlers(self._session, engine_of(self.provider))
        keep_credentials(self._session, credentials)


class SyncFixedChain(FixedChain):
    """The chain for boto3 and botocore."""

    def __init__(self, session: Session, provider: Provider) -> None:
        super().__init__(session, provider)
        self._credentials = provider.botocore_credentials()

    def load_credentials(self) -> IrsaCredentials:
        """Return the credentials object, always the same, in the place of `get_credentials()`."""
        self._keep(self._credentials)
        return self._credentials


class AioFixedChain(FixedChain):
    """The chain for aiobotocore."""

    def __init__(self, session: Session, provider: Provider) -> None:
        super().__init__(session, provider)
        self._credentials = provider.aiobotocore_credentials()

    async def load_credentials(self) -> AioIrsaCredentials:
        """Return the credentials object, always the same, in the place of `get_credentials()`."""
        self._keep(self._credentials)
        return self._credentials


def given_provider(session: Session) -> Provider | None:
    """Return the provider that a session was given; None if it was given none."""
    chain = existing_chain(session)
    return chain.provider if isinstance(chain, FixedChain) else None
