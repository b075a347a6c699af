"""A thousand threads, and callers that die: one refresh, which belongs to no caller."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING

import boto3
import pytest
import trio

import irsa_creds
from irsa_creds import Credentials, ExchangeError
from races.harness import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from races.harness import LoopbackSts

pytestmark = pytest.mark.usefixtures("pod")

CROWD = 1000


@pytest.fixture(autouse=True)
def _small_stacks() -> Iterator[None]:
    """Small stacks, so that a thousand threads fit into a small machine."""
    before = threading.stack_size(256 * 1024)
    yield
    threading.stack_size(before)


def test_a_thousand_threads_share_the_one_refresh_that_fails(sts: LoopbackSts) -> None:
    sts.error = "AccessDenied"
    sts.gate.clear()
    provider = irsa_creds.provider()
    threading.Timer(0.5, sts.gate.set).start()

    errors = at_once(CROWD, provider.get)

    assert len(sts.calls) == 1
    assert provider.status().flights == 1
    assert {type(error) for error in errors} == {ExchangeError}
    # One failure, and one for each second in which later callers get it from the cache. Each caller
    # has an exception with the traceback of its own thread.
    assert len({id(error.failure) for error in errors}) <= 1 + 5
    assert len({id(error) for error in errors}) == CROWD
    assert all(error.__cause__ is None and error.__context__ is None for error in errors)


def test_a_thousand_threads_share_one_response(sts: LoopbackSts) -> None:
    provider = irsa_creds.provider()

    found = at_once(CROWD, provider.get)

    assert len(sts.calls) == 1
    assert len({id(credentials) for credentials in found}) == 1
    assert isinstance(found[0], Credentials)


def test_threads_sessions_and_loops_share_one_response(sts: LoopbackSts) -> None:
    irsa_creds.install()
    provider = irsa_creds.provider()
    kinds = iter(range(64))

    def read() -> str:
        match next(kinds) % 3:
            case 0:
                return provider.get().access_key_id
            case 1:
                return asyncio.run(provider.aget()).access_key_id
            case _:
                found = boto3.Session().get_credentials()
                return str(found.get_frozen_credentials().access_key)

    assert len(set(at_once(48, read))) == 1
    assert len(sts.calls) == 1


def test_a_refresh_goes_on_when_the_thread_that_started_it_is_gone(sts: LoopbackSts) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()
    first = threading.Thread(target=provider.prefetch)
    first.start()
    first.join(10)
    assert not first.is_alive()
    eventually(sts.arrived.is_set)

    threading.Timer(0.1, sts.gate.set).start()

    assert provider.get().access_key_id
    assert len(sts.calls) == 1


def test_a_caller_that_is_interrupted_leaves_the_refresh_to_the_others(sts: LoopbackSts) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()
    found: list[Credentials] = []
    other = threading.Thread(target=lambda: found.append(provider.get()))

    def interrupt() -> None:
        sts.arrived.wait(10)
        other.start()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        provider.get()
    sts.gate.set()
    other.join(10)

    assert found == [provider.get()]
    assert len(sts.calls) == 1


def test_a_cancelled_task_leaves_the_refresh_to_the_others(sts: LoopbackSts) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()

    async def main() -> Credentials:
        first, other = (asyncio.create_task(provider.aget()) for _ in range(2))
        await asyncio.to_thread(sts.arrived.wait, 10)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        sts.gate.set()
        return await other

    assert asyncio.run(main()) == provider.get()
    assert len(sts.calls) == 1


def test_a_loop_that_is_closed_during_a_refresh_leaves_it_to_the_others(
    sts: LoopbackSts,
) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()
    loop = asyncio.new_event_loop()

    async def leave() -> None:
        task = asyncio.create_task(provider.aget())
        await asyncio.to_thread(sts.arrived.wait, 10)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    loop.run_until_complete(leave())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    # The refresh will still try to wake the closed loop.
    threading.Timer(0.1, sts.gate.set).start()

    assert asyncio.run(provider.aget()) == provider.get()
    assert len(sts.calls) == 1


def test_a_boto3_call_on_a_loop_with_tasks_that_await_the_refresh_does_not_deadlock(
    sts: LoopbackSts,
) -> None:
    irsa_creds.install()
    provider = irsa_creds.provider()
    sts.gate.clear()

    async def main() -> set[str]:
        tasks = [asyncio.create_task(provider.aget()) for _ in range(3)]
        await asyncio.to_thread(sts.arrived.wait, 10)
        threading.Timer(0.1, sts.gate.set).start()
        # This blocks the only loop while its tasks wait for the same refresh.
        frozen = boto3.Session().get_credentials().get_frozen_credentials()
        return {frozen.access_key, *[(await task).access_key_id for task in tasks]}

    assert len(asyncio.run(main())) == 1
    assert len(sts.calls) == 1


def test_a_caller_with_little_patience_leaves_the_refresh_to_the_others(sts: LoopbackSts) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()
    with pytest.raises(irsa_creds.RefreshTimeout):
        provider.get(timeout=0.05)
    with pytest.raises(irsa_creds.RefreshTimeout):
        asyncio.run(provider.aget(timeout=0.05))
    sts.gate.set()
    assert provider.get()
    assert len(sts.calls) == 1


def test_a_trio_run_that_ends_during_a_refresh_leaves_it_to_the_others(
    sts: LoopbackSts,
) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()

    async def leave() -> None:
        with trio.move_on_after(0.1):
            await provider.aget()

    trio.run(leave)
    threading.Timer(0.1, sts.gate.set).start()

    assert trio.run(provider.aget) == provider.get()
    assert len(sts.calls) == 1
