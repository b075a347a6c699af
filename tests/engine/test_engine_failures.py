"""What callers get when STS fails: back-offs, cached failures and overdue refreshes."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from engine_fakes import Rig, eventually, failure, high, rig, snapshot
from irsa_creds import ExchangeError, IrsaError, RefreshTimeout
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.timing import OVERDUE_GRACE
from irsa_creds._engine.waiting import aacquire, acquire

if TYPE_CHECKING:
    from irsa_creds._exchange.sts import ExchangeResult
    from irsa_creds._identity.token import Token

DENIED = failure("AccessDenied", retryable=False)


def read_and_finish(here: Rig) -> None:
    here.served()
    here.finish()


# -- while credentials are valid -------------------------------------------------------------------


def test_in_an_outage_while_valid_no_caller_gets_an_error_and_calls_are_few(here: Rig) -> None:
    made = here.warm()
    here.sts.down = failure()
    while here.clock.now() < made.end_of_use - 1:
        here.clock.advance(1)
        assert here.served() is made
        here.finish()
    # 895 s in back-offs of 2, 4, 8 ... 120 s, which become shorter towards expiry.
    assert 10 <= here.sts.calls <= 30


def test_after_a_denial_while_valid_the_next_attempt_is_a_minute_later(here: Rig) -> None:
    here.warm()
    here.clock.advance(2700)
    here.sts.down = DENIED
    for _ in range(60):
        read_and_finish(here)
        here.clock.advance(1)
    assert here.sts.calls == 2
    read_and_finish(here)
    assert here.sts.calls == 3


def test_a_denial_is_one_error_in_the_log(here: Rig, caplog: pytest.LogCaptureFixture) -> None:
    here.warm()
    here.sts.down = DENIED
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


def test_expired_credentials_are_never_returned(here: Rig) -> None:
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


def test_the_failure_of_a_blocking_refresh_is_cached_for_a_time(here: Rig) -> None:
    here.sts.script.append(DENIED)
    with pytest.raises(ExchangeError, match="AccessDenied"):
        acquire(here.engine)
    here.clock.advance(4.9)
    with pytest.raises(ExchangeError, match="AccessDenied"):
        here.read()
    assert here.sts.calls == 1
    here.clock.advance(0.1)
    here.warm()
    assert here.sts.calls == 2


def test_a_cached_failure_says_that_sts_was_not_called_again_and_for_how_long(here: Rig) -> None:
    here.sts.down = DENIED
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
    assert first.value.failure == DENIED
    assert "note:" not in str(first.value)
    assert second.value.failure == DENIED._replace(told_at=told_at, again_in=3.0)
    assert str(third.value) == str(second.value)
    headline, note, *rest = str(second.value).splitlines()
    assert [headline, *rest] == str(first.value).splitlines()
    assert note.endswith("STS was not called again. Next attempt in 3 s")


def test_all_callers_get_one_failure_and_an_exception_each(here: Rig) -> None:
    here.sts.down = DENIED
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
    # A caller that came after the refresh has the instant of the failure in addition.
    failures = {error.failure for error in errors if error.failure}
    assert {each._replace(told_at=None, again_in=None) for each in failures} == {DENIED}
    assert here.sts.calls == 1


def test_a_caller_of_a_background_refresh_that_fails_starts_a_blocking_one_at_once(
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


def test_a_background_back_off_does_not_delay_callers_without_valid_credentials(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(made.left(here.clock.now()) - 3)
    here.sts.script.append(DENIED)
    read_and_finish(here)
    assert made.check_at == made.end_of_use, "the background waits for 5 s"
    here.clock.advance(3)
    assert here.joined().blocking


# -- no thread -------------------------------------------------------------------------------------


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)


@pytest.mark.usefixtures("no_threads")
def test_a_thread_runs_the_refresh_itself_if_no_other_can_start(here: Rig) -> None:
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
def test_a_token_callable_that_reads_its_own_credentials_gets_an_error_at_once(
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
def test_an_exception_that_ends_a_refresh_releases_its_callers_without_a_failure(
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
    assert refresh.fails_alone, "it is not a failure for other callers"
    assert here.engine.status().last_failure is None
    monkeypatch.undo()
    assert acquire(here.engine), "the next caller starts another"


# -- overdue refreshes -----------------------------------------------------------------------------


def hang(here: Rig) -> Refresh:
    """Start a refresh that callers wait for, and let its time pass."""
    here.sts.hold.clear()
    calls = here.sts.calls
    refresh = here.joined()
    eventually(lambda: here.sts.calls > calls)
    here.clock.advance(30 + OVERDUE_GRACE)
    return refresh


def test_a_refresh_that_hangs_is_disowned_and_its_callers_get_an_error(
    here: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    refresh = hang(here)
    with pytest.raises(RefreshTimeout, match="did not end within 30 s"):
        here.read()
    assert refresh.is_done
    eventually(lambda: "RefreshTimeout: The refresh did not end within 30 s. " in caplog.text)
    here.clock.advance(2)
    another = here.joined()
    assert another is not refresh


def test_a_background_refresh_that_hangs_affects_no_caller(here: Rig) -> None:
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


def test_a_late_response_counts_if_it_is_newer(here: Rig) -> None:
    hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.finish()
    assert here.served().credentials.access_key_id == "ASIA0000000000000001"


def test_a_late_response_that_is_older_does_not_count(here: Rig) -> None:
    made = here.warm()
    here.clock.advance(10)
    here.engine.invalidate(None)
    refresh = hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.finish()
    current = here.served()
    assert current.end_of_use > made.end_of_use
    here.engine._finish(refresh, made)
    assert here.served() is current


def test_a_late_failure_does_not_count(here: Rig) -> None:
    refresh = hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    before = here.engine.status().last_failure
    here.engine._finish(refresh, DENIED)
    assert here.engine.status().last_failure == before


def test_a_late_response_releases_the_callers_of_the_next_refresh(here: Rig) -> None:
    late = hang(here)
    with pytest.raises(RefreshTimeout):
        here.read()
    here.clock.advance(2)
    following = here.joined()
    made = snapshot(sent_at=here.clock.now())
    here.engine._finish(late, made)
    assert following.outcome is made
    # No caller joins a refresh that has an outcome: it would look again without a pause.
    assert here.refresh is None
    assert here.served() is made
    here.engine.invalidate(None)
    assert here.joined() is not following


def test_while_two_refreshes_hang_one_a_minute_may_start_and_other_callers_get_an_error(
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


def test_while_valid_callers_get_no_error_from_refreshes_that_hang() -> None:
    here = rig(uniform=high, ceiling=86400)
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
            # It would block here if the refresh's thread held the engine's lock.
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
