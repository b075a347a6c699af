from __future__ import annotations

import pytest

from benchmarks._measure import LIMIT, Standstills
from benchmarks._readers import _Tally


def test_a_slow_failed_read_counts_as_one_bad_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("benchmarks._readers.time.perf_counter", lambda: now)
    tally, standstills = _Tally(), Standstills()
    for takes, failed in ((0.0, False), (2 * LIMIT, False), (0.0, True), (2 * LIMIT, True)):
        tally.begin("reader", standstills)
        now += takes
        tally.end("reader", failed=failed)
    tally.begin("hangs", standstills)
    now += 3 * LIMIT
    result = tally.result()
    assert result["worst"] == pytest.approx(3 * LIMIT)
    del result["worst"]
    assert result == {"reads": 5, "errors": 2, "waits": 3, "bad": 4, "hung": 1}
