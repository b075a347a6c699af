"""The credential provider chain of a session that was given a provider: it finds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    from irsa_creds._botocore.credentials import CredentialsMixin
    from irsa_creds._provider import Provider

__all__ = ["AioFixedChain", "FixedChain", "SyncFixedChain", "given_provider"]


class FixedChain(CredentialResolver):
    """The chain of a session with the credentials of one provider.

    Its list of providers is empty, and has no effect: other code cannot add another identity.

    Args:
        session: the session that has the chain.
        provider: the provider of its credentials.
        credentials: the provider's credentials object for this kind of session.
    """

    def __init__(self, session: Session, provider: Provider, credentials: CredentialsMixin) -> None:
        super().__init__([])
        self._session = session
        self._credentials = credentials
        self.provider = provider

    def _load(self) -> CredentialsMixin:
        """Return the credentials, and give the session's next clients what goes with them."""
        session, credentials = self._session, self._credentials
        if current_credentials(session) is not credentials:
            register_features(self.provider._identity.features)  # noqa: SLF001 - it is not API
            register_handlers(session, engine_of(self.provider))
            keep_credentials(session, credentials)
        return credentials


class SyncFixedChain(FixedChain):
    """The chain for boto3 and botocore."""

    def load_credentials(self) -> CredentialsMixin:
        """Return the credentials object, always the same, in the place of `get_credentials()`."""
        return self._load()


class AioFixedChain(FixedChain):
    """The chain for aiobotocore."""

    async def load_credentials(self) -> CredentialsMixin:
        """Return the credentials object, always the same, in the place of `get_credentials()`."""
        return self._load()


def given_provider(session: Session) -> Provider | None:
    """Return the provider that a session was given; None if it was given none."""
    chain = existing_chain(session)
    return chain.provider if isinstance(chain, FixedChain) else None
