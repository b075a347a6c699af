"""A new process of a pod with a warm shared cache: the time to its first credentials.

irsa-creds is timed from after `from irsa_creds import provider`, botocore from after `import
botocore.session`. These processes have imported only what a program would have. A program that uses
botocore anyway has a row of its own, timed from after both imports. Targets: an eighth of
botocore's time (5 ms if that takes 40), and no STS call.

All modules are compiled beforehand, as in an installed package.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._bench import Row, calls_of, median_of, pod_for, spread_of
from benchmarks._measure import AS_INSTALLED, OURS, THEIRS, clean_environ
from irsa_creds.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROCESSES = 15
_TIMES_AS_FAST = 8
_MOST_SECONDS = 60.0
_SESSION = f"{OURS}-session"
_TIMED = """
import sys, time
{imports}
start, cpu = time.perf_counter(), time.process_time()
{get}
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print('{{"first": %f, "cpu": %f, "botocore": %d}}' % (
    seconds * 1000, cpu * 1000, "botocore" in sys.modules))
"""
_READ = "botocore.session.Session().get_credentials().get_frozen_credentials()"
_PROGRAMS = {
    THEIRS: _TIMED.format(imports="import botocore.session", get=_READ),
    OURS: _TIMED.format(imports="from irsa_creds import provider", get="provider().get()"),
    _SESSION: _TIMED.format(
        imports="import botocore.session\nfrom irsa_creds import install", get=f"install()\n{_READ}"
    ),
}


def run() -> list[Row]:
    """Measure; the sides take turns."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in _PROGRAMS}
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        common = {
            **pod_for(sandbox).environ,
            "IRSA_CREDS_CACHE_DIR": str(Path(folder) / "cache"),
            **AS_INSTALLED,
        }
        for turn in range(1 + _PROCESSES):
            for side, each in found.items():
                each.append(_timed(side, common))
            if not turn:
                # The first run compiled the modules and filled the cache.
                sandbox.reset_calls()
        calls = {side: calls_of(sandbox, side) for side in _PROGRAMS}
    medians = {
        side: {name: median_of([one[name] for one in each[1:]]) for name in each[0]}
        for side, each in found.items()
    }
    theirs, ours, session = (medians[side] for side in _PROGRAMS)
    firsts = [[one["first"] for one in found[side][1:]] for side in (THEIRS, OURS)]
    what = "new process, warm cache"
    return [
        Row(
            f"{what}: to first credentials",
            "ms",
            theirs["first"],
            ours["first"],
            f"ratio >= {_TIMES_AS_FAST}",
            theirs["first"] >= _TIMES_AS_FAST * ours["first"],
            f"{spread_of(*firsts)}; botocore was {'' if ours['botocore'] else 'not '}imported here",
            raw=found,
        ),
        Row(f"{what}: to first credentials, CPU time", "ms", theirs["cpu"], ours["cpu"]),
        Row(
            f"{what}: install() and a botocore session's",
            "ms",
            theirs["first"],
            session["first"],
            note="from after the import of both",
        ),
        Row(
            f"{what}: STS calls of {_PROCESSES} processes",
            "",
            calls[THEIRS],
            calls[OURS] + calls[_SESSION],
            "0",
            not calls[OURS] + calls[_SESSION],
        ),
    ]


def _timed(side: str, environ: Mapping[str, str]) -> dict[str, float]:
    """Run one process and return its output."""
    output = subprocess.check_output(
        [sys.executable, "-c", _PROGRAMS[side]],
        env=clean_environ({**environ, "AWS_ROLE_SESSION_NAME": side}),
        timeout=_MOST_SECONDS,
        text=True,
    )
    figures: dict[str, float] = json.loads(output)
    return figures
