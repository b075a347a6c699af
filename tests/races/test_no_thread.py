"""If no thread can start, threads run refreshes themselves, tasks get an error, none hangs."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from irsa_creds import RefreshTimeout
from irsa_creds._registry import engine_of
from races.crowd import waiting_for
from races.harness import eventually

if TYPE_CHECKING:
    from races.harness import LoopbackSts

pytestmark = pytest.mark.usefixtures("pod")


def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no thread of irsa-creds start; the threads of the STS in this process may."""
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name.startswith("irsa-creds"):
            raise RuntimeError("can't start new thread")
        original(self)

    monkeypatch.setattr(threading.Thread, "start", start)


def test_a_thread_runs_the_refresh_itself_where_no_thread_can_start(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = irsa_creds.provider()
    no_threads(monkeypatch)
    assert provider.get() == provider.get()
    assert provider.status().flights == 1


def test_a_refresh_on_a_callers_thread_ends_when_its_callers_time_is_over(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()
    no_threads(monkeypatch)
    started = time.monotonic()
    with pytest.raises(irsa_creds.ExchangeError, match="ReadTimeoutError"):
        provider.get(timeout=0.3)
    # One response may take 10 s, and a caller may wait for four.
    assert time.monotonic() - started < 8
    assert len(sts.calls) == 1


def test_no_thread_is_started_while_the_interpreter_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = irsa_creds.provider()
    started: list[str] = []
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        started.append(self.name)
        original(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert provider.get()
    monkeypatch.undo()
    # These are the server's. A thread of irsa-creds would never have run, nor the read ended.
    assert not [name for name in started if name.startswith("irsa-creds")]


def test_a_task_gets_a_clear_error_where_no_thread_can_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = irsa_creds.provider()

    async def main() -> None:
        no_threads(monkeypatch)
        with pytest.raises(RefreshTimeout, match="No thread could be started"):
            await provider.aget(timeout=5)

    asyncio.run(main())
    # A thread gets credentials nevertheless.
    assert provider.get()


def test_valid_credentials_are_served_where_no_thread_can_start(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = irsa_creds.provider()
    first = provider.get()
    engine = engine_of(provider)
    # A refresh is due now.
    engine.snapshot.refresh_at = engine.snapshot.check_at = engine.now()
    no_threads(monkeypatch)
    assert provider.get() == first
    assert asyncio.run(provider.aget()) == first
    assert len(sts.calls) == 1
    assert provider.status().state == "stale"


def test_an_interrupt_of_the_caller_that_runs_a_refresh_does_not_fail_the_others(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = irsa_creds.provider()
    sts.gate.clear()
    keys: list[str] = []

    def wait() -> None:
        keys.append(provider.get(timeout=20).access_key_id)

    other = threading.Thread(target=wait)

    def interrupt() -> None:
        sts.arrived.wait(10)
        other.start()
        eventually(lambda: waiting_for(engine_of(provider)))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    no_threads(monkeypatch)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        provider.get()
    # The other caller looks again, and runs a refresh itself.
    sts.gate.set()
    other.join(20)
    assert not other.is_alive()
    assert len(keys) == 1
