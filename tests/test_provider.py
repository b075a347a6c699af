"""The public methods of `Provider`, with a scripted STS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engine_fakes import ROLE, FakeClock, FakeSts, failure, join_refreshes
from irsa_creds import ExchangeError, Provider, RefreshStarted, RefreshSucceeded, RefreshTimeout
from irsa_creds._identity.config import Config
from irsa_creds._registry import Registry, engine_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from irsa_creds import Credentials, Event

FIRST, SECOND = "ASIA0000000000000001", "ASIA0000000000000002"


def on_a_thread(provider: Provider) -> Credentials:
    return provider.get()


def in_a_task(provider: Provider) -> Credentials:
    return asyncio.run(provider.aget())


sync_and_async = pytest.mark.parametrize("get", [on_a_thread, in_a_task])


@pytest.fixture
def _no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_BACKGROUND", "0")


@pytest.fixture
def provider(clock: FakeClock, sts: FakeSts, tmp_path: Path, _no_timer: None) -> Iterator[Provider]:
    token = tmp_path / "token"
    token.write_text("a.b.c")
    config = Config(role_arn=ROLE, session_name="pod", token_file=str(token))
    made = Registry(clock, Provider).of(config, {})
    yield made
    sts.hold.set()
    join_refreshes()


@sync_and_async
def test_sync_and_async_callers_get_the_same_credentials_from_one_call(
    get: Callable[[Provider], Credentials], provider: Provider, sts: FakeSts
) -> None:
    assert get(provider).access_key_id == FIRST
    assert get(provider) is get(provider)
    assert sts.calls == 1


@sync_and_async
def test_a_read_of_valid_credentials_marks_them_and_takes_no_lock(
    get: Callable[[Provider], Credentials], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(provider)
    engine = engine_of(provider)
    engine.snapshot.was_read = False
    monkeypatch.setattr(engine, "_lock", None)
    assert get(provider).access_key_id == FIRST
    assert engine.snapshot.was_read


@sync_and_async
def test_the_fast_path_ends_exactly_at_check_at(
    get: Callable[[Provider], Credentials],
    provider: Provider,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get(provider)
    engine = engine_of(provider)
    clock.advance(engine.snapshot.check_at - clock.now())
    looks: list[float] = []
    get_or_join = engine.get_or_join

    def counted(min_ttl: float = 0.0, *, must_not_wait: bool = False) -> object:
        looks.append(min_ttl)
        return get_or_join(min_ttl, must_not_wait=must_not_wait)

    monkeypatch.setattr(engine, "get_or_join", counted)
    get(provider)
    assert looks == [0.0]


@sync_and_async
def test_sync_and_async_callers_get_the_typed_error(
    get: Callable[[Provider], Credentials], provider: Provider, sts: FakeSts
) -> None:
    sts.down = failure("AccessDenied", retryable=False)
    with pytest.raises(ExchangeError, match="AccessDenied"):
        get(provider)


def test_min_ttl_returns_credentials_that_last_longer(
    provider: Provider, clock: FakeClock, sts: FakeSts
) -> None:
    provider.get()
    clock.advance(300)
    assert provider.get(min_ttl=900).access_key_id == FIRST
    assert provider.get(min_ttl=3500).access_key_id == SECOND
    assert asyncio.run(provider.aget(min_ttl=3500)).access_key_id == SECOND
    with pytest.raises(RefreshTimeout, match="min_ttl is 9999"):
        asyncio.run(provider.aget(min_ttl=9999))
    assert sts.calls == 2, "the last one is less than a minute old"


def test_a_timeout_of_nothing_starts_a_refresh_and_does_not_wait(
    provider: Provider, sts: FakeSts
) -> None:
    sts.hold.clear()
    with pytest.raises(RefreshTimeout, match="within 0 s"):
        provider.get(timeout=0)
    with pytest.raises(RefreshTimeout, match="within 0 s"):
        asyncio.run(provider.aget(timeout=0))
    sts.hold.set()
    join_refreshes()
    assert provider.status().flights == 1
    assert provider.get().access_key_id == FIRST


def test_prefetch_and_status(provider: Provider) -> None:
    assert provider.status().state == "empty"
    provider.prefetch()
    join_refreshes()
    assert provider.status().state == "fresh"
    assert provider.status().sts_calls == 1


def test_invalidate_makes_the_next_read_wait_for_another_key(provider: Provider) -> None:
    key = provider.get().access_key_id
    provider.invalidate("another")
    assert provider.get().access_key_id == key
    provider.invalidate(key)
    assert provider.get().access_key_id == SECOND
    provider.invalidate()
    assert provider.status().state == "expired"


def test_events_are_delivered_until_the_subscriber_unsubscribes(provider: Provider) -> None:
    events: list[Event] = []
    unsubscribe = provider.subscribe(events.append)
    expiration = provider.get().expiration
    join_refreshes()
    assert events == [
        RefreshStarted(ROLE, blocking=True),
        RefreshSucceeded(ROLE, 1, 0.0, expiration),
    ]
    unsubscribe()
    provider.invalidate()
    provider.get()
    join_refreshes()
    assert len(events) == 2


def test_after_close_a_read_fetches_new_credentials(provider: Provider) -> None:
    provider.get()
    provider.close()
    assert provider.status().state == "empty"
    assert provider.get().access_key_id == SECOND


def test_its_repr_names_the_role_and_no_secret(provider: Provider) -> None:
    provider.get()
    assert provider.role_arn == ROLE
    assert repr(provider) == f"<Provider of {ROLE}>"


@pytest.mark.usefixtures("_no_timer")
def test_a_token_may_come_from_a_callable(clock: FakeClock, sts: FakeSts) -> None:
    tokens = iter(["a.b.c", "d.e.f"])
    config = Config(role_arn=ROLE, session_name="pod", token=lambda: next(tokens))
    provider = Registry(clock, Provider).of(config, {})
    provider.get()
    provider.invalidate()
    provider.get()
    assert next(tokens, None) is None
    assert sts.calls == 2
