"""Pools of worker processes that use objects of the parent.

Args: how workers are started: fork, spawn or forkserver.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from typing import Any

import boto3

import irsa_creds
from irsa_creds.botocore import IrsaCredentials

READS = 8
WORKERS = 2

# multiprocessing's own threads run while it forks workers.
warnings.simplefilter("ignore", DeprecationWarning)

inherited: Any = None


def with_the_inherited_client(number: int) -> tuple[int, str]:
    body = inherited.get_object(Bucket="data", Key="greeting")["Body"].read()
    return os.getpid(), body.decode()


def with_what_was_sent(given: tuple[irsa_creds.Provider, Any]) -> tuple[int, str]:
    provider, session = given
    assert provider is irsa_creds.provider()
    assert provider.get(timeout=30) == provider.get()
    body = session.client("s3").get_object(Bucket="data", Key="greeting")["Body"].read()
    # Session and provider share the credentials of this process.
    assert provider.status().sts_calls <= 1
    return os.getpid(), body.decode()


def with_plain_boto3(number: int) -> tuple[int, str]:
    session = boto3.Session()
    assert isinstance(session.get_credentials(), IrsaCredentials)
    body = session.client("s3").get_object(Bucket="data", Key="greeting")["Body"].read()
    assert irsa_creds.provider().status().sts_calls <= 1
    return os.getpid(), body.decode()


def main(method: str) -> None:
    global inherited  # noqa: PLW0603 - as a worker's client is made in real life
    irsa_creds.install()
    inherited = boto3.client("s3")
    provider = irsa_creds.provider()
    provider.get()
    session = irsa_creds.boto3_session()
    results: list[tuple[int, str]] = []
    context = multiprocessing.get_context(method)
    # A worker that is not forked has no state of the parent.
    with context.Pool(WORKERS, initializer=irsa_creds.install) as pool:
        results += pool.map_async(with_what_was_sent, [(provider, session)] * READS, 1).get(60)
        results += pool.map_async(with_plain_boto3, range(READS), 1).get(60)
        if method == "fork":
            results += pool.map_async(with_the_inherited_client, range(READS), 1).get(60)
        # A worker that is killed while it starts would print an error.
        pool.close()
        pool.join()
    assert {body for _, body in results} == {"hello"}
    assert os.getpid() not in dict(results)
    sys.stdout.write(f"{len(results)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
