"""Presigned URLs of aiobotocore end when they say, and the loop is never blocked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession

import irsa_creds
from aio.loops import LOOPS, on_asyncio
from botocore_sessions import key_of, warnings
from engine_fakes import FakeClock, FakeSts, eventually, failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FIRST, SECOND = "ASIA0000000000000001", "ASIA0000000000000002"
MINUTE = 60.0
OBJECT = {"Bucket": "data", "Key": "report"}
pytestmark = pytest.mark.usefixtures("pod_without_timer")


async def later(clock: FakeClock, presign: Callable[[Any], Awaitable[Any]], **config: Any) -> Any:
    """Return what a client presigns after 58 quiet minutes."""
    config |= {"http_session_cls": HttpxSession}
    async with AioSession().create_client("s3", config=AioConfig(**config)) as s3:
        assert key_of(await presign(s3)) == FIRST
        clock.advance(58 * MINUTE)
        return await presign(s3)


async def url(s3: Any) -> str:
    signed: str = await s3.generate_presigned_url("get_object", OBJECT, 900)
    return signed


async def post(s3: Any) -> dict[str, Any]:
    signed: dict[str, Any] = await s3.generate_presigned_post("data", "report", ExpiresIn=900)
    return signed


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("presign", [url, post])
def test_after_58_quiet_minutes_a_presigned_url_has_a_key_that_outlasts_it(
    presign: Callable[[Any], Awaitable[Any]],
    version: str,
    loop: str,
    clock: FakeClock,
    sts: FakeSts,
) -> None:
    signed = LOOPS[loop](lambda: later(clock, presign, signature_version=version))
    assert key_of(signed) == SECOND
    assert sts.calls == 2


def test_urls_of_an_aiobotocore_session_of_irsa_creds_outlast_their_seconds(
    clock: FakeClock,
) -> None:
    async def main() -> str:
        session: AioSession = irsa_creds.aiobotocore_session()
        async with session.create_client("s3") as s3:
            await url(s3)
            clock.advance(58 * MINUTE)
            return await url(s3)

    irsa_creds.uninstall()
    assert key_of(on_asyncio(main)) == SECOND


def test_a_password_of_rds_outlasts_its_15_minutes(clock: FakeClock) -> None:
    async def password() -> str:
        async with AioSession().create_client("rds") as rds:
            await rds.generate_db_auth_token("db.example", 5432, "app")
            clock.advance(58 * MINUTE)
            return f"https://{await rds.generate_db_auth_token('db.example', 5432, 'app')}"

    assert key_of(on_asyncio(password)) == SECOND


def test_the_loop_runs_while_a_url_waits_for_its_refresh(clock: FakeClock, sts: FakeSts) -> None:
    async def main() -> str:
        async with AioSession().create_client("s3") as s3:
            await url(s3)
            clock.advance(58 * MINUTE)
            sts.hold.clear()
            waiting = asyncio.create_task(url(s3))
            # The loop would stand still here if the other task blocked it.
            await asyncio.to_thread(eventually, lambda: sts.calls == 2)
            assert not waiting.done()
            sts.hold.set()
            return await waiting

    assert key_of(on_asyncio(main)) == SECOND


def test_if_sts_fails_the_url_is_signed_and_one_warning_names_the_seconds(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> list[str]:
        async with AioSession().create_client("s3") as s3:
            await url(s3)
            clock.advance(58 * MINUTE)
            sts.down = failure("AccessDenied", retryable=False)
            return await asyncio.gather(*(url(s3) for _ in range(20)))

    assert {key_of(each) for each in on_asyncio(main)} == {FIRST}
    [found] = [each for each in warnings(caplog) if "presigned" in each]
    assert "for 900 s ends in 120 s" in found


def test_a_url_for_more_than_the_lifetime_never_waits_for_it_and_warns_once(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with AioSession().create_client("s3") as s3:
            for _ in range(3):
                await s3.generate_presigned_url("get_object", OBJECT, ExpiresIn=86_400)

    on_asyncio(main)
    [found] = warnings(caplog)
    assert "last 3600 s at most" in found
    assert sts.calls == 1


def test_a_client_with_keys_of_its_own_starts_no_refresh(clock: FakeClock, sts: FakeSts) -> None:
    async def main() -> str:
        session = AioSession()
        await (await session.get_credentials()).get_frozen_credentials()
        clock.advance(58 * MINUTE)
        keys = {"aws_access_key_id": "AKIDOTHER", "aws_secret_access_key": "other"}
        async with session.create_client("s3", **keys) as s3:
            return await url(s3)

    assert key_of(on_asyncio(main)) == "AKIDOTHER"
    assert sts.calls == 1
