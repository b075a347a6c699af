"""Log handlers that read credentials: neither they nor refreshes wait for each other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from races.harness import eventually, run

if TYPE_CHECKING:
    from engine_fakes import FakeClock
    from races.harness import LoopbackSts


class Reading(logging.Handler):
    """Reads credentials for each record."""

    def __init__(self, provider: irsa_creds.Provider) -> None:
        super().__init__()
        self.read: list[irsa_creds.Credentials] = []
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self.read.append(self._provider.get())


@pytest.mark.parametrize("kind", ["debug", "token"])
def test_a_log_handler_that_reads_credentials_holds_up_no_refresh(
    kind: str, sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("log_handler.py", environ, kind)
    assert (ended.status, ended.err) == (0, "")
    # If the refresh waited for the handler, which waits for the refresh, a read would take all of
    # its timeout. The benchmark `log-handler` measures the time.
    assert ended.out == "served"
    assert len(sts.calls) <= 3


def test_a_log_handler_that_gets_the_lines_of_an_outage_holds_up_no_refresh(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.error = "AccessDenied"
    ended = run("log_handler.py", environ, "outage")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "ExchangeError AccessDenied"


def test_a_log_handler_with_valid_credentials_does_not_wait_for_a_refresh(
    sts: LoopbackSts,
    clock: FakeClock,
    pod: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del pod
    # A private name, because no public one takes a clock.
    monkeypatch.setattr("irsa_creds._provider.REGISTRY._clock", clock)
    provider = irsa_creds.provider()
    first = provider.get()
    handler = Reading(provider)
    clock.advance(3_400)
    # STS responds only after the handler has returned.
    sts.gate.clear()
    sts.arrived.clear()
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    root.addHandler(handler)
    try:
        logging.getLogger("app").debug("A refresh is due.")
        assert sts.arrived.wait(60)
        logging.getLogger("app").debug("A refresh is in progress.")
        assert {id(each) for each in handler.read} == {id(first)}
        sts.gate.set()
        eventually(lambda: provider.get() is not first)
    finally:
        root.removeHandler(handler)
