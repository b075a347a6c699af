"""The target role's engine: the promises of the first hold for it as well."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from chained_engines import SECOND, THIRD, Pair, key, pair, target
from engine_fakes import FakeTimer, eventually, failure, high, join_refreshes, rig
from irsa_creds import ExchangeError, RefreshTimeout, TokenError
from irsa_creds._engine import timing
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._engine.this_thread import HERE
from irsa_creds._engine.waiting import aacquire, acquire, join
from irsa_creds._errors import Failure
from irsa_creds._exchange import chained_fetcher

if TYPE_CHECKING:
    from collections.abc import Iterator
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


# -- what signs ----------------------------------------------------------------------------------


def test_the_source_roles_credentials_sign_for_the_target_role(roles: Pair) -> None:
    warm(roles)
    assert roles.signers == [key(1)]
    assert (roles.first.sts.calls, roles.second.sts.calls) == (1, 1)


def test_a_third_role_is_assumed_with_the_key_of_the_second(roles: Pair) -> None:
    third = target(roles.second, THIRD, first_key=2001)
    assert third.warm().credentials.access_key_id == key(2001)
    assert third.sts.signers == [key(1001)]  # type: ignore[attr-defined]
    assert third.fetcher.token().value == roles.first.token.value
    assert third.engine.name == THIRD


def test_many_roles_behind_one_share_its_credentials(roles: Pair) -> None:
    others = [target(roles.first, f"{SECOND}-{n}", first_key=n * 1000) for n in range(2, 6)]
    for each in (roles.second, *others):
        each.warm()
    assert roles.first.sts.calls == 1


def test_it_is_known_by_its_own_name(roles: Pair) -> None:
    heard: list[object] = []
    roles.second.subscribers.subscribe(heard.append)
    warm(roles)
    assert {each.role_arn for each in heard} == {SECOND}  # type: ignore[attr-defined]
    assert roles.second.engine.fetcher.is_chained
    assert not roles.first.engine.fetcher.is_chained
    assert roles.second.engine.status().sts_calls == 1


# -- no caller waits while credentials are valid ---------------------------------------------------


def test_a_target_refresh_does_not_wait_for_a_source_refresh(roles: Pair) -> None:
    warm(roles)
    roles.clock_to_refresh()
    roles.first.sts.hold.clear()
    roles.second.served()
    eventually(lambda: roles.second.sts.calls == 2)
    # What was valid signed, and the first role's refresh is under way meanwhile.
    assert roles.signers == [key(1), key(1)]
    assert roles.first.refresh is not None
    assert roles.first.served().credentials.access_key_id == key(1)


def test_a_target_refresh_makes_no_caller_of_the_source_wait(roles: Pair) -> None:
    warm(roles)
    roles.clock_to_refresh()
    roles.second.sts.hold.clear()
    roles.second.served()
    eventually(lambda: roles.second.sts.calls == 2)
    assert roles.first.served().credentials.access_key_id
    assert roles.second.served().credentials.access_key_id == key(1001)


def test_the_target_is_served_while_the_source_fails(roles: Pair) -> None:
    roles.first.sts.lifetime = 1800.0
    warm(roles)
    roles.first.sts.down = roles.second.sts.down = failure("AccessDenied", retryable=False)
    roles.clock(1900)  # the first has ended
    for _ in range(20):
        assert roles.second.served().credentials.access_key_id == key(1001)
        join_refreshes()
        roles.clock(60)
    found = roles.second.engine.last_failure()
    assert found is not None
    assert found.code == "AccessDenied"
    roles.first.sts.down = roles.second.sts.down = None
    roles.clock(70)
    roles.second.served()
    join_refreshes()
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


def claimed(roles: Pair, *, blocking: bool = True) -> Refresh:
    """Return a refresh of the second role that this thread runs."""
    now = roles.first.clock.now()
    seconds = timing.BLOCKING_SECONDS if blocking else timing.background_seconds(600)
    refresh = Refresh(blocking=blocking, created_at=now, seconds=seconds)
    assert refresh.claim(now)
    return refresh


@pytest.mark.parametrize("blocking", [True, False])
def test_a_source_failure_is_the_targets_failure_without_a_retry(
    roles: Pair, *, blocking: bool
) -> None:
    roles.first.sts.down = failure("ServiceUnavailable", status=503)
    outcome = roles.second.fetcher.fetch(claimed(roles, blocking=blocking), Snapshot.nothing())
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.status, outcome.retryable) == ("ServiceUnavailable", 503, True)
    # The first role's own refresh has tried four times; the second has sent nothing.
    assert (roles.first.sts.calls, roles.second.sts.calls) == (4, 0)
    assert outcome.again_in == roles.first.engine.cached_failure_left()


def test_callers_get_the_source_roles_error_after_one_call(roles: Pair) -> None:
    roles.first.sts.down = failure("AccessDenied", retryable=False, advice="Look there.")
    for _ in range(50):
        with pytest.raises(ExchangeError, match=r"(?s)STS said AccessDenied\.\n.* Look there\."):
            acquire(roles.second.engine)
    assert roles.first.sts.calls == 1


def test_the_target_recovers_with_its_source(roles: Pair) -> None:
    roles.first.sts.down = failure("AccessDenied", retryable=False)
    with pytest.raises(ExchangeError):
        acquire(roles.second.engine)
    roles.first.sts.down = None
    # The target fails as long as its source's failure is cached.
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


def test_a_key_that_was_not_tried_counts_as_a_new_token(roles: Pair) -> None:
    warm(roles)
    assert not roles.second.fetcher.token_changed()
    roles.first.engine.invalidate(None)
    roles.first.sts.hold.clear()
    assert not roles.second.fetcher.token_changed(), "there is no key"
    # The look has started the first role's refresh.
    roles.first.sts.hold.set()
    roles.first.settle()
    assert roles.second.fetcher.token_changed()


def test_a_source_role_that_hangs_blocks_the_target_until_its_deadline(
    roles: Pair,
) -> None:
    roles.first.sts.hold.clear()
    roles.first.joined()
    check_timeout(roles)


def test_sts_is_not_called_after_the_deadline(roles: Pair) -> None:
    check_timeout(roles)
    assert roles.first.sts.calls == 0


def check_timeout(roles: Pair) -> None:
    refresh = claimed(roles)
    refresh.deadline = roles.first.clock.now() - 1
    outcome = roles.second.fetcher.fetch(refresh, Snapshot.nothing())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.code, outcome.attempts) == ("timeout", "RefreshTimeout", 1)
    assert SECOND not in outcome.message
    assert "\n" not in outcome.message


def test_the_advice_says_why_the_source_role_timed_out(roles: Pair) -> None:
    engine: Any = roles.first.engine
    last = failure("Throttling", sub="system:serviceaccount:ns:app", advice="Wait.")
    late = RefreshTimeout(
        f"No credentials came.\nThe last refresh failed: {last.text()}", failure=last
    )
    for error, advice in [
        (late, "STS said Throttling. Wait."),
        (claimed(roles).overdue_failure().error(), "Check for a DNS server"),
        (RefreshTimeout("No thread."), ""),
    ]:
        found = chained_fetcher._failure_of(error, engine.name)
        assert found.message == str(error).splitlines()[0]
        assert found.advice.startswith(advice)
        assert found.advice.count(found.message) == 0
        assert found.kind == "timeout"


# -- a key that STS calls expired ------------------------------------------------------------------


EXPIRED = failure(
    "ExpiredToken", bad_token=True, attempts=3, operation="AssumeRole", role_arn=SECOND
)


def test_a_source_key_that_is_expired_for_sts_is_replaced(roles: Pair) -> None:
    warm(roles)
    roles.clock_to_refresh()
    acquire(roles.first.engine)
    join_refreshes()
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

    def joining(*arguments: Any, must_not_wait: bool) -> None:
        roles.first.sts.hold.set()
        join(*arguments, must_not_wait=must_not_wait)

    monkeypatch.setattr("irsa_creds._exchange.chained_fetcher.join", joining)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1002)
    assert roles.signers == [key(1), key(1), key(2)]


def test_an_unclaimed_source_refresh_runs_on_the_targets_thread() -> None:
    class BusyTimer(FakeTimer):
        """It runs, and has not come to this engine yet."""

        def run(self) -> bool:
            return True

    first = rig(timer=BusyTimer())
    roles = Pair(first, target(first))
    acquire(roles.second.engine)
    roles.clock(61)
    roles.second.engine.invalidate(None)
    roles.second.sts.script.append(EXPIRED)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1002)
    assert roles.signers == [key(1), key(1), key(2)]
    roles.finish()


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


def test_without_threads_a_caller_runs_both_refreshes_itself(
    roles: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert acquire(roles.second.engine).credentials.access_key_id == key(1001)
    assert roles.signers == [key(1)]


def test_the_source_roles_refresh_needs_no_thread_of_its_own(
    roles: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    original = roles.first.sts.attempt

    def attempt(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        threads.append(str(threading.active_count() - before))
        return original(*arguments)

    monkeypatch.setattr(roles.first.sts, "attempt", attempt)
    before = threading.active_count()
    acquire(roles.second.engine)
    assert threads == ["irsa-creds-refresh", "1"]


def test_the_source_roles_subscribers_get_its_events(roles: Pair) -> None:
    heard: list[object] = []
    roles.first.subscribers.subscribe(heard.append)
    warm(roles)
    assert [type(each).__name__ for each in heard] == ["RefreshStarted", "RefreshSucceeded"]
    assert {each.role_arn for each in heard} == {roles.first.engine.name}  # type: ignore[attr-defined]


def test_a_read_inside_a_read_runs_both_refreshes_itself(
    roles: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    # As a signal handler does: this thread holds what the thread of a refresh could wait for.
    with HERE.slow_path:
        assert acquire(roles.second.engine, timeout=5).credentials.access_key_id == key(1001)
    assert not HERE.is_busy
    assert started == []


def test_a_read_inside_a_read_does_not_wait_for_the_source_roles_thread(roles: Pair) -> None:
    roles.first.sts.hold.clear()
    roles.first.joined()
    eventually(lambda: roles.first.sts.calls == 1)
    original = roles.first.sts.attempt

    def attempt(*arguments: Any) -> Any:
        # The thread that hangs there goes on only when this one has what it needs.
        roles.first.sts.hold.set()
        return original(*arguments)

    roles.first.sts.attempt = attempt  # type: ignore[method-assign, assignment]
    with HERE.slow_path:
        assert acquire(roles.second.engine, timeout=5).credentials.access_key_id == key(1001)
    assert roles.first.sts.calls == 2


def test_a_read_during_a_change_of_the_source_engine_is_served_or_gets_an_error(
    roles: Pair,
) -> None:
    first = roles.first.engine
    HERE.section = first._lock
    with first._lock, pytest.raises(RefreshTimeout, match="while irsa-creds changed them"):
        acquire(roles.second.engine, timeout=5)
    made = warm(roles)
    HERE.section = first._lock
    with first._lock:
        assert acquire(roles.second.engine, timeout=5) is made


def test_a_token_callable_that_reads_the_target_role_gets_an_error(roles: Pair) -> None:
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
    assert "A refresh read the credentials that it refreshes" in str(told[0])


def test_the_target_gets_the_whole_lifetime_with_the_latest_refresh_time() -> None:
    roles = pair(uniform=high)
    made = roles.second.warm()
    assert made.lifetime == 3600.0
    roles.finish()
