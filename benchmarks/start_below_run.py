"""The start of a program below `irsa-creds run`, as a whole process.

`irsa-creds run -- python -c pass` is compared with an interpreter that imports boto3, as a program
does that uses it. A further row has what each Python process below it pays for the hook: a bare
interpreter with and without it. Target: at most a third of the interpreter that imports boto3.

All modules are compiled beforehand, as in an installed package. The sides take turns.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks._bench import Row, median_of, spread_of
from benchmarks._measure import AS_INSTALLED, OURS, THEIRS
from benchmarks.cold_process import Cost, cost_of
from irsa_creds.cli._run import HOOK

_PROCESSES = 25
_TIMES_AS_FAST = 3
_BARE, _HOOKED = "bare", "hooked"
_PASS = [sys.executable, "-c", "pass"]
_COMMANDS = {
    _BARE: _PASS,
    _HOOKED: _PASS,
    THEIRS: [sys.executable, "-c", "import boto3"],
    # The installed entry point beside this interpreter.
    OURS: [str(Path(sys.executable).with_name("irsa-creds")), "run", "--", *_PASS],
}


def run() -> list[Row]:
    """Measure; the first process of each side compiles the modules."""
    found: dict[str, list[Cost]] = {side: [] for side in _COMMANDS}
    for _ in range(1 + _PROCESSES):
        for side, each in found.items():
            hook = {"PYTHONPATH": str(HOOK)} if side == _HOOKED else {}
            each.append(cost_of(_COMMANDS[side], {**AS_INSTALLED, **hook}))
    whole = {side: median_of([one.whole for one in each[1:]]) for side, each in found.items()}
    cpu = {side: median_of([one.cpu for one in each[1:]]) for side, each in found.items()}
    return [
        Row(
            "irsa-creds run: start of a program, against an interpreter that imports boto3",
            "ms",
            whole[THEIRS],
            whole[OURS],
            f"ratio >= {_TIMES_AS_FAST}",
            whole[THEIRS] >= _TIMES_AS_FAST * whole[OURS],
            f"{spread_of(*([one.whole for one in found[side][1:]] for side in (THEIRS, OURS)))}; "
            f"CPU time: {cpu[THEIRS]:.0f} and {cpu[OURS]:.0f} ms; the program itself only "
            f"starts: {whole[_BARE]:.0f} ms",
            raw={side: [one._asdict() for one in each] for side, each in found.items()},
        ),
        Row(
            "irsa-creds run: start of each Python process below it, over a bare one",
            "ms",
            whole[_BARE],
            whole[_HOOKED],
        ),
    ]
