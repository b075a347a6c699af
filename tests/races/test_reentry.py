"""Code of others that runs in the middle of ours, and reads credentials there."""

from __future__ import annotations

import logging
import signal
import time
from typing import TYPE_CHECKING

import boto3
import pytest

import irsa_creds
from irsa_creds._provider import engine_of
from races.lab import eventually

if TYPE_CHECKING:
    from races.lab import LoopbackSts

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("pod")]


def test_a_signal_handler_that_reads_does_not_deadlock_with_the_read_it_interrupts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = irsa_creds.provider()
    engine = engine_of(provider)
    provider.get()
    signals: list[int] = []
    heard: list[str] = []

    def handler(number: int, _: object) -> None:
        engine.rouse()
        heard.append(provider.get(timeout=5).access_key_id)

    class InterruptingClock:
        """The engine looks at the wall under its lock; a signal may come there as anywhere."""

        def now(self) -> float:
            return engine.now()

        def wall(self) -> float:
            if not signals:
                signals.append(signal.SIGUSR1)
                signal.raise_signal(signal.SIGUSR1)
            return time.time()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        monkeypatch.setattr(engine, "_clock", InterruptingClock())
        engine.rouse()
        assert provider.get(timeout=5).access_key_id == "ASIA0000000000000001"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == ["ASIA0000000000000001"]


def test_a_log_handler_that_reads_credentials_does_not_deadlock(
    sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    irsa_creds.install()
    provider = irsa_creds.provider()
    session = boto3.Session()
    heard: list[str] = []

    class ToCloudWatch(logging.Handler):
        """Sends what it hears to AWS, on the thread that logs, with these very credentials."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                session.get_credentials().get_frozen_credentials()
            except irsa_creds.IrsaError as error:
                heard.append(type(error).__name__)
            else:
                heard.append("served")

    caplog.set_level(logging.INFO, "irsa_creds")
    monkeypatch.setattr(logging.getLogger("irsa_creds"), "handlers", [ToCloudWatch()])
    sts.refusal = "AccessDenied"
    with pytest.raises(irsa_creds.ExchangeError):
        provider.get(timeout=5)
    eventually(lambda: heard)
    sts.refusal = ""
    engine_of(provider)._outage.retry_now(0)
    assert provider.get(timeout=5)
    eventually(lambda: len(heard) > 1)
    assert heard == ["RefusedError", "served"]
