"""A boto3 program as it may run in any pod: it knows nothing of this demo, nor of irsa_creds.

Eight threads share one client and read one object again and again, until SIGTERM.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

import boto3
from botocore.exceptions import BotoCoreError, ClientError

_log = logging.getLogger(__name__)

THREADS = 8
PAUSE = 0.1


def main() -> None:
    """Read the object named by BUCKET and KEY."""
    bucket, key = os.environ["BUCKET"], os.environ["KEY"]
    s3 = boto3.client("s3")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def read() -> None:
        while not stop.wait(PAUSE):
            try:
                s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            except (BotoCoreError, ClientError):
                _log.exception("Could not read s3://%s/%s", bucket, key)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(1)


if __name__ == "__main__":
    main()
