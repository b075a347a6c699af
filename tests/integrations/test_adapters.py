"""What the adapters return, and how they pickle; other files use them with real libraries."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from irsa_creds import Provider
from irsa_creds.adapters import AsyncObstoreCredentials, ObstoreCredentials, PolarsCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine_fakes import FakeClock, FakeSts

KINDS: list[Callable[[Provider], Any]] = [
    ObstoreCredentials,
    AsyncObstoreCredentials,
    PolarsCredentials,
]
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def provider(sts: FakeSts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Return a provider with a fake STS; the adapters use the machine's clock."""
    monkeypatch.setattr("irsa_creds._provider.REGISTRY._clock", clock)
    return irsa_creds.provider(
        role_arn="arn:aws:iam::123456789012:role/app", token=lambda: "token", region="eu-west-1"
    )


def returned(kind: Callable[[Provider], Any], provider: Provider) -> tuple[str, float]:
    """Return an adapter's key, and the seconds for which it may be kept."""
    given = kind(provider)()
    if kind is PolarsCredentials:
        keys, until = given
        assert type(until) is int
        return keys["aws_access_key_id"], until - time.time()
    if kind is AsyncObstoreCredentials:
        given = asyncio.run(given)
    assert given["expires_at"].tzinfo is UTC
    return given["access_key_id"], given["expires_at"].timestamp() - time.time()


@each_kind
def test_credentials_may_be_kept_for_a_minute(
    kind: Callable[[Provider], Any], provider: Provider
) -> None:
    key, seconds = returned(kind, provider)
    assert key == provider.get().access_key_id
    assert 55 < seconds <= 60


@each_kind
def test_near_their_expiry_credentials_may_be_kept_to_the_end_of_use(
    kind: Callable[[Provider], Any], provider: Provider, sts: FakeSts, clock: FakeClock
) -> None:
    first = provider.get().access_key_id
    sts.hold.clear()
    clock.advance(3600 - 5 - 30)

    key, seconds = returned(kind, provider)

    assert key == first
    assert 25 < seconds <= 30
    sts.hold.set()


@each_kind
def test_the_next_call_after_a_refresh_returns_the_new_credentials(
    kind: Callable[[Provider], Any], provider: Provider, clock: FakeClock
) -> None:
    first = returned(kind, provider)[0]
    clock.advance(3600)
    assert returned(kind, provider)[0] != first


@each_kind
def test_the_three_values_come_from_one_response(
    kind: Callable[[Provider], Any], provider: Provider
) -> None:
    given = kind(provider)()
    if kind is AsyncObstoreCredentials:
        given = asyncio.run(given)
    if kind is PolarsCredentials:
        given = given[0]
    credentials = provider.get()
    assert list(given.values())[:3] == [
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
    ]


@each_kind
def test_repr_has_the_provider_and_no_secret(
    kind: Callable[[Provider], Any], provider: Provider
) -> None:
    adapter = kind(provider)
    credentials = provider.get()
    assert provider.role_arn in repr(adapter)
    assert credentials.secret_access_key not in repr(adapter)
    assert credentials.session_token not in repr(adapter)
    assert adapter.provider is provider


@each_kind
def test_adapters_of_one_provider_are_equal_and_immutable(
    kind: Callable[[Provider], Any], provider: Provider
) -> None:
    adapter = kind(provider)
    assert {adapter, kind(provider)} == {adapter}
    assert adapter != irsa_creds.provider
    with pytest.raises(AttributeError):
        adapter.provider = None


@each_kind
def test_an_adapter_pickles_and_copies_with_its_provider(
    kind: Callable[[Provider], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "token").write_text("a.b.c")
    adapter = kind(
        irsa_creds.provider(
            role_arn="arn:aws:iam::123456789012:role/app",
            token_file=tmp_path / "token",
            region="eu-west-1",
        )
    )
    assert pickle.loads(pickle.dumps(adapter)) == adapter
    assert copy.copy(adapter) == adapter


def test_adapters_import_no_library() -> None:
    code = (
        "import sys, irsa_creds.adapters; "
        "print({'obstore', 'polars', 'awscrt', 'botocore', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"
