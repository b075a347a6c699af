"""DNS that hangs: callers with valid credentials do not notice, others get an error in time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from irsa_creds import RefreshTimeout
from irsa_creds._registry import engine_of
from races.harness import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from races.harness import LoopbackSts

pytestmark = pytest.mark.usefixtures("pod")


class HangingDns:
    """A resolver that does not respond until it is released."""

    def __init__(self) -> None:
        self.called = threading.Semaphore(0)
        self.released = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.called.release()
        self.released.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], HangingDns]]:
    """Return a function that lets all DNS look-ups hang from then on."""
    hanging = HangingDns()

    def hang() -> HangingDns:
        monkeypatch.setattr(socket, "getaddrinfo", hanging)
        return hanging

    yield hang
    hanging.released.set()
    # None may go on during the next test.
    eventually(lambda: not any(t.name == "irsa-creds-refresh" for t in threading.enumerate()))


@pytest.fixture
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit refreshes to a third of a second instead of 30 s."""
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_SECONDS", 0.3)
    monkeypatch.setattr("irsa_creds._engine.timing.ATTEMPT_SECONDS", 0.3)
    monkeypatch.setattr("irsa_creds._engine.timing.OVERDUE_GRACE", 0.05)


def test_callers_with_valid_credentials_never_notice_that_dns_hangs(
    dns: Callable[[], HangingDns], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "irsa_creds._engine.timing.age_after_blocking", lambda lifetime, uniform: 0.1
    )
    monkeypatch.setattr("irsa_creds._engine.timing.background_seconds", lambda left: 0.2)
    provider = irsa_creds.provider()
    first = provider.get()
    hanging = dns()

    def wait(*_: object) -> None:
        raise AssertionError("a caller waits")

    monkeypatch.setattr("irsa_creds._engine.waiting._wait", wait)

    def failed_twice() -> bool:
        assert provider.get() == first
        failure = provider.status().last_failure
        return failure is not None and (failure.code, failure.in_a_row) == ("RefreshTimeout", 2)

    eventually(failed_twice)
    assert hanging.called.acquire(timeout=0)
    # Two may hang, and one more each minute: no other attempt starts a thread.
    monkeypatch.setattr(engine_of(provider)._backoff, "not_before", float("-inf"))
    for _ in range(100):
        engine_of(provider).leave_fast_path()
        assert provider.get() == first
    assert provider.status().flights == 3


@pytest.mark.usefixtures("short_deadlines")
def test_callers_without_credentials_get_a_timeout_when_dns_hangs(
    dns: Callable[[], HangingDns],
) -> None:
    dns()
    provider = irsa_creds.provider()
    started = time.monotonic()

    errors = at_once(20, lambda: provider.get(timeout=40))

    assert time.monotonic() - started < 40
    assert {type(error) for error in errors} == {RefreshTimeout}
    assert all("DNS server, proxy or token callable" in str(error) for error in errors)
    assert provider.status().flights == 1


def test_a_callers_own_deadline_comes_before_the_refreshs(dns: Callable[[], HangingDns]) -> None:
    dns()
    provider = irsa_creds.provider()
    started = time.monotonic()
    with pytest.raises(RefreshTimeout, match=r"within 0\.1 s"):
        provider.get(timeout=0.1)
    with pytest.raises(RefreshTimeout, match=r"within 0\.1 s"):
        asyncio.run(provider.aget(timeout=0.1))
    # A refresh may take 30 s.
    assert time.monotonic() - started < 25


@pytest.mark.usefixtures("short_deadlines")
def test_refreshes_that_hang_are_two_and_then_one_a_minute_and_sixteen_at_most(
    dns: Callable[[], HangingDns], monkeypatch: pytest.MonkeyPatch
) -> None:
    dns()
    provider = irsa_creds.provider()
    engine = engine_of(provider)

    def read() -> str:
        with pytest.raises(RefreshTimeout) as caught:
            provider.get(timeout=10)
        # The timer may note the failure after the caller has got it.
        eventually(lambda: engine.refresh is None)
        # End the cached failure, which would last for many seconds.
        engine._backoff.cached_until = engine._backoff.not_before = engine.now()
        return str(caught.value)

    for _ in range(2):
        assert "did not end within" in read()
    assert "No further refresh was started" in read()
    assert provider.status().flights == 2

    # One more each minute.
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_SECONDS", 0.05)
    monkeypatch.setattr("irsa_creds._engine.timing.OVERDUE_INTERVAL", 0.0)
    for number in range(3, 17):
        assert "did not end within" in read()
        assert provider.status().flights == number
    assert "No further refresh was started" in read()
    with pytest.raises(RefreshTimeout, match="No further refresh was started"):
        asyncio.run(provider.aget())
    assert provider.status().flights == 16


@pytest.mark.usefixtures("short_deadlines")
def test_credentials_come_again_when_dns_does(
    sts: LoopbackSts,
    dns: Callable[[], HangingDns],
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = dns()
    provider = irsa_creds.provider()
    with pytest.raises(RefreshTimeout):
        provider.get()
    monkeypatch.undo()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    hanging.released.set()
    deadline = time.monotonic() + 20
    while provider.status().state != "fresh":
        assert time.monotonic() < deadline
        provider.prefetch()
        time.sleep(0.01)
    assert provider.get().access_key_id == f"ASIA{len(sts.calls):016d}"
