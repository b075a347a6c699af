"""The cost of irsa-creds without reads: threads at import, CPU time while no caller reads.

Target: no thread of irsa-creds, and less than 100 µs of CPU time in a second.
"""

from __future__ import annotations

import json
import threading
import time

from benchmarks._bench import Row, measured, pod_for, ready
from benchmarks._measure import OURS

_SECONDS = 8.0
# Microseconds of CPU time in a second, about the cost of the clock and one wake-up.
_NOTHING = 100.0


def run() -> list[Row]:
    """Measure."""
    from irsa_creds.testing import Sandbox  # noqa: PLC0415 - the child shares this file

    with Sandbox() as sandbox:
        result = measured("benchmarks.idle", OURS, (), pod_for(sandbox))
    threads, microseconds = result["threads"], result["microseconds"]
    return [
        Row("threads after import and install", "", None, threads, "1", threads == 1),
        Row(
            "CPU of an idle provider",
            "µs/s",
            None,
            microseconds,
            f"< {_NOTHING:.0f}",
            microseconds < _NOTHING,
        ),
    ]


def main() -> None:
    """Run the child."""
    ready()
    import botocore.session  # noqa: PLC0415 - part of the measurement

    import irsa_creds  # noqa: PLC0415

    irsa_creds.install()
    threads = threading.active_count()
    botocore.session.Session().get_credentials().get_frozen_credentials()
    time.sleep(0.5)
    start = time.process_time()
    time.sleep(_SECONDS)
    spent = time.process_time() - start
    print(json.dumps({"threads": threads, "microseconds": spent * 1e6 / _SECONDS}))


if __name__ == "__main__":
    main()
