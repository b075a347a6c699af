"""Credentials that really expire, and tokens and keys that are replaced."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

import irsa_creds
from rgw.pod import CONTENT
from rgw.waiting import await_failed_refresh

if TYPE_CHECKING:
    from irsa_creds import Provider
    from rgw.libraries import Library
    from rgw.pod import Pod

pytestmark = pytest.mark.real

# Long enough for a busy machine; the refresh comes within half of it.
LIFETIME = 6


def test_s3_denies_the_old_credentials_after_a_refresh(pod: Pod, library: Library) -> None:
    provider = irsa_creds.provider(duration_seconds=LIFETIME)
    old = library.get(provider)
    s3_of_old = library.s3_of(old)
    assert pod.read(s3_of_old) == CONTENT
    _read_until_expired(library, provider, old.expiration)
    with pytest.raises(ClientError, match="AccessDenied"):
        pod.read(s3_of_old)
    assert pod.read(library.s3_of(library.get(provider))) == CONTENT


def test_a_client_reads_on_after_its_first_credentials_expire(pod: Pod, library: Library) -> None:
    pod.set_lifetime(LIFETIME)
    session = library.session()
    s3 = library.s3(session)
    keys = set()
    end = time.monotonic() + 1.5 * LIFETIME
    while time.monotonic() < end:
        assert pod.read(s3) == CONTENT
        keys.add(library.key_id(session))
    assert len(keys) > 2


def test_a_refresh_reads_the_current_token(pod: Pod, library: Library) -> None:
    pod.rotate_token(lifetime=3)
    provider = irsa_creds.provider()
    old = library.get(provider)
    pod.rotate_token()
    time.sleep(4)  # the first token has expired
    provider.invalidate()
    new = library.get(provider)
    assert new != old
    assert pod.read(library.s3_of(new)) == CONTENT


def test_a_new_key_of_the_issuer_needs_only_a_new_token(pod: Pod, library: Library) -> None:
    provider = irsa_creds.provider(duration_seconds=LIFETIME)
    old = library.get(provider)
    pod.issuer.rotate(keep_old=False)
    pod.rotate_token()
    _read_until_expired(library, provider, old.expiration)
    assert pod.read(library.s3_of(library.get(provider))) == CONTENT


def test_a_denied_refresh_is_noticed_only_when_the_credentials_expire(
    pod: Pod, library: Library
) -> None:
    provider = irsa_creds.provider(duration_seconds=LIFETIME)
    only = library.get(provider)
    pod.rotate_token(lifetime=-1)
    await_failed_refresh(provider)
    assert library.get(provider) == only
    failure = provider.status().last_failure
    assert failure is not None
    assert failure.code == "AccessDenied"
    with pytest.raises(irsa_creds.ExchangeError):
        _read_until_expired(library, provider, only.expiration)


def _read_until_expired(library: Library, provider: Provider, instant: datetime) -> None:
    while datetime.now(UTC) <= instant:
        library.get(provider)
        time.sleep(0.01)
