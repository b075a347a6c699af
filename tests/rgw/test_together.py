"""Threads and tasks, boto3 and aiobotocore, in one process; and aiobotocore on trio."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from rgw.waiting import await_keys

if TYPE_CHECKING:
    from rgw.libraries import Library
    from rgw.pod import Pod

pytestmark = pytest.mark.real

# Long enough for a busy machine; each refresh comes within half of it.
LIFETIME = 6
# The first, and three refreshes.
KEYS = 4


def test_threads_and_tasks_of_all_sessions_share_one_exchange_per_refresh(
    pod: Pod, boto3_library: Library, aiobotocore_library: Library
) -> None:
    pod.set_lifetime(LIFETIME)
    irsa_creds.install()
    libraries = [boto3_library, aiobotocore_library]
    threads, tasks = (pod.load(each.s3(each.own_session(), retries=False)) for each in libraries)
    key_ids = [partial(each.key_id, each.own_session()) for each in libraries for _ in range(3)]
    with threads, tasks:
        await_keys(KEYS, key_ids)
        assert irsa_creds.provider().status().sts_calls == KEYS
        assert pod.ceph.exchanges(KEYS) == [200] * KEYS
        for load in threads, tasks:
            load.await_success_of_all(since=time.monotonic(), within=10)
    assert threads.errors() + tasks.errors() == []


# httpx sends an absolute URL in the request line, as clients do for a proxy. The gateway accepts it
# and checks the signature, which covers only the path. Its access log shows the line as sent:
# "GET http://127.0.0.1:PORT/BUCKET/KEY HTTP/1.1" 200.
def test_trio_tasks_read_on_after_their_first_credentials_expire(
    pod: Pod, trio_library: Library
) -> None:
    pod.set_lifetime(LIFETIME)
    session = trio_library.session()
    s3 = trio_library.s3(session, retries=False)
    pod.write(s3, b"by trio")
    assert pod.read(s3) == b"by trio"
    past_at = time.monotonic() + LIFETIME
    with pod.load(s3) as load:
        await_keys(KEYS, [partial(trio_library.key_id, session)])
        assert irsa_creds.provider().status().sts_calls == KEYS
        load.await_success_of_all(since=past_at, within=15)
    assert load.errors() == []
