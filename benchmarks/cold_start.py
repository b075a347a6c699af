"""From an imported botocore to the first credentials, in fresh processes; and a second session.

The time of irsa-creds includes `import irsa_creds`, `install()` and botocore's endpoint rules,
which the sandbox's custom endpoint would skip for irsa-creds but not for botocore. The second
session of a process is compared with a botocore session that finds static keys in the environment,
which needs a session and a chain, but no web identity. Targets: 2.2 times as fast as botocore, and
at most a tenth over the time of that session.

All modules are compiled beforehand, as in an installed package.
"""

from __future__ import annotations

import json
import os
import sys
import time

import botocore.session

from benchmarks._bench import Row, measured, median_of, pod_for, ready, spread_of
from benchmarks._measure import AS_INSTALLED, OURS, THEIRS

_PROCESSES = 11
_SESSIONS = 31
_TIMES_AS_FAST = 2.2
_MOST_OVER = 0.1
# CPython 3.11 enlarges its table of interned strings at 21,845 of them, which takes about 2 ms. A
# process has nearly as many after it imported botocore; with these, neither side pays for it.
_STRINGS = [sys.intern(f"string {number}") for number in range(5_000)]


def run() -> list[Row]:
    """Measure; the sides take turns."""
    from irsa_creds.testing import Sandbox  # noqa: PLC0415 - the children share this file

    results: dict[str, list[dict[str, float]]] = {THEIRS: [], OURS: []}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        for _ in range(1 + _PROCESSES):
            for side, found in results.items():
                found.append(measured("benchmarks.cold_start", side, (), pod, **AS_INSTALLED))
    # The first process of each side compiles the modules.
    theirs, ours = (
        {name: median_of([each[name] for each in found[1:]]) for name in found[0]}
        for found in results.values()
    )

    def spread(name: str) -> str:
        return spread_of(*([one[name] for one in found[1:]] for found in results.values()))

    return [
        Row(
            "cold start to first credentials",
            "ms",
            theirs["first"],
            ours["first"],
            f"ratio >= {_TIMES_AS_FAST:g}",
            theirs["first"] >= _TIMES_AS_FAST * ours["first"],
            f"{spread('first')}; import in ours: {ours['imported']:.1f}",
            raw=results,
        ),
        Row(
            "cold start to first credentials, CPU time",
            "ms",
            theirs["cpu"],
            ours["cpu"],
            note=f"what it would be on a quiet machine; {spread('cpu')}",
        ),
        Row(
            "a second session, over one with static keys",
            "ms",
            theirs["second"],
            ours["second"],
            f"<= {_MOST_OVER:g} of that",
            ours["second"] <= _MOST_OVER * ours["plain"],
            f"which takes {ours['plain']:.2f}",
        ),
    ]


def main(side: str) -> None:
    """Run the child, which has imported nothing of irsa_creds yet."""
    ready()
    start, cpu = time.perf_counter(), time.process_time()
    if side == OURS:
        import irsa_creds  # noqa: PLC0415 - part of the time

        irsa_creds.install()
    imported = time.perf_counter() - start
    credentials = botocore.session.Session().get_credentials()
    if side == OURS:
        from irsa_creds._exchange import endpoint  # noqa: PLC0415 - a refresh imports it too

        config = credentials.provider._identity  # noqa: SLF001
        endpoint.endpoint_url(config._replace(endpoint_url=None))
    credentials.get_frozen_credentials()
    first = time.perf_counter() - start
    cpu = time.process_time() - cpu
    second, plain = _second()
    figures = {
        "imported": imported,
        "first": first,
        "cpu": cpu,
        "second": second,
        "plain": plain,
    }
    print(json.dumps({name: seconds * 1000 for name, seconds in figures.items()}))


def _second() -> tuple[float, float]:
    """Return the extra seconds of a second session, and the seconds of one with static keys."""
    ours, plain = [], []
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    for _ in range(_SESSIONS):
        ours.append(_session())
        os.environ.update(keys)
        plain.append(_session())
        for name in keys:
            del os.environ[name]
    return median_of([a - b for a, b in zip(ours, plain, strict=True)]), median_of(plain)


def _session() -> float:
    start = time.perf_counter()
    botocore.session.Session().get_credentials().get_frozen_credentials()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1])
