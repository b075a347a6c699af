"""Ray's workers, whose tasks and actors read; prints what they replied and what STS recorded.

It must be the first process of namespaces of its own: Ray may listen on all interfaces and looks
for a way to the internet, and there is only the loopback here.

Args: the program that starts Ray, and a folder for Ray's files.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import functools
import json
import os
import runpy
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import ray

from irsa_creds.testing import Sandbox

WORKERS = 2
SECONDS = 30.0
# A hang ends with a traceback, and with this process all others of the namespace.
HANG = 80.0

# From Linux' if.h and sockios.h.
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1


def bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(any_socket, GET_FLAGS, request))
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | UP))


def provider(session: Any) -> str:
    return type(session.get_credentials()).__module__


def read() -> dict[str, Any]:
    """Read once, as a program that does not know irsa-creds."""
    session = boto3.Session()
    body = session.client("s3").get_object(Bucket="data", Key="greeting")["Body"].read().decode()
    credentials = session.get_credentials()
    return {
        "pid": os.getpid(),
        "provider": provider(session),
        "key": credentials.get_frozen_credentials().access_key,
        "body": body,
    }


def read_together(meeting: Path) -> dict[str, Any]:
    """Read when each worker has a task, so that none takes two."""
    (meeting / str(os.getpid())).touch()
    deadline = time.monotonic() + SECONDS
    while len(list(meeting.iterdir())) < WORKERS:
        assert time.monotonic() < deadline, "no other worker has a task"
        time.sleep(0.01)
    return read()


class Reader:
    def read(self) -> dict[str, Any]:
        return read()


def use_workers(folder: Path) -> dict[str, list[dict[str, Any]]]:
    meeting = folder / "meeting"
    meeting.mkdir()
    task, actor = ray.remote(read_together), ray.remote(max_restarts=1, max_task_retries=1)(Reader)
    actors = [actor.remote() for _ in range(WORKERS)]
    replies = {
        "tasks": ray.get([task.remote(meeting) for _ in range(WORKERS)]),
        "actors": ray.get([each.read.remote() for each in actors]),
    }
    ray.kill(actors[0], no_restart=False)
    replies["restarted"] = [ray.get(actors[0].read.remote())]
    replies["again"] = ray.get([each.read.remote() for each in actors])
    return replies


def wait_for_all_processes() -> None:
    """Wait until all that Ray started has ended: orphans become children of the first process."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def main(program: str, folder: Path) -> None:
    assert os.getpid() == 1, "it must be the first process of a PID namespace"
    bring_up_loopback()
    with Sandbox() as sandbox:
        pod = sandbox.deploy(bucket="data")
        sandbox.client("s3").put_object(Bucket="data", Key="greeting", Body=b"hello")
        sandbox.reset_calls()
        os.environ.update(pod.environ)
        # The program says what a user writes; these keep Ray small and inside its folder.
        ray.init = functools.partial(
            ray.init,
            num_cpus=2 * WORKERS,
            object_store_memory=100_000_000,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
        )
        runpy.run_path(program)
        try:
            replies = use_workers(folder)
            driver = provider(boto3.Session())
        finally:
            ray.shutdown()
        wait_for_all_processes()
        calls = [(call.outcome, call.access_key_id) for call in sandbox.sts_calls]
        print(json.dumps({**replies, "driver": driver, "sts": calls}))  # noqa: T201 - the output


if __name__ == "__main__":
    faulthandler.dump_traceback_later(HANG, exit=True)
    main(sys.argv[1], Path(sys.argv[2]))
