"""A boto3 session that pickles as its arguments, never with credentials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import boto3

from irsa_creds._sessions.chain import given_provider
from irsa_creds._sessions.install import install

if TYPE_CHECKING:
    from irsa_creds._provider import Provider

__all__ = ["IrsaBoto3Session"]


class IrsaBoto3Session(boto3.Session):
    """boto3's session with the provider of irsa-creds in its chain.

    Args:
        strict: irsa-creds comes first in the chain, and raises an error if IRSA is not configured.
        provider: the only source of credentials; None: the chain.
        arguments: the arguments of `boto3.Session`.
    """

    def __init__(
        self, *, strict: bool = False, provider: Provider | None = None, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._arguments = {"strict": strict, **arguments}
        install(self, strict=strict, provider=provider)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._arguments.get("aws_secret_access_key"):
            raise TypeError(
                "This session has static keys, and a pickle must not contain secrets. "
                "Create the session where it is used."
            )
        # `install(session, provider=)` may have given it another one since.
        provider = given_provider(self._session)
        return partial(type(self), provider=provider, **self._arguments), ()
