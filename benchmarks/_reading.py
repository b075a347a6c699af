"""A child that reads credentials in threads and tasks, and counts slow and failed reads.

    python -m benchmarks._reading SIDE PLAN

It prints a line when it is ready, and one when it has credentials, and each time waits for a line
on standard input. Then it reads, and prints the counts.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from benchmarks._bench import ready
from benchmarks._readers import Plan, Readers
from benchmarks._sessions import age, scale_windows


def main(side: str, plan: Plan) -> None:
    """Run the child."""
    logging.disable()
    if plan.scaled:
        scale_windows(plan.lifetime)
    readers = Readers(side, plan)
    ready()
    readers.fetch()
    ready()
    if plan.aged:
        for credentials in readers.credentials:
            age(credentials, plan.aged)
    print(json.dumps(readers.run()), flush=True)
    # Threads of botocore may hang in a call of STS.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Plan(**json.loads(sys.argv[2])))
