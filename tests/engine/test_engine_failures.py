"""What a reader gets when STS fails: promises 2 and 4, back-offs, records and overdue flights."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from engine_fakes import Rig, eventually, failure, high, rig, snapshot
from irsa_creds import ExchangeError, IrsaError, RefreshTimeout
from irsa_creds._engine.policy import OVERDUE_GRACE
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.waiting import aacquire, acquire

if TYPE_CHECKING:
    from irsa_creds._exchange.sts import ExchangeResult
    from irsa_creds._identity.token import Token

REFUSED = failure("AccessDenied", retryable=False)


def read_and_finish(here: Rig) -> None:
    here.served()
    here.finish()


# -- while credentials are valid -------------------------------------------------------------------


def test_an_outage_of_sts_is_seen_by_no_reader_and_by_few_calls(here: Rig) -> None:
    made = here.warm()
    here.sts.down = failure()
    while here.clock.now() < made.end_of_use - 1:
        here.clock.advance(1)
        assert here.served() is made
        here.finish()
    # 895 s in back-offs of 2, 4, 8 ... 120 s, and denser as expiry nears.
    assert 10 <= here.sts.calls <= 30


def test_refused_while_valid_is_asked_again_after_a_minute(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.down = REFUSED
    for _ in range(60):
        read_and_finish(here)
        here.clock.advance(1)
    assert here.sts.calls == 2
    read_and_finish(here)
    assert here.sts.calls == 3


def test_a_refusal_is_one_error_in_the_log(here: Rig, caplog: pytest.LogCaptureFixture) -> None:
    here.warm()
    here.sts.down = REFUSED
    here.clock.advance(2700)
    for _ in range(5):
        read_and_finish(here)
        here.clock.advance(60)
    assert here.sts.calls == 6
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_after_an_outage_all_is_as_before(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.script.extend([failure(), failure()])
    for pause in (2, 4, 0):
        read_and_finish(here)
        here.clock.advance(pause)
    assert here.served().credentials.access_key_id == "ASIA0000000000000002"
    status = here.engine.status()
    assert status.state == "fresh"
    assert status.last_failure is not None
    assert status.last_failure.in_a_row == 0


# -- with nothing valid ----------------------------------------------------------------------------


def test_expired_credentials_are_never_handed_out(here: Rig) -> None:
    made = here.warm()
    here.sts.down = failure()
    here.clock.advance(made.left(here.clock.now()))
    with pytest.raises(ExchangeError, match="ServiceUnavailable"):
        acquire(here.engine)


def test_in_an_outage_each_refresh_but_the_first_calls_sts_once(here: Rig) -> None:
    here.sts.down = failure()
    calls = []
    for pause in (2, 4, 8, 16, 20, 20):
        with pytest.raises(ExchangeError, match="ServiceUnavailable"):
            acquire(here.engine)
        calls.append(here.sts.calls)
        here.clock.advance(pause)
    assert calls == [4, 5, 6, 7, 8, 9]
    here.sts.down = None
    made = acquire(here.engine)
    here.clock.advance(made.left(here.clock.now()))
    here.sts.script.extend([failure()] * 3)
    assert acquire(here.engine) is not made, "one blip is no error: it tries four times again"


def test_with_nothing_valid_a_caller_has_credentials_within_20_s_of_recovery(here: Rig) -> None:
    here.sts.down = failure()
    for _ in range(600):
        with pytest.raises(ExchangeError, match="ServiceUnavailable"):
            acquire(here.engine)
        here.clock.advance(1)
    calls = here.sts.calls
    assert 30 <= calls <= 4 + 4 + 600 / 20
    here.sts.down = None
    here.clock.advance(20)
    acquire(here.engine)
    assert here.sts.calls == calls + 1


def test_a_failed_flight_answers_for_sts_until_its_record_ends(here: Rig) -> None:
    here.sts.script.append(REFUSED)
    with pytest.raises(ExchangeError, match="AccessDenied"):
        acquire(here.engine)
    here.clock.advance(4.9)
    with pytest.raises(ExchangeError, match="AccessDenied"):
        here.read()
    assert here.sts.calls == 1
    here.clock.advance(0.1)
    here.warm()
    assert here.sts.calls == 2


def test_what_answers_for_sts_says_that_nobody_asked_again_and_for_how_long(here: Rig) -> None:
    here.sts.down = REFUSED
    with pytest.raises(ExchangeError) as first:
        acquire(here.engine)
    told_at = here.clock.wall()
    here.clock.advance(2)
    with pytest.raises(ExchangeError) as second:
        acquire(here.engine)
    here.engine.invalidate(None)
    with pytest.raises(ExchangeError) as third:
        acquire(here.engine)
    assert here.sts.calls == 1
    assert first.value.failure == REFUSED
    assert "note:" not in str(first.value)
    assert second.value.failure == REFUSED._replace(told_at=told_at, again_in=3.0)
    assert str(third.value) == str(second.value)
    headline, note, *rest = str(second.value).splitlines()
    assert [headline, *rest] == str(first.value).splitlines()
    assert note.endswith("STS was not called again. Next attempt in 3 s")


def test_all_who_waited_get_one_record_and_an_exception_each(here: Rig) -> None:
    here.sts.down = REFUSED
    here.sts.hold.clear()
    errors: list[IrsaError] = []
    ready = threading.Barrier(21)

    def read() -> None:
        ready.wait(10)
        with pytest.raises(IrsaError) as caught:
            acquire(here.engine)
        errors.append(caught.value)

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    here.sts.hold.set()
    for thread in threads:
        thread.join(10)
    assert len({id(error) for error in errors}) == 20
    # Whoever came when it had landed is told when that was, and of nothing else.
    records = {error.failure for error in errors if error.failure}
    assert {each._replace(told_at=None, again_in=None) for each in records} == {REFUSED}
    assert here.sts.calls == 1


def test_who_joined_a_background_flight_that_fails_starts_a_blocking_one_at_once(
    here: Rig,
) -> None:
    made = here.warm()
    here.clock.advance(made.left(here.clock.now()) - 1)
    here.sts.hold.clear()
    here.sts.script.append(failure())
    here.served()
    here.clock.advance(1)
    joined = here.joined()
    assert not joined.blocking
    here.sts.hold.set()
    assert acquire(here.engine).credentials.access_key_id == "ASIA0000000000000002"
    assert here.sts.calls == 3


def test_a_background_back_off_does_not_hold_back_who_finds_nothing_valid(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(made.left(here.clock.now()) - 3)
    here.sts.script.append(REFUSED)
    read_and_finish(here)
    assert made.check_at == made.end_of_use, "the background waits for 5 s"
    here.clock.advance(3)
    assert here.joined().blocking


# -- no thread -------------------------------------------------------------------------------------


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("no_threads")
def test_a_thread_runs_the_flight_itself_where_no_other_can_start(here: Rig) -> None:
    assert acquire(here.engine).credentials.access_key_id == "ASIA0000000000000001"
    assert here.refresh is None
    assert here.engine.status().flights == 1


@pytest.mark.usefixtures("no_threads")
def test_a_task_gets_a_clear_error_and_never_blocks_its_loop(here: Rig) -> None:
    with pytest.raises(RefreshTimeout, match="No thread could be started"):
        asyncio.run(aacquire(here.engine))
    assert here.sts.calls == 0


@pytest.mark.usefixtures("no_threads")
def test_others_join_the_refresh_that_a_thread_runs_itself(here: Rig) -> None:
    refresh = here.engine.get_or_join()
    assert isinstance(refresh, Refresh)
    assert not here.engine.start(refresh)
    assert refresh.claim(here.clock.now())
    assert here.joined() is refresh
    here.engine.run(refresh)
    assert refresh.outcome is here.engine.snapshot


@pytest.mark.usefixtures("no_threads")
def test_a_token_callable_that_reads_what_it_is_to_bring_is_told_so_at_once(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def callable_that_reads() -> Token:
        acquire(here.engine)
        raise AssertionError("there is nothing to be had")

    monkeypatch.setattr(here.token, "read", callable_that_reads)
    with pytest.raises(ExchangeError, match="A refresh read the credentials that it refreshes"):
        acquire(here.engine)
    assert here.engine.status().flights == 1


@pytest.mark.usefixtures("no_threads")
def test_an_exception_that_ends_a_refresh_releases_its_callers_and_is_no_failure_for_them(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(token: Token, seconds: float) -> ExchangeResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(here.sts, "attempt", interrupt)
    refresh = here.engine.get_or_join()
    assert isinstance(refresh, Refresh)
    assert refresh.claim(here.clock.now())
    with pytest.raises(KeyboardInterrupt):
        here.engine.run(refresh)
    assert refresh.is_done
    assert refresh.cut, "it says nothing to those who waited"
    assert here.engine.status().last_failure is None
    monkeypatch.undo()
    assert acquire(here.engine), "the next caller starts another"


# -- overdue flights -------------------------------------------------------------------------------


def hang(here: Rig) -> Refresh:
    """Start a flight for readers, and let its time pass."""
    here.sts.hold.clear()
    calls = here.sts.calls
    flight = here.joined()
    eventually(lambda: here.sts.calls > calls)
    here.clock.advance(30 + OVERDUE_GRACE)
    return flight


def test_a_flight_that_hangs_is_disowned_and_its_waiters_are_told(
    here: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    flight = hang(here)
    with pytest.raises(RefreshTimeout, match="did not end within 30 s"):
        here.read()
    assert flight.is_done
    eventually(lambda: "did not end within 30 s (RefreshTimeout). " in caplog.text)
    here.clock.advance(2)
    another = here.joined()
    assert another is not flight


def test_a_background_flight_that_hangs_disturbs_nobody(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(2700)
    here.sts.hold.clear()
    here.served()
    here.clock.advance(15 + OVERDUE_GRACE)
    assert here.served() is made
    status = here.engine.status()
    assert status.last_failure is not None
    assert status.last_failure.code == "RefreshTimeout"
    here.clock.advance(2)
    assert here.served() is made
    assert here.engine.status().flights == 3


def test_a_late_answer_counts_if_it_is_fresher(here: Rig) -> None:
    hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.finish()
    assert here.served().credentials.access_key_id == "ASIA0000000000000001"


def test_a_late_answer_that_is_older_does_not_count(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(10)
    here.engine.invalidate(None)
    flight = hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.finish()
    current = here.served()
    assert current.end_of_use > made.end_of_use
    here.engine._finish(flight, made)
    assert here.served() is current


def test_a_late_failure_does_not_count(here: Rig) -> None:
    flight = hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    before = here.engine.status().last_failure
    here.engine._finish(flight, REFUSED)
    assert here.engine.status().last_failure == before


def test_a_late_answer_releases_those_who_wait_for_the_next_flight(here: Rig) -> None:
    late = hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.clock.advance(2)
    following = here.joined()
    made = snapshot(sent_at=here.clock.now())
    here.engine._finish(late, made)
    assert following.outcome is made
    # It is over, so nobody is told to wait for it: that would be asking without a pause.
    assert here.refresh is None
    assert here.served() is made
    here.engine.invalidate(None)
    assert here.joined() is not following


def test_while_two_hang_one_flight_a_minute_may_start_and_readers_hear_of_it_at_once(
    here: Rig,
) -> None:
    for pause in (2, 4):
        hang(here)
        with pytest.raises(RefreshTimeout, match="did not end"):
            here.read()
        here.clock.advance(pause)
    with pytest.raises(RefreshTimeout, match="No further refresh was started"):
        here.read()
    here.clock.advance(30)
    here.joined()


def test_while_valid_readers_never_hear_of_flights_that_hang() -> None:
    here = rig(draw=high, ceiling=86400)
    here.sts.lifetime = 86400
    made = here.warm()
    here.clock.advance(86400 - 3600)
    here.sts.hold.clear()
    for _ in range(600):
        assert here.served() is made
        here.clock.advance(1)
    # Two, and one more a minute.
    assert here.engine.status().flights <= 1 + 2 + 10
    here.finish()


# -- the log ---------------------------------------------------------------------------------------


def test_a_log_handler_may_read_credentials_itself(
    here: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = here.warm()
    read: list[object] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # On another thread the engine's lock would block, if it were held.
            thread = threading.Thread(target=lambda: read.append(here.served()))
            thread.start()
            thread.join(10)

    monkeypatch.setattr(logging.getLogger("irsa_creds"), "handlers", [Handler()])
    here.clock.advance(2700)
    here.sts.hold.clear()
    here.served()
    here.clock.advance(15 + OVERDUE_GRACE)
    here.served()
    eventually(lambda: read == [made])
