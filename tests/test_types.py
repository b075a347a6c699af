"""The types of the public names, as mypy and pyright see them in other programs: `make lint`.

Both report a comment that ignores no error, so each comment here stands for an error.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, assert_type

import boto3
import botocore.session
import pytest
from aiobotocore.session import AioSession
from mypy_boto3_iam import IAMClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sts import STSClient

import irsa_creds
from irsa_creds._sessions.factories import AioSessionArguments, Boto3Arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds import Provider
    from irsa_creds.aiobotocore import AioIrsaCredentials
    from irsa_creds.botocore import IrsaCredentials
    from irsa_creds.testing import Irsa, Sandbox


def test_install_takes_only_sessions() -> None:
    with pytest.raises(TypeError, match="not a int"):
        irsa_creds.install(42)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not a str"):
        irsa_creds.install("boto3")  # type: ignore[arg-type]
    irsa_creds.install(boto3.Session())
    irsa_creds.install(botocore.session.Session())
    irsa_creds.install(AioSession())


def test_sessions_take_only_the_arguments_of_their_library() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        irsa_creds.boto3_session(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nonsense"):
        irsa_creds.aiobotocore_session(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"irsa_creds\.Provider"):
        irsa_creds.boto3_session(provider="tenant")  # type: ignore[arg-type]
    assert_type(irsa_creds.boto3_session(region_name="eu-west-1"), boto3.Session)
    assert_type(irsa_creds.aiobotocore_session(), AioSession)


@pytest.mark.parametrize(
    ("named", "session"), [(Boto3Arguments, boto3.Session), (AioSessionArguments, AioSession)]
)
def test_the_named_arguments_match_the_library(named: type, session: Callable[..., object]) -> None:
    assert named.__annotations__.keys() == inspect.signature(session).parameters.keys()


def test_values_of_credentials_objects_are_texts(tenant: Provider) -> None:
    credentials: IrsaCredentials = tenant.botocore_credentials()
    assert_type(credentials.access_key, str)
    assert_type(credentials.secret_key, str)
    assert_type(credentials.token, str)
    assert_type(credentials.account_id, str | None)
    assert_type(credentials.get_frozen_credentials().token, str)


async def values_of_async_credentials_objects_are_texts(credentials: AioIrsaCredentials) -> None:
    """Is checked, and not called."""
    assert_type(await credentials.get_access_key(), str)
    assert_type(await credentials.get_token(), str)
    assert_type((await credentials.get_frozen_credentials()).secret_key, str)


def administrators_clients_are_those_of_the_stubs(irsa: Irsa, sandbox: Sandbox) -> None:
    """Is checked, and not called."""
    assert_type(irsa.client("s3"), S3Client)
    assert_type(irsa.client("iam"), IAMClient)
    assert_type(sandbox.client("sts", account_id="123456789012"), STSClient)
    irsa.client("sqs")  # type: ignore[call-overload]
