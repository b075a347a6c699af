"""The gateway or the issuer fails and recovers while threads or tasks read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ConnectionError as NoConnection,
    EndpointConnectionError,
    HTTPClientError,
)

import irsa_creds
from rgw.waiting import await_due_refresh, await_failed_refresh, await_refresh

if TYPE_CHECKING:
    from rgw.libraries import Library
    from rgw.load import Load
    from rgw.pod import Pod

pytestmark = pytest.mark.real

# botocore's errors without a response: refused, reset, closed, timed out.
NO_ANSWER = (NoConnection, HTTPClientError)


def test_with_valid_credentials_an_outage_fails_only_connections_to_s3(
    pod: Pod, library: Library
) -> None:
    with _load(pod, library, lifetime=10) as load:
        provider = irsa_creds.provider()
        await_due_refresh(provider)
        with pod.ceph.dead_gateway():
            await_failed_refresh(provider)
            time.sleep(1)
            assert provider.status().state in {"fresh", "stale"}
            last = library.get(provider)
        load.await_success_of_all(since=time.monotonic(), within=10)
        well_at = time.monotonic()
        past_in = (last.expiration - datetime.now(UTC)).total_seconds()
        load.await_success_of_all(since=well_at + past_in, within=15)
    assert load.errors()
    assert [error for error in load.errors() if not isinstance(error, NO_ANSWER)] == []
    assert [error for error in load.errors() if isinstance(error, irsa_creds.IrsaError)] == []
    assert load.errors(since=well_at) == []


def test_an_outage_beyond_the_expiration_is_raised_and_recovers(pod: Pod, library: Library) -> None:
    with _load(pod, library, lifetime=6) as load:
        provider = irsa_creds.provider()
        with pod.ceph.dead_gateway():
            load.await_errors(irsa_creds.IrsaError, within=10)
            time.sleep(2)
            raised = [
                error for error in load.errors() if isinstance(error, irsa_creds.ExchangeError)
            ]
        load.await_success_of_all(since=time.monotonic(), within=20)
        well_at = time.monotonic()
        await_refresh(provider, library.get(provider))
        load.await_success_of_all(since=time.monotonic(), within=10)
    assert [error for error in raised if not isinstance(error, EndpointConnectionError)] == []
    assert {error.retryable for error in raised} == {True}
    assert len(set(map(id, raised))) == len(raised)
    assert [error for error in load.errors() if not isinstance(error, NO_ANSWER)] == []
    assert load.errors(since=well_at) == []


def test_no_read_fails_while_sts_cannot_reach_the_issuer_for_a_while(
    pod: Pod, library: Library
) -> None:
    with _load(pod, library, lifetime=12) as load:
        provider = irsa_creds.provider()
        first = library.get(provider)
        pod.issuer.reachable = False
        await_failed_refresh(provider)
        assert library.get(provider) == first
        pod.issuer.reachable = True
        await_refresh(provider, first)
        load.await_success_of_all(since=time.monotonic(), within=5)
    assert load.errors() == []


def test_no_read_of_credentials_waits_for_a_hung_gateway(pod: Pod, library: Library) -> None:
    provider = irsa_creds.provider(duration_seconds=12)
    first = library.get(provider)
    await_due_refresh(provider)
    with pod.ceph.hung_gateway():
        waits = []
        hung_since = time.monotonic()
        while time.monotonic() < hung_since + 2:
            began = time.monotonic()
            assert library.get(provider) == first
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
    # A read that waits would wait for the rest of the two seconds, or for a refresh of a second.
    assert max(waits) < 0.5
    assert provider.status().flights == 2
    await_refresh(provider, first)


def _load(pod: Pod, library: Library, lifetime: int) -> Load:
    """Return a load on one client without retries, which would hide the errors."""
    pod.set_lifetime(lifetime)
    s3 = library.s3(library.session(), retries=False)
    assert pod.read(s3)
    assert irsa_creds.provider().status().sts_calls == 1
    return pod.load(s3)
