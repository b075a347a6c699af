"""One read of valid credentials, through the adapter's `get_frozen_credentials`.

Both objects live in one process and are timed in turn, so that whatever slows the machine slows
both; medians of many rounds.
"""

from __future__ import annotations

import json
import sys
import timeit

from benchmarks._bench import Child, Row, children, median_of, pod_for
from benchmarks._measure import OURS, THEIRS
from benchmarks._reading import credentials_of
from irsa_creds.testing import Sandbox

_ROUNDS = 15
_READS = 20_000


def run() -> list[Row]:
    """Measure."""
    with (
        Sandbox() as sandbox,
        children(Child("benchmarks.hot_read", "reader", (), pod_for(sandbox))) as (child,),
    ):
        child.go()
        theirs, ours = child.result()
    met = theirs >= 50 * ours
    return [Row("read of valid credentials", "ns", theirs, ours, "ratio >= 50", met)]


def main() -> None:
    """Be the child."""
    reads = [credentials_of(side).get_frozen_credentials for side in (THEIRS, OURS)]
    for read in reads:
        read()
    print("ready", flush=True)
    sys.stdin.readline()
    rounds = [[timeit.timeit(read, number=_READS) for read in reads] for _ in range(_ROUNDS)]
    print(json.dumps([median_of(times) / _READS * 1e9 for times in zip(*rounds, strict=True)]))


if __name__ == "__main__":
    main()
