"""The gateway, or what its STS leans on, goes away and comes back while eight threads read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ConnectionError as NoConnection,
    EndpointConnectionError,
    HTTPClientError,
)

import irsa_creds
from rgw.load import Load
from rgw.watch import await_due_refresh, await_failed_refresh, await_refresh

if TYPE_CHECKING:
    from rgw.pod import Pod

pytestmark = pytest.mark.real

# What botocore raises where no answer came: refused, reset, closed, timed out.
NO_ANSWER = (NoConnection, HTTPClientError)


def test_while_credentials_last_an_outage_costs_connections_to_s3_and_no_more(pod: Pod) -> None:
    with _load(pod, lifetime=10) as load:
        provider = irsa_creds.provider()
        await_due_refresh(provider)
        with pod.ceph.dead_gateway():
            await_failed_refresh(provider)
            time.sleep(1)
            assert provider.status().state in {"fresh", "stale"}
        back_at = time.monotonic()
        load.await_good_reads_of_all(since=back_at, within=10)
        well_at = time.monotonic()
        # By then all credentials of before are past.
        load.await_good_reads_of_all(since=back_at + 10, within=15)
    assert load.errors()
    assert [error for error in load.errors() if not isinstance(error, NO_ANSWER)] == []
    assert [error for error in load.errors() if isinstance(error, irsa_creds.IrsaError)] == []
    assert load.errors(since=well_at) == []


def test_an_outage_beyond_the_credentials_end_is_told_as_one_and_heals(pod: Pod) -> None:
    with _load(pod, lifetime=6) as load:
        with pod.ceph.dead_gateway():
            load.await_errors(irsa_creds.IrsaError, within=10)
            time.sleep(2)
            told = [error for error in load.errors() if isinstance(error, irsa_creds.ExchangeError)]
        load.await_good_reads_of_all(since=time.monotonic(), within=20)
        well_at = time.monotonic()
        load.await_good_reads_of_all(since=well_at + 6, within=15)
    assert [error for error in told if not isinstance(error, EndpointConnectionError)] == []
    assert {error.retryable for error in told} == {True}
    assert len(set(map(id, told))) == len(told)
    assert [error for error in load.errors() if not isinstance(error, NO_ANSWER)] == []
    assert load.errors(since=well_at) == []


def test_nobody_notices_that_sts_cannot_reach_the_issuer_for_a_while(pod: Pod) -> None:
    with _load(pod, lifetime=20) as load:
        provider = irsa_creds.provider()
        first = provider.get()
        pod.issuer.reachable = False
        await_failed_refresh(provider)
        assert provider.get() == first
        pod.issuer.reachable = True
        await_refresh(provider, first)
        load.await_good_reads_of_all(since=time.monotonic(), within=5)
    assert load.errors() == []


def test_no_read_of_credentials_waits_for_a_gateway_that_hangs(pod: Pod) -> None:
    provider = irsa_creds.provider(duration_seconds=12)
    first = provider.get()
    await_due_refresh(provider)
    with pod.ceph.hung_gateway():
        waits = []
        hung_since = time.monotonic()
        while time.monotonic() < hung_since + 2:
            began = time.monotonic()
            assert provider.get() == first
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
    # One read that waits, waits for the rest of the two seconds, or for the second of a flight.
    assert max(waits) < 0.5
    assert provider.status().flights == 2
    await_refresh(provider, first)


def _load(pod: Pod, lifetime: int) -> Load:
    """Return a load on an unchanged boto3 client; its own retries would hide what we look for."""
    pod.set_lifetime(lifetime)
    once = Config(retries={"total_max_attempts": 1})
    s3 = irsa_creds.boto3_session().client("s3", config=once)
    assert pod.read(s3)
    return Load(lambda: pod.read(s3))
