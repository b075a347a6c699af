"""One refresh for many threads, tasks and loops, sync and async; it belongs to no caller."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import trio
import trio.testing
import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

import irsa_creds
from engine_fakes import provider_of
from irsa_creds import ExchangeError
from irsa_creds._registry import engine_of
from irsa_creds.aiobotocore import AioIrsaCredentials
from irsa_creds.botocore import IrsaCredentials
from races.crowd import LoopThread, waiting_for
from races.harness import LoopbackSts, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from engine_fakes import Rig
    from irsa_creds.testing import Sandbox

CROWD = 1000
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _each_caller_waits_once_for_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a slow machine time: a caller that looks again at the refresh would be counted twice."""
    for name in (
        "_engine.waiting._LOOK_AGAIN",
        "_engine.waiting._QUEUED_PATIENCE",
        "_engine.timing.ATTEMPT_SECONDS",
        "_engine.timing.BLOCKING_SECONDS",
        "_exchange.sts._READ_SECONDS",
    ):
        monkeypatch.setattr(f"irsa_creds.{name}", 2 * PATIENCE)


@pytest.fixture
def sts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackSts]:
    """Start an STS on the loopback interface, and make this process a pod with IRSA installed."""
    with LoopbackSts() as opened:
        for name, value in opened.pod(tmp_path).items():
            monkeypatch.setenv(name, value)
        irsa_creds.install()
        yield opened


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Return a pool of threads with small stacks, so that a thousand fit into a small machine."""
    before = threading.stack_size(256 * 1024)
    try:
        with ThreadPoolExecutor(count) as pool:
            yield pool
    finally:
        threading.stack_size(before)


@contextmanager
def loops(count: int) -> Iterator[list[LoopThread]]:
    with ExitStack() as stack:
        yield [stack.enter_context(LoopThread()) for _ in range(count)]


def boto3_key(session: Any) -> str:
    return str(session.get_credentials().get_frozen_credentials().access_key)


async def aio_key(session: Any) -> str:
    frozen = await (await session.get_credentials()).get_frozen_credentials()
    return str(frozen.access_key)


def results(futures: list[Future[Any]]) -> list[Any]:
    """Return the result or the exception of each future."""
    return [each.exception(PATIENCE) or each.result() for each in futures]


# -- one refresh for all ---------------------------------------------------------------------------


def test_sixty_four_cold_sessions_sync_and_async_on_four_loops_make_one_call(
    sts: LoopbackSts,
) -> None:
    sts.gate.clear()
    engine = engine_of(irsa_creds.provider())
    with threads(32) as pool, loops(4) as running:
        futures = [pool.submit(boto3_key, boto3.Session()) for _ in range(32)]
        futures += [running[n % 4].submit(aio_key(AioSession())) for n in range(32)]
        eventually(lambda: waiting_for(engine) == 64)
        sts.gate.set()
        assert set(results(futures)) == {f"ASIA{1:016d}"}
    assert len(sts.calls) == 1
    assert irsa_creds.provider().status().flights == 1


def test_a_thousand_threads_and_a_thousand_tasks_share_the_one_refresh_that_fails(
    sts: LoopbackSts,
) -> None:
    sts.error = "AccessDenied"
    sts.gate.clear()
    provider = irsa_creds.provider()
    sync, aio = provider.botocore_credentials(), provider.aiobotocore_credentials()
    with threads(CROWD) as pool, loops(2) as running:
        futures: list[Future[Any]] = []
        for number in range(CROWD // 2):
            loop = running[number % 2]
            futures += [
                pool.submit(provider.get),
                pool.submit(sync.get_frozen_credentials),
                loop.submit(provider.aget()),
                loop.submit(aio.get_frozen_credentials()),
            ]
        eventually(lambda: waiting_for(engine_of(provider)) == 2 * CROWD, PATIENCE)
        sts.gate.set()
        # A benchmark measures the time from the refresh to the last caller.
        errors = results(futures)

    assert len(sts.calls) == 1
    assert provider.status().flights == 1
    assert all(isinstance(error, ExchangeError) for error in errors)
    # Callers of botocore's objects get subclasses of botocore's errors.
    assert sum(isinstance(error, ClientError) for error in errors) == CROWD
    # One failure, and one exception with its own traceback for each caller.
    assert len({id(error.failure) for error in errors}) == 1
    assert len({id(error) for error in errors}) == 2 * CROWD
    assert all(error.__cause__ is None and error.__context__ is None for error in errors)


def test_a_refresh_continues_if_its_first_task_is_cancelled_and_its_loop_closed(
    sts: LoopbackSts, caplog: pytest.LogCaptureFixture
) -> None:
    sts.gate.clear()
    provider = irsa_creds.provider()
    # One session for both loops.
    session = AioSession()
    with threads(3) as pool, loops(2) as (doomed, other):
        first = doomed.submit(aio_key(session))
        eventually(sts.arrived.is_set)
        others: list[Future[Any]] = [
            other.submit(aio_key(session)),
            other.submit(aio_key(AioSession())),
            pool.submit(boto3_key, boto3.Session()),
        ]
        plain = [other.submit(provider.aget()), pool.submit(provider.get)]
        eventually(lambda: waiting_for(engine_of(provider)) == 6)
        doomed.kill()
        assert first.cancelled()
        # A new caller joins the same refresh, which still lists the cancelled task.
        plain.append(pool.submit(provider.get))
        eventually(lambda: waiting_for(engine_of(provider)) == 7)
        sts.gate.set()
        keys = {*results(others), *(found.access_key_id for found in results(plain))}
        # The session works on a later loop.
        keys.add(asyncio.run(aio_key(session)))
    assert keys == {f"ASIA{1:016d}"}
    assert len(sts.calls) == 1
    assert provider.status().flights == 1
    assert [each for each in caplog.records if each.name == "asyncio"] == []


def test_boto3_in_a_coroutine_does_not_block_the_refresh_that_its_loop_waits_for(
    sts: LoopbackSts,
) -> None:
    sts.gate.clear()
    boto, engine = boto3.Session(), engine_of(irsa_creds.provider())

    def release() -> None:
        # The three tasks, and the only thread of this loop.
        eventually(lambda: waiting_for(engine) == 4)
        sts.gate.set()

    async def main() -> set[str]:
        tasks = [asyncio.create_task(aio_key(AioSession())) for _ in range(3)]
        await asyncio.to_thread(eventually, lambda: waiting_for(engine) == 3)
        return {boto3_key(boto), *await asyncio.gather(*tasks)}

    with threads(1) as pool:
        released = pool.submit(release)
        assert asyncio.run(main()) == {f"ASIA{1:016d}"}
        released.result(PATIENCE)
    assert len(sts.calls) == 1


# -- refreshes -------------------------------------------------------------------------------------


def of(rig: Rig) -> tuple[IrsaCredentials, AioIrsaCredentials]:
    """Return the credentials objects of an engine, sync and async."""
    provider = provider_of(rig.engine)
    return IrsaCredentials(provider), AioIrsaCredentials(provider)


@dataclass(eq=False)
class Reader:
    """Reads in a loop, and counts.

    Attributes:
        reads: the number of completed reads.
        key: the key of the last read.
    """

    stop: threading.Event
    reads: int = 0
    key: str = ""
    keys: list[str] = field(default_factory=list)

    def note(self, frozen: Any) -> None:
        if frozen.access_key != self.key:
            self.key = str(frozen.access_key)
            self.keys.append(self.key)
        assert frozen.secret_key == f"secret-{int(self.key.removeprefix('ASIA'))}"
        self.reads += 1

    def run(self, credentials: IrsaCredentials) -> None:
        while not self.stop.wait(0.001):
            self.note(credentials.get_frozen_credentials())

    async def arun(self, credentials: AioIrsaCredentials) -> None:
        while not self.stop.is_set():
            self.note(await credentials.get_frozen_credentials())
            await asyncio.sleep(0.001)


def test_no_read_of_sixteen_threads_and_two_hundred_tasks_waits_for_a_refresh(here: Rig) -> None:
    here.warm()
    sync, aio = of(here)
    stop = threading.Event()
    readers = [Reader(stop) for _ in range(216)]

    def all_have(key: str) -> None:
        """Wait until every reader has completed two more reads."""
        before = [each.reads for each in readers]
        eventually(lambda: all(r.reads > b + 1 for r, b in zip(readers, before, strict=True)))
        assert {each.key for each in readers} == {key}

    with threads(16) as pool, loops(2) as running:
        futures: list[Future[None]] = [pool.submit(each.run, sync) for each in readers[:16]]
        futures += [
            running[number % 2].submit(each.arun(aio)) for number, each in enumerate(readers[16:])
        ]
        try:
            for number in (1, 2, 3):
                all_have(f"ASIA{number:016d}")
                # A refresh is due, and STS does not respond: a read that waited would not complete.
                here.sts.hold.clear()
                here.clock.advance(here.engine.snapshot.refresh_at - here.clock.now())
                eventually(lambda calls=number + 1: here.sts.calls == calls)  # type: ignore[misc]
                all_have(f"ASIA{number:016d}")
                assert waiting_for(here.engine) == 0
                here.finish()
        finally:
            stop.set()
        assert results(list(futures)) == [None] * 216
    assert here.sts.calls == 4
    assert all(each.keys[:3] == [f"ASIA{n:016d}" for n in (1, 2, 3)] for each in readers)


# -- other loops -----------------------------------------------------------------------------------


def no_thread_more(rig: Rig, before: int) -> bool:
    """Return whether the refresh has the only thread while two hundred tasks wait."""
    return waiting_for(rig.engine) == 200 and threading.active_count() <= before + 1


def test_two_hundred_tasks_on_uvloop_wait_without_a_thread_each(here: Rig) -> None:
    _, credentials = of(here)
    here.sts.hold.clear()

    async def main() -> list[Any]:
        before = threading.active_count()
        tasks = [asyncio.create_task(credentials.get_frozen_credentials()) for _ in range(200)]
        await asyncio.sleep(0)
        assert no_thread_more(here, before)
        here.sts.hold.set()
        return await asyncio.gather(*tasks)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(main())
    assert len(set(map(id, found))) == 1
    assert here.sts.calls == 1


def test_two_hundred_tasks_on_trio_wait_without_a_thread_each(here: Rig) -> None:
    _, credentials = of(here)
    here.sts.hold.clear()
    found: list[Any] = []

    async def read() -> None:
        found.append(await credentials.get_frozen_credentials())

    async def main() -> None:
        before = threading.active_count()
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            assert no_thread_more(here, before)
            here.sts.hold.set()

    trio.run(main)
    assert len(found) == 200
    assert len(set(map(id, found))) == 1
    assert here.sts.calls == 1


# aiobotocore warns that it needs the successor of httpx.
def test_twenty_tasks_of_trio_read_from_s3_with_one_call(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.deploy().environ.items():
        monkeypatch.setenv(name, value)
    sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
    sandbox.reset_calls()
    session = irsa_creds.aiobotocore_session()
    config = AioConfig(http_session_cls=HttpxSession)
    found: list[bytes] = []

    async def main() -> None:
        async with session.create_client("s3", config=config) as s3, trio.open_nursery() as tasks:

            async def read() -> None:
                response = await s3.get_object(Bucket="data", Key="greeting")
                found.append(await response["Body"].read())

            for _ in range(20):
                tasks.start_soon(read)

    trio.run(main)
    assert found == [b"hello"] * 20
    assert len(sandbox.sts_calls) == 1
    assert {each.access_key_id for each in sandbox.s3_identities} == {
        sandbox.sts_calls[0].access_key_id
    }
