"""A child that reads credentials in threads and tasks, and counts what a reader would notice.

    python -m benchmarks._reading SIDE PLAN

It says that it is ready, and again when it has credentials, and waits for a line on standard input
each time; then it reads, and prints what happened.
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
    """Be the child."""
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
    # Threads of botocore's may hang in an STS that says nothing.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Plan(**json.loads(sys.argv[2])))
