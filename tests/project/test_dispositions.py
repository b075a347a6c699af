from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

# The child prints its disposition. Its parent was started with the signal ignored.
PROGRAM = """\
import signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
import signal_dispositions
signal_dispositions.unignore()
number = int(sys.argv[2])
show = "import signal, sys; print(signal.getsignal(int(sys.argv[1])))"
subprocess.run([sys.executable, "-c", show, str(number)], check=True)
sys.stdout.flush()
signal.raise_signal(number)
print("still here")
"""


def run_with_signal_ignored(number: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *["sh", "-c", f'trap "" {number}; exec "$@"', "sh"],
            *[sys.executable, "-c", PROGRAM, str(Path(__file__).parents[1]), str(number)],
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["SIGCHLD", "SIGHUP", "SIGQUIT", "SIGTERM", "SIGUSR1"])
def test_child_processes_do_not_inherit_an_ignored_signal(name: str) -> None:
    done = run_with_signal_ignored(signal.Signals[name])

    assert done.stderr == ""
    assert done.stdout.split("\n")[:2] == [str(signal.SIG_DFL), "still here"]


def test_an_ignored_sigint_interrupts_tests_again() -> None:
    done = run_with_signal_ignored(signal.SIGINT)

    assert done.stdout == f"{signal.default_int_handler}\n"
    assert done.stderr.endswith("KeyboardInterrupt\n")
    assert done.returncode == -signal.SIGINT
