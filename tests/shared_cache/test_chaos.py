"""Thirty-two processes, and everything goes wrong at once."""

from __future__ import annotations

import pytest

from shared_cache.chaos import run_chaos

pytestmark = pytest.mark.timeout(110)


def test_chaos_brings_no_wrong_credentials_and_fails_no_read() -> None:
    chaos = run_chaos(32, 10, seed=4)
    assert not chaos.wrong
    assert not chaos.failed
    assert not chaos.unserved, "STS was well all the time"
    assert set(chaos.deeds) == {"killed", "stopped", "full", "removed", "spoiled"}
    assert chaos.sights > len(chaos.keys) > 2, "what one brought others took"
