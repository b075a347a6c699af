"""Thirty-two processes that are killed, stopped and find files damaged or the disk full."""

from __future__ import annotations

import pytest

from shared_cache.chaos import run_chaos

pytestmark = pytest.mark.timeout(110)


def test_chaos_serves_no_wrong_credentials_and_fails_no_read() -> None:
    chaos = run_chaos(32, 10, seed=4)
    assert not chaos.wrong
    assert not chaos.failed
    assert not chaos.failed_without_valid, "STS was available all the time"
    assert set(chaos.actions) == {"killed", "stopped", "full", "removed", "damaged"}
    assert chaos.reports > len(chaos.keys) > 2, "some processes took what another one fetched"
