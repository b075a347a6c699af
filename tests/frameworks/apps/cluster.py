"""A dask cluster whose workers read with a pickled file system."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import cloudpickle
from distributed import Client, LocalCluster
from s3fs import S3FileSystem

import irsa_creds
from frameworks.replies import Reply, read_and_restart

WORKERS = 2
SECONDS = 30


def read(files: Any) -> Reply:
    body = files.cat("data/greeting").decode()
    provider = irsa_creds.provider()
    return Reply(os.getpid(), provider.get().access_key_id, provider.status().sts_calls, body)


def main() -> None:
    files = S3FileSystem(session=irsa_creds.aiobotocore_session())
    credentials = irsa_creds.provider().get()
    assert files.cat("data/greeting")
    sent = cloudpickle.dumps(files)
    for secret in (
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
    ):
        assert secret.encode() not in sent
    with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):

        def addresses() -> set[str]:
            return set(client.scheduler_info()["workers"])

        # To every worker once; a later worker gets it from another worker.
        everywhere = client.scatter(files, broadcast=True)

        def read_all() -> list[Reply]:
            # On each worker, because the scheduler prefers workers that have the file system.
            futures = [
                client.submit(read, everywhere, workers=[address], pure=False)
                for address in addresses()
            ]
            replies: list[Reply] = client.gather(futures)
            return replies

        def kill(pid: int) -> None:
            before = addresses()
            os.kill(pid, signal.SIGKILL)
            # A task for a dead worker only would wait for it.
            deadline = time.monotonic() + SECONDS
            while len(addresses()) != WORKERS or addresses() == before:
                assert time.monotonic() < deadline, "no other worker came"
                time.sleep(0.01)

        replies = read_and_restart(read_all, kill, workers=WORKERS)
    replies.print()


if __name__ == "__main__":
    main()
