"""The gateway, or what its STS leans on, goes away and comes back while eight threads read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionError as NoConnection, HTTPClientError

import irsa_creds
from rgw.load import Load

if TYPE_CHECKING:
    from irsa_creds import Provider
    from rgw.pod import Pod

pytestmark = pytest.mark.real

# What botocore raises where no answer came: refused, reset, closed, timed out.
NO_ANSWER = (NoConnection, HTTPClientError)


def test_while_credentials_last_an_outage_costs_connections_to_s3_and_no_more(pod: Pod) -> None:
    with _load(pod, lifetime=10) as load:
        provider = irsa_creds.provider()
        _await_due_refresh(provider)
        pod.ceph.kill_gateway()
        _await_failed_refresh(provider)
        time.sleep(1)
        assert provider.status().state in {"fresh", "stale"}
        pod.ceph.start_gateway()
        back_at = time.monotonic()
        load.await_good_reads_of_all(since=back_at, within=5)
        # By then all credentials of before are past.
        load.await_good_reads_of_all(since=back_at + 10, within=15)
    assert load.errors()
    assert all(isinstance(error, NO_ANSWER) for error in load.errors())
    assert not any(isinstance(error, irsa_creds.IrsaError) for error in load.errors())
    assert not load.errors(since=back_at + 1)


def test_an_outage_beyond_the_credentials_end_is_told_as_one_and_heals(pod: Pod) -> None:
    with _load(pod, lifetime=2) as load:
        pod.ceph.kill_gateway()
        dead_at = time.monotonic()
        load.await_errors(irsa_creds.IrsaError, within=10)
        time.sleep(2)
        told = [error for error in load.errors(since=dead_at) if _is_ours(error)]
        pod.ceph.start_gateway()
        load.await_good_reads_of_all(since=time.monotonic(), within=20)
        healed_at = time.monotonic()
        load.await_good_reads_of_all(since=healed_at + 4, within=10)
    assert all(isinstance(error, NoConnection) for error in told)
    assert all(isinstance(error, irsa_creds.ExchangeError) and error.retryable for error in told)
    assert len(set(map(id, told))) == len(told)
    assert all(isinstance(error, NO_ANSWER) for error in load.errors())
    assert not load.errors(since=healed_at)


def test_nobody_notices_that_sts_cannot_reach_the_issuer_for_a_while(pod: Pod) -> None:
    with _load(pod, lifetime=20) as load:
        provider = irsa_creds.provider()
        first = provider.get()
        pod.issuer.reachable = False
        _await_failed_refresh(provider)
        assert provider.get() == first
        pod.issuer.reachable = True
        deadline = time.monotonic() + 15
        while provider.get() == first:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        load.await_good_reads_of_all(since=time.monotonic(), within=5)
    assert not load.errors()


def _load(pod: Pod, lifetime: int) -> Load:
    """Return a load on an unchanged boto3 client; its own retries would hide what we look for."""
    pod.set_lifetime(lifetime)
    once = Config(retries={"total_max_attempts": 1})
    s3 = irsa_creds.boto3_session().client("s3", config=once)
    assert pod.read(s3)
    return Load(lambda: pod.read(s3))


def _is_ours(error: Exception) -> bool:
    return isinstance(error, irsa_creds.IrsaError)


def _await_due_refresh(provider: Provider) -> None:
    deadline = time.monotonic() + 10
    while not 0.1 < (provider.status().next_refresh_in or 0) < 0.5:
        assert time.monotonic() < deadline, provider.status()
        time.sleep(0.01)


def _await_failed_refresh(provider: Provider) -> None:
    deadline = time.monotonic() + 15
    while (failure := provider.status().last_failure) is None or not failure.in_a_row:
        assert time.monotonic() < deadline, provider.status()
        time.sleep(0.01)
