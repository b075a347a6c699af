"""The way of events to subscribers."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from engine_fakes import ROLE, Rig, eventually, failure, rig, snapshot
from irsa_creds import (
    Event,
    RefreshFailed,
    RefreshStarted,
    RefreshSucceeded,
    RefreshTimeout,
    TokenRotated,
)
from irsa_creds._engine.policy import OVERDUE_GRACE
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._exchange.sts import ExchangeResult

if TYPE_CHECKING:
    from irsa_creds._errors import Failure
    from irsa_creds._identity.token import Token

ROTATED = [("TokenRotated", (f"{ROLE}-{number}",)) for number in range(5)]
EVENTS = [TokenRotated(f"{ROLE}-{number}") for number in range(5)]


def test_subscribers_get_the_events_in_order() -> None:
    subscribers, heard = Subscribers(), list[Event]()
    subscribers.subscribe(heard.append)
    subscribers.put(ROTATED[:3])
    subscribers.put(ROTATED[3:])
    assert heard == [], "putting calls no subscriber"
    subscribers.deliver()
    assert heard == EVENTS


def test_unsubscribing_ends_the_delivery_and_may_happen_twice() -> None:
    subscribers, heard, other = Subscribers(), list[Event](), list[Event]()
    unsubscribe = subscribers.subscribe(heard.append)
    subscribers.subscribe(other.append)
    unsubscribe()
    unsubscribe()
    subscribers.put(ROTATED[:1])
    subscribers.deliver()
    assert (heard, other) == ([], EVENTS[:1])


def test_events_without_a_subscriber_are_not_kept() -> None:
    subscribers, heard = Subscribers(), list[Event]()
    subscribers.put(ROTATED[:1])
    subscribers.subscribe(heard.append)
    subscribers.deliver()
    assert heard == []


def test_a_subscriber_that_raises_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subscribers, heard = Subscribers(), list[Event]()

    def bad(_: Event) -> None:
        raise ValueError("no room for eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln")

    subscribers.subscribe(bad)
    subscribers.subscribe(heard.append)
    subscribers.put(ROTATED[:2])
    subscribers.deliver()
    assert heard == EVENTS[:2]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "ValueError: no room for ***" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_slow_subscriber_delays_later_events_only_and_none_is_lost() -> None:
    subscribers, heard = Subscribers(), list[Event]()
    inside, go_on = threading.Event(), threading.Event()

    def slow(event: Event) -> None:
        inside.set()
        assert go_on.wait(10)
        heard.append(event)

    subscribers.subscribe(slow)
    subscribers.put(ROTATED[:1])
    thread = threading.Thread(target=subscribers.deliver)
    thread.start()
    assert inside.wait(10)
    subscribers.put(ROTATED[1:2])
    subscribers.deliver()
    assert heard == [], "a second delivery does not wait for the slow one"
    go_on.set()
    thread.join(10)
    assert heard == EVENTS[:2]


def test_a_subscriber_may_put_and_deliver_itself() -> None:
    subscribers, heard = Subscribers(), list[Event]()

    def echo(event: Event) -> None:
        heard.append(event)
        if event == EVENTS[0]:
            subscribers.put(ROTATED[1:2])
            subscribers.deliver()

    subscribers.subscribe(echo)
    subscribers.put(ROTATED[:1])
    subscribers.deliver()
    assert heard == EVENTS[:2]


def test_a_flood_keeps_the_latest_thousand() -> None:
    subscribers, heard = Subscribers(), list[Event]()
    subscribers.subscribe(heard.append)
    for number in range(1100):
        subscribers.put([("RefreshStarted", (str(number), False))])
    subscribers.deliver()
    assert len(heard) == 1000
    assert heard[-1].role_arn == "1099"


def test_a_child_forgets_the_delivery_that_only_the_parents_thread_would_have_ended() -> None:
    subscribers, heard = Subscribers(), list[Event]()
    subscribers.subscribe(heard.append)
    subscribers._delivering.acquire()
    subscribers.put(ROTATED[:1])
    subscribers.reset_after_fork()
    subscribers.put(ROTATED[1:2])
    subscribers.deliver()
    assert heard == EVENTS[1:2]


async def a_coroutine(event: Event) -> None:
    """It would never be awaited."""


@pytest.mark.parametrize("callback", [None, a_coroutine])
def test_a_callback_that_cannot_be_called_with_an_event_is_an_error_at_once(callback: Any) -> None:
    with pytest.raises(TypeError, match="takes a plain function of one event, and got"):
        Subscribers().subscribe(callback)


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    "raised", [SystemExit(3), asyncio.CancelledError(), UnspeakableError()], ids=repr
)
def test_an_exception_of_one_subscriber_takes_no_event_from_the_others(
    raised: BaseException,
) -> None:
    subscribers, heard = Subscribers(), list[Event]()

    def bad(_: Event) -> None:
        raise raised

    subscribers.subscribe(bad)
    subscribers.subscribe(heard.append)
    subscribers.put(ROTATED)
    subscribers.deliver()
    assert heard == EVENTS


def test_a_keyboard_interrupt_is_the_users_own() -> None:
    subscribers = Subscribers()

    def interrupted(_: Event) -> None:
        raise KeyboardInterrupt

    subscribers.subscribe(interrupted)
    subscribers.put(ROTATED[:1])
    with pytest.raises(KeyboardInterrupt):
        subscribers.deliver()


def test_in_a_child_that_a_subscriber_forked_delivery_works() -> None:
    subscribers, heard = Subscribers(), list[Event]()

    def forked(_: Event) -> None:
        subscribers.reset_after_fork()

    unsubscribe = subscribers.subscribe(forked)
    subscribers.put(ROTATED[:1])
    subscribers.deliver()
    unsubscribe()
    subscribers.subscribe(heard.append)
    subscribers.put(ROTATED[1:2])
    subscribers.deliver()
    assert heard == [EVENTS[1]]


# -- a refresh that hangs --------------------------------------------------------------------------


def hanging(here: Rig) -> list[Event]:
    """Let a refresh that callers wait for hang until they are released; return what is heard."""
    heard = list[Event]()
    here.subscribers.subscribe(heard.append)
    here.sts.hold.clear()
    refresh = here.joined()
    eventually(lambda: here.sts.calls)
    here.clock.advance(refresh.overdue_at - here.clock.now())
    with pytest.raises(RefreshTimeout):
        here.read()
    eventually(lambda: len(heard) == 2)
    return heard


def test_a_refresh_that_hangs_and_fails_is_told_as_failed_once() -> None:
    here = rig()
    here.sts.down = failure("AccessDenied", retryable=False)
    heard = hanging(here)
    here.finish()
    assert heard == [
        RefreshStarted(ROLE, blocking=True),
        RefreshFailed(ROLE, "RefreshTimeout", 1, 30 + OVERDUE_GRACE),
    ]


def test_a_late_success_has_an_event_where_its_credentials_are_used() -> None:
    here = rig()
    heard = hanging(here)
    here.clock.advance(5)
    here.finish()
    expiration = here.served().credentials.expiration
    assert heard[2:] == [RefreshSucceeded(ROLE, 1, 35 + OVERDUE_GRACE, expiration)]


def test_a_success_that_comes_too_late_has_no_event() -> None:
    here = rig()
    heard = hanging(here)
    here.engine._accept(snapshot(lifetime=86_400), here.clock.now())
    here.finish()
    assert [type(event) for event in heard] == [RefreshStarted, RefreshFailed]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_overdue_attempt_has_its_own_number(
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    here, heard = rig(), list[Event]()
    here.subscribers.subscribe(heard.append)
    here.sts.script.append(failure())

    def overrun(seconds: float) -> None:
        # In the pause between two attempts: this thread is the refresh's.
        here.clock.advance(seconds + 30 + OVERDUE_GRACE)
        if elsewhere:
            other = threading.Thread(target=here.engine.prefetch)
            other.start()
            other.join(10)
        else:
            here.engine.prefetch()

    monkeypatch.setattr(here.clock, "sleep", overrun)
    here.joined()
    here.finish()
    assert [(each.code, each.attempt) for each in heard if isinstance(each, RefreshFailed)] == [
        ("ServiceUnavailable", 1),
        ("RefreshTimeout", 2),
    ]


def test_an_overdue_refresh_is_told_on_a_thread_of_its_own() -> None:
    here, threads = rig(), set[str]()
    here.subscribers.subscribe(lambda _: threads.add(threading.current_thread().name))
    hanging(here)
    assert threads == {"irsa-creds-events"}
    here.finish()


def test_events_of_an_overdue_refresh_wait_for_the_next_one_where_no_thread_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, heard = rig(), list[Event]()
    here.subscribers.subscribe(heard.append)
    here.sts.hold.clear()
    refresh = here.joined()
    eventually(lambda: here.sts.calls)
    here.clock.advance(refresh.overdue_at - here.clock.now())

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RefreshTimeout):
            here.read()
    assert heard == []
    here.finish()
    assert [type(event) for event in heard[:2]] == [RefreshStarted, RefreshFailed]


def test_while_the_interpreter_ends_no_thread_is_started_for_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, heard = rig(), list[Event]()
    here.subscribers.subscribe(heard.append)
    here.sts.hold.clear()
    refresh = here.joined()
    eventually(lambda: here.sts.calls)
    here.clock.advance(refresh.overdue_at - here.clock.now())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "is_finalizing", lambda: True)
        with pytest.raises(RefreshTimeout):
            here.read()
    assert heard == []
    here.finish()
    assert [type(event) for event in heard[:2]] == [RefreshStarted, RefreshFailed]


def test_an_attempt_that_fails_has_its_event_once_callers_are_released() -> None:
    here, heard = rig(), list[tuple[Event, bool]]()
    here.sts.script.append(failure())
    here.sts.hold.clear()
    refresh = here.joined()
    here.subscribers.subscribe(lambda event: heard.append((event, refresh.is_done)))
    here.finish()
    assert [type(event) for event, _ in heard] == [RefreshStarted, RefreshFailed, RefreshSucceeded]
    assert {released for _, released in heard} == {True}


def test_a_log_line_of_a_refresh_is_written_once_its_callers_are_released(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, released = rig(), list[bool]()
    attempt = here.sts.attempt

    def noted(token: Token, seconds: float) -> ExchangeResult | Failure:
        outcome = attempt(token, seconds)
        return outcome._replace(note="a note") if isinstance(outcome, ExchangeResult) else outcome

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            released.append(refresh.is_done)

    monkeypatch.setattr(here.sts, "attempt", noted)
    here.sts.hold.clear()
    refresh = here.joined()
    handler, logger = Handler(), logging.getLogger("irsa_creds")
    logger.addHandler(handler)
    try:
        here.finish()
    finally:
        logger.removeHandler(handler)
    assert caplog.messages == ["a note"]
    assert released == [True]
