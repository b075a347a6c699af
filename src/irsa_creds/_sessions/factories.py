"""Sessions with the provider of irsa-creds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3
    from aiobotocore.session import AioSession

__all__ = ["aiobotocore_session", "boto3_session"]


def boto3_session(*, strict: bool = False, **arguments: Any) -> boto3.Session:
    """Return a boto3 session with the provider of irsa-creds; it pickles as its arguments.

    Args:
        strict: irsa-creds comes first in the chain, and raises an error if IRSA is not configured.
        arguments: the arguments of `boto3.Session`.
    """
    from irsa_creds._sessions.boto3_session import IrsaBoto3Session  # noqa: PLC0415 - boto3 is not a dependency

    return IrsaBoto3Session(strict=strict, **arguments)


def aiobotocore_session(*, strict: bool = False, **arguments: Any) -> AioSession:
    """Return an aiobotocore session with the provider of irsa-creds; it pickles as its arguments.

    Args:
        strict: irsa-creds comes first in the chain, and raises an error if IRSA is not configured.
        arguments: the arguments of `aiobotocore.session.AioSession`.
    """
    from irsa_creds._sessions.aiobotocore_session import IrsaAioSession  # noqa: PLC0415 - aiobotocore is not a dependency

    return IrsaAioSession(strict=strict, **arguments)
