"""Callers with valid credentials start no thread and do no I/O; cold identities share threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from races.harness import beside, eventually, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine_fakes import FakeClock
    from races.harness import LoopbackSts


@pytest.fixture
def provider(
    pod: dict[str, str], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> irsa_creds.Provider:
    """A provider with credentials, on a clock that the test moves."""
    del pod
    # A private name, because no public one takes a clock.
    monkeypatch.setattr("irsa_creds._provider.REGISTRY._clock", clock)
    made = irsa_creds.provider()
    made.get()
    return made


def test_the_timer_starts_background_refreshes_and_callers_start_no_thread(
    provider: irsa_creds.Provider,
    clock: FakeClock,
    sts: LoopbackSts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = provider.get()
    eventually(lambda: any(each.name == "irsa-creds-timer" for each in threading.enumerate()))
    started_by: list[str] = []
    start = threading.Thread.start

    def noting(thread: threading.Thread) -> None:
        if thread.name.startswith("irsa-creds"):
            started_by.append(threading.current_thread().name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noting)
    # The refresh is due, and the timer sleeps in real time.
    clock.advance(3_400)
    assert provider.get() is first
    eventually(lambda: len(sts.calls) == 2)
    eventually(lambda: provider.get() is not first)
    assert started_by == ["irsa-creds-timer"]


@contextlib.contextmanager
def slow_volume(file: str) -> Iterator[set[str]]:
    """Let each look at a file last until the end of the block; yield the threads that look at it.

    A look on the main thread does not wait, because the block would never end.
    """
    threads: set[str] = set()
    ended = threading.Event()

    def slow(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, str | os.PathLike) and os.fspath(path) == file:
                threads.add(threading.current_thread().name)
                if threading.current_thread() is not threading.main_thread():
                    assert ended.wait(30)
            return function(path, *arguments, **options)

        return look

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", slow(os.stat))
        patch.setattr(os, "open", slow(os.open))
        try:
            yield threads
        finally:
            ended.set()


@pytest.fixture
def token_file(
    provider: irsa_creds.Provider, clock: FakeClock, sts: LoopbackSts, pod: dict[str, str]
) -> Path:
    """The file of a token that STS has denied in a background refresh, and that has changed."""
    clock.advance(3_400)
    sts.error = "InvalidIdentityToken"
    provider.prefetch()
    eventually(lambda: provider.status().last_failure)
    sts.error = ""
    file = Path(pod["AWS_WEB_IDENTITY_TOKEN_FILE"])
    file.write_text(file.read_text() + "x")
    return file


def test_a_slow_volume_of_a_denied_token_blocks_no_caller_with_valid_credentials(
    provider: irsa_creds.Provider, clock: FakeClock, token_file: Path
) -> None:
    first = provider.get()

    async def read() -> None:
        for _ in range(8):
            # After a second, a look at a denied token is due.
            clock.advance(0.5)
            assert await provider.aget() is first
            assert provider.get() is first

    with slow_volume(str(token_file)) as looked_by:
        asyncio.run(read())
        eventually(lambda: looked_by)
    assert looked_by == {"irsa-creds-refresh"}
    eventually(lambda: provider.get() is not first)


def test_a_token_from_the_year_14645_replaces_a_denied_one(
    provider: irsa_creds.Provider,
    clock: FakeClock,
    token_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = provider.get()
    seen = list(token_file.stat())
    seen[stat.ST_MTIME] = 400_000_000_000
    # A file system such as ext4 would store the year 2446 instead.
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result(seen))
    clock.advance(1.5)
    eventually(lambda: provider.get() is not first)


def test_two_hundred_and_fifty_cold_identities_take_turns_in_sixty_four_threads(
    sts: LoopbackSts, environ: dict[str, str], tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    sts.gate.clear()

    def answer_when_all_wait() -> None:
        eventually(go_on.exists, 60)
        sts.gate.set()

    with beside(answer_when_all_wait):
        ended = run("cold_identities.py", {**environ, "GO_ON": str(go_on)}, 250)
    assert (ended.status, ended.err) == (0, "")
    most, keys = ended.out.split()
    assert int(most) == 64
    assert int(keys) == len(sts.calls) == 250
