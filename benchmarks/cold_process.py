"""`irsa-creds process` as a whole process: with a warm shared cache, and with nothing cached.

The time is from the start of the interpreter to its end, as for a program whose profile has it as
its `credential_process`: all that the command imports counts. For comparison, a process requests
credentials from a botocore session and prints them. One row has a configuration file, as users of
`credential_process` have. Another has the AWS CLI, from its own virtual environment: `aws sts
get-caller-identity` with its own provider, and with irsa-creds as its `credential_process`. Targets
with a warm cache: at most 5 times the time of `python -c pass` in the same run, and no STS call.

All modules are compiled beforehand, as in an installed package. The CPU time is what such a process
costs a busy machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks._bench import Row, calls_of, median_of, pod_for, spread_of
from benchmarks._measure import AS_INSTALLED, OURS, THEIRS, clean_environ
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROCESSES = 25
_MOST_STARTS = 5.0
_MOST_SECONDS = 60.0
_BARE = "bare"
_PROFILED, _UNCACHED = f"{OURS}-profiled", f"{OURS}-uncached"
_CLI, _CLI_OURS = "aws-cli", f"{OURS}-aws-cli"
_BOTOCORE = """
import json, botocore.session
found = botocore.session.Session().get_credentials().get_frozen_credentials()
print(json.dumps({"Version": 1, "AccessKeyId": found.access_key,
    "SecretAccessKey": found.secret_key, "SessionToken": found.token}))
"""
# The installed entry point beside this interpreter.
_PROCESS = [str(Path(sys.executable).with_name("irsa-creds")), "process"]
_COMMANDS = {
    _BARE: [sys.executable, "-c", "pass"],
    THEIRS: [sys.executable, "-c", _BOTOCORE],
    OURS: _PROCESS,
    _PROFILED: _PROCESS,
    _UNCACHED: [*_PROCESS, "--no-cache"],
}
# `make bench` creates it; without it these rows are left out.
_AWS = Path(__file__).parents[1] / ".venv-awscli" / "bin" / "aws"
if _AWS.exists():
    _COMMANDS[_CLI] = [str(_AWS), "sts", "get-caller-identity"]
    _COMMANDS[_CLI_OURS] = [str(_AWS), "--profile", "irsa", "sts", "get-caller-identity"]


class Cost(NamedTuple):
    """Times of one process, in ms."""

    whole: float
    cpu: float


def run() -> list[Row]:
    """Measure; the sides take turns."""
    found: dict[str, list[Cost]] = {side: [] for side in _COMMANDS}
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_text(f"[profile irsa]\ncredential_process = {' '.join(_PROCESS)}\n")
        common = {
            **pod_for(sandbox).environ,
            "IRSA_CREDS_CACHE_DIR": str(Path(folder) / "cache"),
            **AS_INSTALLED,
        }
        for turn in range(1 + _PROCESSES):
            for side, each in found.items():
                files = {"AWS_CONFIG_FILE": str(config)} if side in {_PROFILED, _CLI_OURS} else {}
                each.append(
                    cost_of(_COMMANDS[side], {**common, **files, "AWS_ROLE_SESSION_NAME": side})
                )
            if not turn:
                # The first run compiled the modules and filled the cache.
                sandbox.reset_calls()
        calls = {side: calls_of(sandbox, side) for side in _COMMANDS}
    whole = {side: median_of([one.whole for one in each[1:]]) for side, each in found.items()}
    cpu = {side: median_of([one.cpu for one in each[1:]]) for side, each in found.items()}
    what = "irsa-creds process, warm cache"
    return [
        Row(
            f"{what}: the whole process",
            "ms",
            whole[THEIRS],
            whole[OURS],
            note=spread_of(*([one.whole for one in found[side][1:]] for side in (THEIRS, OURS))),
            raw={side: [one._asdict() for one in each] for side, each in found.items()},
        ),
        Row(
            f"{what}: in starts of a bare interpreter",
            "",
            whole[THEIRS] / whole[_BARE],
            whole[OURS] / whole[_BARE],
            f"<= {_MOST_STARTS:g}",
            whole[OURS] <= _MOST_STARTS * whole[_BARE],
            f"which takes {whole[_BARE]:.1f} ms; of CPU time: {cpu[OURS] / cpu[_BARE]:.1f}",
        ),
        Row(f"{what}: its CPU time", "ms", cpu[THEIRS], cpu[OURS]),
        Row(
            f"{what}: with a configuration file",
            "ms",
            whole[THEIRS],
            whole[_PROFILED],
            note=f"its CPU time: {cpu[_PROFILED]:.0f} ms",
        ),
        *(
            [Row(f"{what}: aws sts get-caller-identity", "ms", whole[_CLI], whole[_CLI_OURS])]
            if _CLI in whole
            else []
        ),
        Row(
            "irsa-creds process, nothing cached: the whole process",
            "ms",
            whole[THEIRS],
            whole[_UNCACHED],
        ),
        Row(
            f"{what}: STS calls of {_PROCESSES} processes",
            "",
            calls[THEIRS],
            calls[OURS] + calls[_PROFILED],
            "0",
            not calls[OURS] + calls[_PROFILED],
        ),
    ]


def cost_of(command: Sequence[str], environ: Mapping[str, str]) -> Cost:
    """Run one process to its end."""
    start = time.perf_counter()
    # `subprocess.run` with a timeout polls, and would turn 50 ms into 64.
    process = subprocess.Popen(command, env=clean_environ(environ), stdout=subprocess.DEVNULL)
    watchdog = threading.Timer(_MOST_SECONDS, process.kill)
    watchdog.start()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    watchdog.cancel()
    if status:
        raise subprocess.CalledProcessError(status, command)
    # os.wait4 has reaped it, so Popen must not.
    process.returncode = 0
    return Cost(seconds * 1000, (used.ru_utime + used.ru_stime) * 1000)
