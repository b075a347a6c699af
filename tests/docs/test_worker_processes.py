"""The page "Worker processes": each way to start a worker, with the code of the page."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from docs.markdown import block

if TYPE_CHECKING:
    from pathlib import Path

METHODS = ["fork", "spawn", "forkserver"]
OURS, THEIRS = "irsa_creds.botocore", "botocore.credentials"
EXECUTOR = """
import multiprocessing, sys
import executor, worker
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with executor.executor(mp_context=context, max_workers=1) as pool:
        print(pool.submit(worker.provider).result())
"""
WORKER = """
import boto3
def provider(): return type(boto3.Session().get_credentials()).__module__
"""


@pytest.fixture(autouse=True)
def _in_a_pod(irsa: Any) -> None:
    """The environment of a pod, which programs inherit."""


def output(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def pool_with(method: str) -> str:
    """Return the page's pool with another start method."""
    return block("howto/worker-processes.md", "pool.py").replace(
        "multiprocessing.Pool", f'multiprocessing.get_context("{method}").Pool'
    )


@pytest.mark.parametrize("method", METHODS)
def test_install_at_the_top_of_the_main_module_reaches_all_workers(
    method: str, tmp_path: Path
) -> None:
    (tmp_path / "pool.py").write_text(pool_with(method))
    assert output(tmp_path, "pool.py") == str([OURS] * 2)
    assert output(tmp_path, "-m", "pool") == str([OURS] * 2)


@pytest.mark.parametrize("method", METHODS)
def test_install_below_the_guard_reaches_forked_workers_only(method: str, tmp_path: Path) -> None:
    call = "irsa_creds.install()\n"
    guard = 'if __name__ == "__main__":\n'
    guarded = pool_with(method).replace(call, "").replace(guard, f"{guard}    {call}")
    assert guarded.count(call) == 1
    (tmp_path / "pool.py").write_text(guarded)
    assert output(tmp_path, "pool.py") == str([OURS if method == "fork" else THEIRS] * 2)


@pytest.mark.parametrize("method", METHODS)
def test_an_initializer_reaches_workers_of_a_main_module_without_install(
    method: str, tmp_path: Path
) -> None:
    (tmp_path / "executor.py").write_text(block("howto/worker-processes.md", "executor.py"))
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "main.py").write_text(EXECUTOR)
    assert output(tmp_path, "main.py", method) == OURS
