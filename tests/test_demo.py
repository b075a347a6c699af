from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# In processes of its own: it opens a sandbox, and of those there is one per process.


def run_demo(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", "--quick"],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def good() -> subprocess.CompletedProcess[str]:
    return run_demo()


def test_every_promise_is_kept_while_sts_is_slow_and_down(
    good: subprocess.CompletedProcess[str],
) -> None:
    assert good.returncode == 0, good.stdout + good.stderr
    assert "Every promise was kept." in good.stdout
    assert good.stdout.count("✓ kept") == 6
    assert "BROKEN" not in good.stdout


def test_the_summary_counts_for_both_sides(good: subprocess.CompletedProcess[str]) -> None:
    rows = ("reads", "reads that failed", "reads that waited > 50 ms", "longest wait")
    for row in (*rows, "STS calls answered + failed", "different tokens shown to STS"):
        assert re.search(rf"^ +{re.escape(row)}  +\S.*  +\S", good.stdout, re.MULTILINE), row
    assert "S3 saw reports/irsa-creds" in good.stdout


def test_it_says_how_the_comparison_is_kept_fair(good: subprocess.CompletedProcess[str]) -> None:
    assert "advisory 1.5 s (15 of 60 minutes)" in good.stdout
    assert "mandatory 1 s (10 of 60)" in good.stdout


def test_no_token_and_no_secret_is_shown(good: subprocess.CompletedProcess[str]) -> None:
    assert "system:serviceaccount:shop:reports" in good.stdout
    assert "eyJ" not in good.stdout
    assert "IQoJ" not in good.stdout


def test_a_broken_promise_is_seen_and_told_by_the_exit_status() -> None:
    # What our side has then is botocore's own provider, which lets a reader wait for a slow STS.
    broken = run_demo(IRSA_CREDS_DISABLE="1")

    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert re.search(r"✗ BROKEN +No read waited over 50 ms", broken.stdout)
    assert re.search(r"\d of these promises broke\.", broken.stdout)
