"""A program as it could run in any pod, without this demo and without irsa_creds.

Eight threads share one boto3 client; a hundred tasks on two event loops use aiobotocore. All read
one object again and again until SIGTERM.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import threading
from typing import Any

import boto3
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

_log = logging.getLogger(__name__)

THREADS, THREAD_PAUSE = 8, 0.1
# Half of the threads' rate of requests, so that two cores are not the bottleneck.
LOOPS, TASKS, TASK_PAUSE = 2, 100, 2.0


def main() -> None:
    """Read the object named by BUCKET and KEY."""
    target = {"Bucket": os.environ["BUCKET"], "Key": os.environ["KEY"]}
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    s3 = boto3.client("s3")
    threads = [
        *(threading.Thread(target=_thread, args=(s3, target, stop)) for _ in range(THREADS)),
        *(threading.Thread(target=_loop, args=(target, stop)) for _ in range(LOOPS)),
    ]
    for thread in threads:
        # A thread that hangs must not keep the pod from ending.
        thread.daemon = True
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(1)


def _thread(s3: Any, target: dict[str, str], stop: threading.Event) -> None:
    while not stop.wait(THREAD_PAUSE):
        try:
            s3.get_object(**target)["Body"].read()
        except (BotoCoreError, ClientError):
            _log.exception("Could not read %s", target)


def _loop(target: dict[str, str], stop: threading.Event) -> None:
    asyncio.run(_tasks(target, stop))


async def _tasks(target: dict[str, str], stop: threading.Event) -> None:
    # A session for each loop, because aiobotocore's own credentials belong to one loop: reads from
    # a second loop fail with RuntimeError.
    async with AioSession().create_client("s3") as s3:
        tasks = [asyncio.create_task(_task(s3, target)) for _ in range(TASKS // LOOPS)]
        await asyncio.to_thread(stop.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _task(s3: Any, target: dict[str, str]) -> None:
    while True:
        # At different times, as the requests of many users.
        await asyncio.sleep(random.uniform(0, 2 * TASK_PAUSE))
        try:
            response = await s3.get_object(**target)
            async with response["Body"] as body:
                await body.read()
        except (BotoCoreError, ClientError):
            _log.exception("Could not read %s", target)


if __name__ == "__main__":
    main()
