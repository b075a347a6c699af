"""Invalidated keys, keys that services call expired, and denied tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine_fakes import FakeTimer, Rig, eventually, failure, high, rig
from irsa_creds import ExchangeError, RefreshTimeout
from irsa_creds._engine.waiting import acquire

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD_TOKEN = failure("ExpiredTokenException", retryable=False, bad_token=True)
FIRST, SECOND = "ASIA0000000000000001", "ASIA0000000000000002"


@pytest.fixture
def here() -> Iterator[Rig]:
    made = rig(uniform=high, timer=FakeTimer())
    yield made
    made.finish()


# -- by the user -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, FIRST])
def test_an_invalidated_key_is_expired_at_once(here: Rig, key: str | None) -> None:
    here.warm()
    here.clock.advance(100)
    here.engine.invalidate(key)
    assert here.engine.status().state == "expired"
    assert here.engine.snapshot.check_at < here.clock.now()
    assert acquire(here.engine).credentials.access_key_id == SECOND


@pytest.mark.parametrize("method", ["invalidate", "close"])
def test_a_snapshot_expires_for_threads_that_already_have_it(here: Rig, method: str) -> None:
    taken = here.warm()
    if method == "close":
        here.engine.close()
    else:
        here.engine.invalidate(None)
    assert here.clock.now() >= taken.end_of_use


def test_invalidating_another_key_changes_nothing(here: Rig) -> None:
    made = here.warm()
    here.engine.invalidate(SECOND)
    assert here.served() is made


def test_the_response_to_a_refresh_in_progress_is_another_key_and_counts(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.hold.clear()
    here.served()
    here.engine.invalidate(FIRST)
    assert here.joined() is here.refresh
    here.sts.hold.set()
    assert acquire(here.engine).credentials.access_key_id == SECOND
    assert here.sts.calls == 2


def test_before_the_first_credentials_invalidate_does_nothing(here: Rig) -> None:
    here.engine.invalidate(None)
    assert here.engine.status().state == "empty"
    here.warm()


# -- by a service ------------------------------------------------------------------------


def test_a_key_that_a_service_calls_expired_is_stale_and_served(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(60)
    here.sts.hold.clear()
    here.engine.mark_stale(FIRST)
    assert here.refresh is not None
    assert not here.refresh.blocking
    assert here.engine.status().state == "stale"
    assert here.served() is made
    here.finish()
    assert here.served().credentials.access_key_id == SECOND


def test_a_key_younger_than_a_minute_is_not_marked_stale(here: Rig) -> None:
    here.warm()
    here.clock.advance(59.9)
    here.engine.mark_stale(FIRST)
    assert here.refresh is None
    assert here.engine.status().state == "fresh"


def test_a_key_is_marked_stale_once(here: Rig) -> None:
    here.warm()
    here.clock.advance(100)
    here.sts.script.append(failure())
    for _ in range(3):
        here.engine.mark_stale(FIRST)
        here.finish()
        here.clock.advance(0.1)
    assert here.sts.calls == 2


def test_a_service_with_a_wrong_clock_does_not_cause_many_calls_to_sts(here: Rig) -> None:
    here.warm()
    for _ in range(600):
        here.engine.mark_stale(here.served().credentials.access_key_id)
        here.finish()
        here.clock.advance(1)
    assert here.sts.calls <= 1 + 10


def test_a_key_that_is_not_current_or_expired_is_not_marked_stale(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(100)
    here.engine.mark_stale(SECOND)
    here.clock.advance(made.left(here.clock.now()))
    here.engine.mark_stale(FIRST)
    assert here.refresh is None


def test_mark_stale_obeys_the_back_off(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(failure(retry_after=100.0))
    here.served()
    here.finish()
    here.engine.mark_stale(FIRST)
    assert here.refresh is None
    assert here.sts.calls == 2


# -- a bad token -----------------------------------------------------------------------------------


def test_a_new_token_ends_the_cached_failure_of_a_bad_one(here: Rig) -> None:
    here.sts.script.append(BAD_TOKEN)
    with pytest.raises(ExchangeError):
        acquire(here.engine)
    with pytest.raises(ExchangeError):
        acquire(here.engine)
    here.token.rotate()
    here.clock.advance(1)
    assert acquire(here.engine).credentials.access_key_id == FIRST
    assert here.sts.calls == 2


def test_a_new_token_ends_the_back_off_of_a_bad_one(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(2700)
    here.sts.script.append(BAD_TOKEN)
    here.served()
    here.finish()
    assert made.check_at == here.clock.now() + 1, "it is looked at every second"
    here.clock.advance(1)
    assert here.served() is made
    here.finish()
    assert here.sts.calls == 2
    here.token.rotate()
    here.clock.advance(1)
    here.served()
    here.finish()
    assert here.sts.calls == 3
    assert here.served().credentials.access_key_id == SECOND


def test_the_timer_watches_the_token_as_well(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(BAD_TOKEN)
    here.engine.tick()
    here.finish()
    assert isinstance(here.engine.timer, FakeTimer)
    assert here.engine.timer.at[-1] == here.clock.now() + 1
    here.token.rotate()
    here.clock.advance(1)
    here.engine.tick()
    here.finish()
    assert here.sts.calls == 3


def test_a_new_token_does_not_end_another_back_off(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.append(failure(retry_after=100.0))
    here.served()
    here.finish()
    here.token.rotate()
    here.clock.advance(99)
    here.served()
    assert here.sts.calls == 2


def test_a_new_token_does_not_end_the_cached_failure_of_the_refresh_that_hung_with_it(
    here: Rig,
) -> None:
    here.sts.script.append(BAD_TOKEN)
    with pytest.raises(ExchangeError):
        acquire(here.engine)
    here.token.rotate()
    here.clock.advance(1)
    here.sts.hold.clear()
    here.joined()
    eventually(lambda: here.sts.calls == 2)
    here.token.rotate()
    here.clock.advance(31)
    with pytest.raises(RefreshTimeout, match="did not end"):
        here.read()
    assert here.refresh is None


def test_a_token_that_rotates_without_a_failure_changes_nothing(here: Rig) -> None:
    here.warm()
    here.token.rotate()
    here.clock.advance(2699)
    here.served()
    assert here.sts.calls == 1
