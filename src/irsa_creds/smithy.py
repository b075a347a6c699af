"""The identity resolver for the AWS SDK for Python v4 (`aws-sdk-dynamodb` and others).

The SDK's own chain finds irsa-creds without it: it is for clients of one provider.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    _smithy  1   smithy: the SDK is optional
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_creds._engine.forks import FORKS

if TYPE_CHECKING:
    from irsa_creds._provider import Provider
    from irsa_creds._smithy.resolver import IrsaResolver

__all__ = ["resolver"]


def resolver(provider: Provider) -> IrsaResolver:
    """Return the resolver of a provider, for `aws_credentials_identity_resolver=` of a client.

    A copy of it is the same object. Its `invalidate()` starts a refresh if the key is older than 60
    s, and the key is used until then.

    Args:
        provider: the provider of the credentials.

    Raises:
        ImportError: the SDK is not installed, or has another interface than the tried ones.
    """
    made: IrsaResolver = FORKS.import_module("irsa_creds._smithy.resolver").IrsaResolver(provider)
    return made
