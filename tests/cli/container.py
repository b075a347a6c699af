"""The command line as its users have it: a process of its own, in the container of a pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from irsa_creds.testing import Pod, Sandbox

#: As installed, but for the interpreter: `irsa-creds` need not be on the PATH of a test.
IRSA_CREDS = [sys.executable, "-m", "irsa_creds"]
#: Seconds; only a program that hangs takes so long.
PATIENCE = 60.0


@dataclass
class Container:
    """Where the command line runs: the pod's variables, and directories of its own.

    Attributes:
        environ: of all processes that are started; tests add to it.
    """

    sandbox: Sandbox
    pod: Pod
    directory: Path
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.temporary.mkdir()
        self.environ = {
            **os.environ,
            **self.pod.environ,
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
        }

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def temporary(self) -> Path:
        return self.directory / "tmp"

    @property
    def given(self) -> list[str | None]:
        """The keys that STS gave."""
        return [each.access_key_id for each in self.sandbox.sts_calls]

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end; the exit status is for the test to judge."""
        return self._run(*IRSA_CREDS, *args)

    def python(self, code: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Python code, which may begin otherwise than the command line does."""
        return self._run(sys.executable, "-c", code, *args)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def start(self, *args: str, **more: Any) -> subprocess.Popen[str]:
        """Start the command line, with its output in a pipe."""
        return subprocess.Popen(
            [*IRSA_CREDS, *args], env=self.environ, stdout=subprocess.PIPE, text=True, **more
        )

    def exec(self, code: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run Python code as the child of `exec`."""
        return self.run("exec", *options, "--", sys.executable, "-c", code)


def response(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON that a process printed; it must have gone well."""
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
