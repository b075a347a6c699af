"""10,000 tenants of one process, each with its own identity.

`calls`: each is read once, then 200 are in use. The figure is the number of requests to STS by
tenant over a lifetime, after the last refresh of tenants that were read only once. `read`: the cost
of a read with one identity, and with 10,000 that are all kept.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import timeit
from pathlib import Path

import irsa_creds
from benchmarks._bench import Child, Row, children, median_of, pod_for
from benchmarks._measure import OURS
from benchmarks._sessions import credentials_of
from irsa_creds.testing import Sandbox

_IDENTITIES, _IN_USE, _KEPT = 10_000, 200, 1_024
_LIFETIME, _PAUSE = 12.0, 0.25
# A look at half of a lifetime notes the only read, and refreshes end a lifetime after that.
_UNTIL_DORMANT = 2 * _LIFETIME
# A tenth of the calls if all identities were kept.
_MOST_MEGABYTES = 25.0
_ROUNDS, _READS, _AS_FAST = 15, 20_000, 1.2


def run(mode: str) -> list[Row]:
    """Measure `calls` or `read`."""
    with Sandbox() as sandbox:
        sandbox.lifetime = _LIFETIME if mode == "calls" else 900.0
        pod = pod_for(sandbox)
        kept = _KEPT if mode == "calls" else _IDENTITIES
        variables = {"IRSA_CREDS_MAX_PROVIDERS": str(kept)}
        child = Child("benchmarks.many_identities", OURS, (mode,), pod, **variables)
        with children(child):
            child.go()
            if mode == "read":
                return _rows_of_reads(*child.result())
            child.await_ready()
            sandbox.reset_calls()
            child.go()
            result = child.result()
        return _rows_of_calls([str(call.session_name) for call in sandbox.sts_calls], result)


def _rows_of_calls(callers: list[str], result: dict[str, float]) -> list[Row]:
    in_use = {_name(number) for number in range(_IN_USE)}
    others = sum(caller not in in_use for caller in callers)
    calls = len(callers) - others
    what = f"{_IDENTITIES:,} identities, {_IN_USE} in use, one lifetime"
    megabytes = result["megabytes"]
    return [
        Row(
            f"{what}: STS calls for the others",
            "",
            None,
            others,
            "0",
            others == 0,
            f"for those in use: {calls:,}, of which {len(set(callers))} were refreshed",
        ),
        Row(
            f"{what}: not refreshed of those in use",
            "",
            None,
            len(in_use - set(callers)),
            "0",
            in_use <= set(callers),
        ),
        Row(
            f"{what}: errors",
            "",
            None,
            result["errors"],
            "0",
            result["errors"] == 0,
            f"of {result['reads']:,.0f} reads",
        ),
        Row(
            f"{what}: memory over that of the first {_KEPT:,}",
            "MB",
            None,
            megabytes,
            f"< {_MOST_MEGABYTES:g}",
            megabytes < _MOST_MEGABYTES,
        ),
    ]


def _rows_of_reads(alone: float, among_many: float) -> list[Row]:
    return [
        Row(
            f"read with {_IDENTITIES:,} identities registered",
            "ns",
            None,
            among_many,
            f"<= {_AS_FAST:g} of one's",
            among_many <= _AS_FAST * alone,
            f"with one: {alone:.0f} ns",
        )
    ]


def main(mode: str) -> None:
    """Run the child."""
    _await_go()
    print(json.dumps(_calls() if mode == "calls" else _read()))


def _calls() -> dict[str, float]:
    in_use = range(_IN_USE)
    _read_each(range(_KEPT))
    gc.collect()
    before = _resident()
    # From here on the identities in use are read again and again.
    for start in range(_KEPT, _IDENTITIES, _IN_USE):
        _read_each(range(start, min(start + _IN_USE, _IDENTITIES)))
        _read_each(in_use)
    gc.collect()
    grown = _resident() - before
    _read_for(_UNTIL_DORMANT)
    _await_go()
    reads, errors = _read_for(_LIFETIME)
    return {"reads": reads, "errors": errors, "megabytes": grown / 1e6}


def _read_for(seconds: float) -> tuple[int, int]:
    reads = errors = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reads += _IN_USE
        errors += _read_each(range(_IN_USE))
        time.sleep(_PAUSE)
    return reads, errors


def _read_each(numbers: range) -> int:
    errors = 0
    for number in numbers:
        try:
            irsa_creds.provider(session_name=_name(number)).get()
        except irsa_creds.IrsaError:
            errors += 1
    return errors


def _read() -> list[float]:
    read = credentials_of(OURS).get_frozen_credentials
    read()
    alone = _nanoseconds(read)
    providers = [irsa_creds.provider(session_name=_name(number)) for number in range(_IDENTITIES)]
    among_many = _nanoseconds(read)
    del providers
    return [alone, among_many]


def _nanoseconds(read: object) -> float:
    times = timeit.repeat("read()", globals={"read": read}, number=_READS, repeat=_ROUNDS)
    return median_of(times) / _READS * 1e9


def _name(number: int) -> str:
    return f"tenant-{number}"


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _await_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[2])
