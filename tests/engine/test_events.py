"""Delivery of events to subscribers."""

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
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.timing import OVERDUE_GRACE
from irsa_creds._exchange.sts import ExchangeResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds._errors import Failure
    from irsa_creds._identity.token import Token

ROTATED = [("TokenRotated", (f"{ROLE}-{number}",)) for number in range(5)]
EVENTS = [TokenRotated(f"{ROLE}-{number}") for number in range(5)]


def test_subscribers_get_the_events_in_order() -> None:
    subscribers, events = Subscribers(), list[Event]()
    subscribers.subscribe(events.append)
    subscribers.put(ROTATED[:3])
    subscribers.put(ROTATED[3:])
    assert events == [], "putting calls no subscriber"
    subscribers.deliver()
    assert events == EVENTS


def test_unsubscribing_ends_the_delivery_and_may_happen_twice() -> None:
    subscribers, events, other = Subscribers(), list[Event](), list[Event]()
    unsubscribe = subscribers.subscribe(events.append)
    subscribers.subscribe(other.append)
    unsubscribe()
    unsubscribe()
    subscribers.put(ROTATED[:1])
    subscribers.deliver()
    assert (events, other) == ([], EVENTS[:1])


def test_events_without_a_subscriber_are_not_kept() -> None:
    subscribers, events = Subscribers(), list[Event]()
    subscribers.put(ROTATED[:1])
    subscribers.subscribe(events.append)
    subscribers.deliver()
    assert events == []


def test_a_subscriber_that_raises_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subscribers, events = Subscribers(), list[Event]()

    def bad(_: Event) -> None:
        raise ValueError("no room for eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln")

    subscribers.subscribe(bad)
    subscribers.subscribe(events.append)
    subscribers.put(ROTATED[:2])
    subscribers.deliver()
    assert events == EVENTS[:2]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "ValueError: no room for ***" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_slow_subscriber_delays_later_events_only_and_none_is_lost() -> None:
    subscribers, events = Subscribers(), list[Event]()
    inside, go_on = threading.Event(), threading.Event()

    def slow(event: Event) -> None:
        inside.set()
        assert go_on.wait(10)
        events.append(event)

    subscribers.subscribe(slow)
    subscribers.put(ROTATED[:1])
    thread = threading.Thread(target=subscribers.deliver)
    thread.start()
    assert inside.wait(10)
    subscribers.put(ROTATED[1:2])
    subscribers.deliver()
    assert events == [], "a second delivery does not wait for the slow one"
    go_on.set()
    thread.join(10)
    assert events == EVENTS[:2]


def test_a_subscriber_may_put_and_deliver_itself() -> None:
    subscribers, events = Subscribers(), list[Event]()

    def echo(event: Event) -> None:
        events.append(event)
        if event == EVENTS[0]:
            subscribers.put(ROTATED[1:2])
            subscribers.deliver()

    subscribers.subscribe(echo)
    subscribers.put(ROTATED[:1])
    subscribers.deliver()
    assert events == EVENTS[:2]


def test_of_many_events_the_latest_thousand_are_kept() -> None:
    subscribers, events = Subscribers(), list[Event]()
    subscribers.subscribe(events.append)
    for number in range(1100):
        subscribers.put([("RefreshStarted", (str(number), False))])
    subscribers.deliver()
    assert len(events) == 1000
    assert events[-1].role_arn == "1099"


def test_a_child_drops_the_deliveries_of_its_parents_threads() -> None:
    subscribers, events = Subscribers(), list[Event]()
    subscribers.subscribe(events.append)
    subscribers._delivering.acquire()
    subscribers.put(ROTATED[:1])
    subscribers.reset_after_fork()
    subscribers.put(ROTATED[1:2])
    subscribers.deliver()
    assert events == EVENTS[1:2]


async def a_coroutine(event: Event) -> None:
    """Return a coroutine, which no code would await."""


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
def test_an_exception_of_one_subscriber_costs_the_others_no_event(
    raised: BaseException,
) -> None:
    subscribers, events = Subscribers(), list[Event]()

    def bad(_: Event) -> None:
        raise raised

    subscribers.subscribe(bad)
    subscribers.subscribe(events.append)
    subscribers.put(ROTATED)
    subscribers.deliver()
    assert events == EVENTS


def test_a_keyboard_interrupt_is_raised() -> None:
    subscribers = Subscribers()

    def interrupted(_: Event) -> None:
        raise KeyboardInterrupt

    subscribers.subscribe(interrupted)
    subscribers.put(ROTATED[:1])
    with pytest.raises(KeyboardInterrupt):
        subscribers.deliver()


def test_in_a_child_that_a_subscriber_forked_delivery_works() -> None:
    subscribers, events = Subscribers(), list[Event]()

    def forked(_: Event) -> None:
        subscribers.reset_after_fork()

    unsubscribe = subscribers.subscribe(forked)
    subscribers.put(ROTATED[:1])
    subscribers.deliver()
    unsubscribe()
    subscribers.subscribe(events.append)
    subscribers.put(ROTATED[1:2])
    subscribers.deliver()
    assert events == [EVENTS[1]]


# -- a refresh that hangs --------------------------------------------------------------------------


def hanging(here: Rig) -> list[Event]:
    """Let a refresh hang until its callers are released; return the events."""
    events = list[Event]()
    here.subscribers.subscribe(events.append)
    here.sts.hold.clear()
    refresh = here.joined()
    eventually(lambda: here.sts.calls)
    here.clock.advance(refresh.overdue_at - here.clock.now())
    with pytest.raises(RefreshTimeout):
        here.read()
    eventually(lambda: len(events) == 2)
    return events


def test_a_refresh_that_hangs_and_fails_has_one_failure_event() -> None:
    here = rig()
    here.sts.down = failure("AccessDenied", retryable=False)
    events = hanging(here)
    here.finish()
    assert events == [
        RefreshStarted(ROLE, blocking=True),
        RefreshFailed(ROLE, "RefreshTimeout", 1, 30 + OVERDUE_GRACE),
    ]


def test_a_late_success_has_an_event_where_its_credentials_are_used() -> None:
    here = rig()
    events = hanging(here)
    here.clock.advance(5)
    here.finish()
    expiration = here.served().credentials.expiration
    assert events[2:] == [RefreshSucceeded(ROLE, 1, 35 + OVERDUE_GRACE, expiration)]


def test_a_success_that_comes_too_late_has_no_event() -> None:
    here = rig()
    events = hanging(here)
    here.engine._accept(snapshot(lifetime=86_400), here.clock.now())
    here.finish()
    assert [type(event) for event in events] == [RefreshStarted, RefreshFailed]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_overdue_attempt_has_its_own_number(
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    here, events = rig(), list[Event]()
    here.subscribers.subscribe(events.append)
    here.sts.script.append(failure())

    def overrun(seconds: float) -> None:
        # This is the pause between two attempts, on the refresh's thread.
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
    assert [(each.code, each.attempt) for each in events if isinstance(each, RefreshFailed)] == [
        ("ServiceUnavailable", 1),
        ("RefreshTimeout", 2),
    ]


def test_events_of_an_overdue_refresh_are_delivered_on_a_separate_thread() -> None:
    here, threads = rig(), set[str]()
    here.subscribers.subscribe(lambda _: threads.add(threading.current_thread().name))
    hanging(here)
    assert threads == {"irsa-creds-events"}
    here.finish()


def no_thread_starts(patch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    patch.setattr(threading.Thread, "start", fail)


def interpreter_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sys, "is_finalizing", lambda: True)


@pytest.mark.parametrize("change", [no_thread_starts, interpreter_ends])
def test_events_of_an_overdue_refresh_wait_for_the_next_one_if_no_thread_starts(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None]
) -> None:
    here, events = rig(), list[Event]()
    here.subscribers.subscribe(events.append)
    here.sts.hold.clear()
    refresh = here.joined()
    eventually(lambda: here.sts.calls)
    here.clock.advance(refresh.overdue_at - here.clock.now())
    with monkeypatch.context() as patch:
        change(patch)
        with pytest.raises(RefreshTimeout):
            here.read()
    assert events == []
    here.finish()
    assert [type(event) for event in events[:2]] == [RefreshStarted, RefreshFailed]


def test_an_attempt_that_fails_has_its_event_once_callers_are_released() -> None:
    here, events = rig(), list[tuple[Event, bool]]()
    here.sts.script.append(failure())
    here.sts.hold.clear()
    refresh = here.joined()
    here.subscribers.subscribe(lambda event: events.append((event, refresh.is_done)))
    here.finish()
    assert [type(event) for event, _ in events] == [RefreshStarted, RefreshFailed, RefreshSucceeded]
    assert {released for _, released in events} == {True}


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
