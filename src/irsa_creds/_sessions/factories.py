"""Sessions with the provider of irsa-creds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    import boto3
    import botocore.session
    from aiobotocore.session import AioSession

    from irsa_creds._provider import Provider

__all__ = ["AioSessionArguments", "Boto3Arguments", "aiobotocore_session", "boto3_session"]


class Boto3Arguments(TypedDict, total=False):
    """The arguments of `boto3.Session`."""

    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    aws_session_token: str | None
    region_name: str | None
    botocore_session: botocore.session.Session | None
    profile_name: str | None
    aws_account_id: str | None


class AioSessionArguments(TypedDict, total=False):
    """The arguments of `aiobotocore.session.AioSession`."""

    session_vars: Mapping[str, Any] | None
    event_hooks: Any
    include_builtin_handlers: bool
    profile: str | None


def boto3_session(
    *, strict: bool = False, provider: Provider | None = None, **arguments: Unpack[Boto3Arguments]
) -> boto3.Session:
    """Return a boto3 session with the provider of irsa-creds; it pickles as its arguments.

    Args:
        strict: irsa-creds comes first in the chain, and raises an error if neither IRSA nor EKS Pod
            Identity (or Amazon ECS) is configured.
        provider: its clients get the credentials of this provider, with the exceptions of
            `install(session, provider=)`; None: the environment's.
        arguments: the arguments of `boto3.Session`.

    Raises:
        TypeError: `provider` is not a provider, or an argument is unknown.
        ValueError: the arguments have both static keys and `provider`.
    """
    from irsa_creds._sessions.boto3_session import IrsaBoto3Session  # noqa: PLC0415 - boto3 is not a dependency

    return IrsaBoto3Session(strict=strict, provider=provider, **arguments)


def aiobotocore_session(
    *,
    strict: bool = False,
    provider: Provider | None = None,
    **arguments: Unpack[AioSessionArguments],
) -> AioSession:
    """Return an aiobotocore session with the provider of irsa-creds; it pickles as its arguments.

    Args:
        strict: irsa-creds comes first in the chain, and raises an error if neither IRSA nor EKS Pod
            Identity (or Amazon ECS) is configured.
        provider: its clients get the credentials of this provider, with the exceptions of
            `install(session, provider=)`; None: the environment's.
        arguments: the arguments of `aiobotocore.session.AioSession`.

    Raises:
        TypeError: `provider` is not a provider, or an argument is unknown.
    """
    from irsa_creds._sessions.aiobotocore_session import IrsaAioSession  # noqa: PLC0415 - aiobotocore is not a dependency

    return IrsaAioSession(strict=strict, provider=provider, **arguments)
