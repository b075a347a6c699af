"""Sessions and clients of aiobotocore with the credentials of a given provider: `provider=`."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

import irsa_creds
from aio.loops import on_asyncio, resolved
from botocore_sessions import give_node_role, key_of
from engine_fakes import FakeClock, FakeSts, eventually, join_refreshes

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds import Provider
    from irsa_creds.testing import Sandbox


def by_aiobotocore_session(provider: Provider) -> AioSession:
    return irsa_creds.aiobotocore_session(provider=provider)


def by_install(provider: Provider) -> AioSession:
    session = AioSession()
    irsa_creds.install(session, provider=provider)
    return session


def by_install_after_another_look(provider: Provider) -> AioSession:
    session = AioSession()
    give_node_role(session)
    irsa_creds.install(session, provider=provider)
    return session


def before_strict_install_and_uninstall(provider: Provider) -> AioSession:
    session = by_aiobotocore_session(provider)
    resolved(session)
    irsa_creds.install(strict=True)
    irsa_creds.install(session, strict=True)
    irsa_creds.uninstall()
    return session


def unpickled(provider: Provider) -> Any:
    return pickle.loads(pickle.dumps(by_aiobotocore_session(provider)))


@pytest.mark.parametrize(
    "way",
    [
        by_aiobotocore_session,
        by_install,
        by_install_after_another_look,
        before_strict_install_and_uninstall,
        unpickled,
    ],
)
def test_a_tenants_client_works_after_expired_token_and_reaches_only_its_own_data(
    way: Callable[[Provider], AioSession], tenant: Provider, sandbox: Sandbox
) -> None:
    async def main() -> None:
        async with session.create_client("s3") as s3:
            await s3.put_object(Bucket="data", Key="red/order", Body=b"apples")
            sandbox.expire_credentials()
            with pytest.raises(ClientError, match="ExpiredToken"):
                await s3.get_object(Bucket="data", Key="red/order")
            # The timer starts the refresh; the call does not wait for it.
            eventually(lambda: len(sandbox.sts_calls) == 2, seconds=10)
            join_refreshes()

            for _ in range(4):
                found = await s3.get_object(Bucket="data", Key="red/order")
                assert await found["Body"].read() == b"apples"
            with pytest.raises(ClientError, match="AccessDenied"):
                await s3.get_object(Bucket="data", Key="blue/order")

    session = way(tenant)
    on_asyncio(main)
    assert len(sandbox.sts_calls) == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_of_a_session_has_the_provider_that_install_gave_it(
    copied: Callable[[Any], Any], tenant: Provider
) -> None:
    session = irsa_creds.aiobotocore_session()
    irsa_creds.install(session, provider=tenant)
    assert resolved(copied(session)).provider is tenant


@pytest.mark.usefixtures("pod_without_timer")
def test_presigned_urls_of_a_given_provider_outlast_their_seconds(
    clock: FakeClock, sts: FakeSts
) -> None:
    async def main() -> list[str]:
        keys = []
        async with session.create_client("s3") as s3:
            for _ in range(2):
                what = {"Bucket": "data", "Key": "x"}
                keys.append(key_of(await s3.generate_presigned_url("get_object", what, 900)))
                clock.advance(58 * 60)
        return keys

    irsa_creds.uninstall()
    session = by_aiobotocore_session(irsa_creds.provider())
    assert on_asyncio(main) == ["ASIA0000000000000001", "ASIA0000000000000002"]


def test_static_keys_beside_a_provider_are_an_error(tenant: Provider) -> None:
    session = AioSession()
    session.set_credentials("AKID", "secret")
    with pytest.raises(ValueError, match="static keys"):
        irsa_creds.install(session, provider=tenant)
