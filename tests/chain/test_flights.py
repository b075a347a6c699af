"""The second role's engine: the promises of the first hold for it as well."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from chain.lab import SECOND, THIRD, Pair, further, key, pair
from irsa_creds import ExchangeError, RefreshTimeout, TokenError, _chain_pilot
from irsa_creds._errors import Failure
from irsa_creds._flight import Flight
from irsa_creds._freshness import Snapshot
from irsa_creds._waiting import aacquire, acquire, wait
from kit import eventually, failure, high, join_flights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from typing import Any


@pytest.fixture
def roles() -> Iterator[Pair]:
    made = pair()
    yield made
    made.finish()


def warm(roles: Pair) -> Snapshot:
    made = roles.second.warm()
    assert made.credentials.access_key_id == key(1001)
    return made


# -- who signs ---------------------------------------------------------------------------------


def test_the_second_role_is_assumed_with_the_key_of_the_first(roles: Pair) -> None:
    warm(roles)
    assert roles.signers == [key(1)]
    assert (roles.first.sts.calls, roles.second.sts.calls) == (1, 1)


def test_a_third_role_is_assumed_with_the_key_of_the_second(roles: Pair) -> None:
    third = further(roles.second, THIRD, first_key=2001)
    assert third.warm().credentials.access_key_id == key(2001)
    assert third.sts.signers == [key(1001)]  # type: ignore[attr-defined]
    assert third.pilot.token().value == roles.first.token.value
    assert third.engine.role_arn == THIRD


def test_many_roles_behind_one_share_its_credentials(roles: Pair) -> None:
    others = [further(roles.first, f"{SECOND}-{n}", first_key=n * 1000) for n in range(2, 6)]
    for each in (roles.second, *others):
        each.warm()
    assert roles.first.sts.calls == 1


def test_it_is_known_by_its_own_name(roles: Pair) -> None:
    heard: list[object] = []
    roles.second.channel.subscribe(heard.append)
    warm(roles)
    assert {each.role_arn for each in heard} == {SECOND}  # type: ignore[attr-defined]
    assert roles.second.engine.is_chained
    assert not roles.first.engine.is_chained
    assert roles.second.engine.status().sts_calls == 1


# -- nobody waits while credentials are valid ------------------------------------------------------


def test_a_refresh_of_the_second_does_not_wait_for_one_of_the_first(roles: Pair) -> None:
    warm(roles)
    roles.clock_to_refresh()
    roles.first.sts.hold.clear()
    roles.second.served()
    eventually(lambda: roles.second.sts.calls == 2)
    # What was valid signed, and the first role's refresh is under way meanwhile.
    assert roles.signers == [key(1), key(1)]
    assert roles.first.flight is not None
    assert roles.first.served().credentials.access_key_id == key(1)


def test_a_refresh_of_the_second_makes_no_reader_of_the_first_wait(roles: Pair) -> None:
    warm(roles)
    roles.clock_to_refresh()
    roles.second.sts.hold.clear()
    roles.second.served()
    eventually(lambda: roles.second.sts.calls == 2)
    assert roles.first.served().credentials.access_key_id
    assert roles.second.served().credentials.access_key_id == key(1001)


def test_the_second_is_served_while_the_first_cannot_be_had(roles: Pair) -> None:
    roles.first.sts.lifetime = 1800.0
    warm(roles)
    roles.first.sts.down = roles.second.sts.down = failure("AccessDenied", retryable=False)
    roles.clock(1900)  # the first has ended
    for _ in range(20):
        assert roles.second.served().credentials.access_key_id == key(1001)
        join_flights()
        roles.clock(60)
    found = roles.second.engine.last_failure()
    assert found is not None
    assert found.code == "AccessDenied"
    roles.first.sts.down = roles.second.sts.down = None
    roles.clock(70)
    roles.second.served()
    join_flights()
    roles.clock(10)
    roles.second.served()
    eventually(lambda: roles.second.served().credentials.access_key_id == key(1002))


def test_threads_that_find_nothing_make_one_call_for_each_role(roles: Pair) -> None:
    roles.first.sts.hold.clear()
    got: list[str] = []

    def read() -> None:
        got.append(acquire(roles.second.engine).credentials.access_key_id)

    threads = [threading.Thread(target=read) for _ in range(20)]
    for each in threads:
        each.start()
    eventually(lambda: roles.first.sts.calls == 1)
    roles.first.sts.hold.set()
    for each in threads:
        each.join(10)
    assert got == [key(1001)] * 20
    assert (roles.first.sts.calls, roles.second.sts.calls) == (1, 1)


async def _read(roles: Pair) -> str:
    return (await aacquire(roles.second.engine)).credentials.access_key_id


def test_a_task_waits_for_both_without_blocking() -> None:
    import asyncio

    roles = pair()
    assert asyncio.run(_read(roles)) == key(1001)
    roles.finish()


# -- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [True, False])
def test_a_failure_of_the_first_is_the_seconds_and_is_not_tried_again(
    roles: Pair, *, blocking: bool
) -> None:
    roles.first.sts.down = failure("ServiceUnavailable", status=503)
    now = roles.first.clock.now()
    flight = Flight.for_readers(now) if blocking else Flight.in_background(now, 600)
    outcome = roles.second.pilot.fly(flight, Snapshot.nothing())
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.status, outcome.retryable) == ("ServiceUnavailable", 503, True)
    # The first role's own flight has tried four times; the second has sent nothing.
    assert (roles.first.sts.calls, roles.second.sts.calls) == (4, 0)
    assert outcome.again_in == roles.first.engine.record_left()


def test_readers_get_the_first_roles_error_and_no_stampede(roles: Pair) -> None:
    roles.first.sts.down = failure("AccessDenied", retryable=False, advice="Look there.")
    for _ in range(50):
        with pytest.raises(ExchangeError, match=r"(?s)STS said AccessDenied\.\n.* Look there\."):
            acquire(roles.second.engine)
    assert roles.first.sts.calls == 1


def test_what_the_first_recovers_from_the_second_does_at_once(roles: Pair) -> None:
    roles.first.sts.down = failure("AccessDenied", retryable=False)
    with pytest.raises(ExchangeError):
        acquire(roles.second.engine)
    roles.first.sts.down = None
    # As long as the first answers with its record, the second does.
    roles.clock(5.1)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1001)


def test_a_token_that_cannot_be_read_is_the_seconds_error_and_a_new_one_ends_it(
    roles: Pair,
) -> None:
    roles.first.token.failure = failure("TokenMissing", kind="token", bad_token=True)
    with pytest.raises(TokenError):
        acquire(roles.second.engine)
    roles.first.token.rotate()
    roles.clock(1.1)

    def comes() -> bool:
        roles.clock(0.5)
        try:
            return acquire(roles.second.engine).credentials.access_key_id == key(1001)
        except TokenError:
            return False

    eventually(comes)


def test_a_token_that_is_looked_at_twice_in_a_second_is_looked_at_once(roles: Pair) -> None:
    warm(roles)
    assert not roles.second.pilot.token_changed()
    roles.first.engine.invalidate(None)
    acquire(roles.first.engine)
    assert not roles.second.pilot.token_changed()
    roles.clock(1.1)
    assert roles.second.pilot.token_changed()


def test_a_first_role_that_hangs_is_waited_for_no_longer_than_the_flight_lasts(
    roles: Pair,
) -> None:
    now = roles.first.clock.now()
    roles.first.sts.hold.clear()
    flight = Flight.for_readers(now)
    flight.deadline = now - 1
    outcome = roles.second.pilot.fly(flight, Snapshot.nothing())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.code, outcome.attempts) == ("timeout", "RefreshTimeout", 1)
    assert SECOND not in outcome.message
    assert "\n" not in outcome.message


def test_why_the_first_role_runs_out_of_time_is_the_advice(roles: Pair) -> None:
    engine: Any = roles.first.engine
    last = failure("Throttling", sub="system:serviceaccount:ns:app", advice="Wait.")
    late = RefreshTimeout(f"No credentials came.\nThe last one failed: {last.text()}", failure=last)
    for error, advice in [
        (late, "STS said Throttling. Token: sub system:serviceaccount:ns:app. Wait."),
        (Flight(blocking=True, started_at=0, deadline=30).overdue().error(), "Look for a hanging"),
        (RefreshTimeout("No thread."), ""),
    ]:
        found = _chain_pilot._failure_of(error, engine.role_arn)
        assert found.message == str(error).splitlines()[0]
        assert found.advice.startswith(advice)
        assert found.advice.count(found.message) == 0
        assert found.kind == "timeout"


# -- a key that STS calls expired ------------------------------------------------------------------


EXPIRED = failure(
    "ExpiredToken", bad_token=True, attempts=3, operation="AssumeRole", role_arn=SECOND
)


def test_a_first_key_that_sts_calls_expired_is_fetched_anew(roles: Pair) -> None:
    warm(roles)
    roles.clock_to_refresh()
    acquire(roles.first.engine)
    join_flights()
    roles.clock(61)
    roles.second.engine.invalidate(None)
    roles.second.sts.script.append(EXPIRED)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1002)
    assert roles.signers[-2:] == [key(2), key(3)]


def test_the_refresh_of_such_a_key_is_waited_for(
    roles: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire(roles.second.engine)
    roles.clock(61)
    roles.second.engine.invalidate(None)
    roles.second.sts.script.append(EXPIRED)
    roles.first.sts.hold.clear()

    def waiting(future: Future[Any], seconds: float) -> None:
        roles.first.sts.hold.set()
        wait(future, seconds)

    monkeypatch.setattr(_chain_pilot, "wait", waiting)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1002)
    assert roles.signers == [key(1), key(1), key(2)]


def test_a_young_key_that_sts_calls_expired_is_kept(roles: Pair) -> None:
    roles.second.sts.down = EXPIRED
    with pytest.raises(ExchangeError):
        acquire(roles.second.engine)
    assert roles.first.sts.calls == 1
    assert roles.signers == [key(1)] * 3


def test_a_token_that_sts_calls_expired_is_not_the_keys_fault(roles: Pair) -> None:
    roles.first.sts.down = failure("ExpiredTokenException", bad_token=True, retryable=False)
    with pytest.raises(ExchangeError):
        acquire(roles.second.engine)
    assert roles.second.sts.calls == 0


# -- threads and locks -----------------------------------------------------------------------------


def test_without_threads_a_reader_flies_both_flights_itself(
    roles: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1001)
    assert roles.signers == [key(1)]


def test_a_reader_in_the_middle_of_the_first_roles_change_flies_itself(
    roles: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    # As a signal's handler does: this thread holds what the thread of a flight would need.
    with roles.first.engine._lock:
        assert roles.first.engine.needs_this_thread()
        assert acquire(roles.second.engine, timeout=5).credentials.access_key_id == key(1001)
    assert not roles.first.engine.needs_this_thread()
    assert started == []


def test_a_lock_that_another_thread_holds_needs_no_flight_here(roles: Pair) -> None:
    seen: list[bool] = []
    with roles.first.engine._lock:
        thread = threading.Thread(
            target=lambda: seen.append(roles.second.engine.needs_this_thread())
        )
        thread.start()
        thread.join(10)
    assert seen == [False]


def test_a_token_callable_that_reads_the_second_role_is_told(roles: Pair) -> None:
    told: list[BaseException] = []
    read = roles.first.token.read

    def reading() -> object:
        try:
            acquire(roles.second.engine, timeout=5)
        except RefreshTimeout as error:
            told.append(error)
        return read()

    roles.first.token.read = reading  # type: ignore[assignment, method-assign]
    assert acquire(roles.second.engine).credentials.access_key_id == key(1001)
    assert "reads the credentials that it is to bring" in str(told[0])


def test_every_draw_the_other_way_it_lasts_as_long() -> None:
    roles = pair(draw=high)
    made = roles.second.warm()
    assert made.lifetime == 3600.0
    roles.finish()
