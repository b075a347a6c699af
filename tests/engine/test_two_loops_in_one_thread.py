"""asyncio and trio in one thread, one inside the other: each task waits on its own loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest
import trio
import uvloop

from engine_fakes import rig
from irsa_creds._engine.waiting import aacquire


def cold() -> Any:
    """Return an engine without credentials, so that each reader must wait."""
    return rig().engine


async def first() -> str:
    return (await aacquire(cold())).credentials.secret_access_key


def by_asyncio() -> str:
    return asyncio.run(first())


def by_uvloop() -> str:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(first())


def by_trio() -> str:
    return str(trio.run(first))


INNER = {"asyncio": by_asyncio, "uvloop": by_uvloop, "trio": by_trio}


@pytest.mark.parametrize("inner", ["asyncio", "uvloop"])
def test_an_asyncio_loop_inside_a_trio_task_waits_on_asyncio(inner: str) -> None:
    async def main() -> list[str]:
        return [INNER[inner](), await first()]

    assert trio.run(main) == ["secret-1", "secret-1"]


def test_trio_inside_an_asyncio_task_waits_on_trio() -> None:
    async def main() -> list[str]:
        return [by_trio(), await first()]

    assert asyncio.run(main()) == ["secret-1", "secret-1"]


def test_tasks_of_trio_in_guest_mode_and_of_its_host_loop_wait_at_the_same_time() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def over(outcome: Any) -> None:
            done.set_result(outcome.unwrap())

        trio.lowlevel.start_guest_run(
            first, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=over
        )
        return [await first(), await done]

    assert asyncio.run(main()) == ["secret-1", "secret-1"]


FORK = """
import asyncio, os, sys, trio
from irsa_creds._engine.waiting import aacquire
from engine_fakes import rig

async def main():
    pid = os.fork()
    if not pid:
        found = asyncio.run(aacquire(rig().engine))
        os._exit(0 if found.credentials.secret_access_key == "secret-1" else 1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

trio.run(main)
"""


def test_an_asyncio_loop_in_a_child_that_a_trio_task_forked_waits_on_asyncio() -> None:
    # In a separate process: this one has threads, and must not fork.
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", FORK], env=path, timeout=60, check=False)
    assert done.returncode == 0
