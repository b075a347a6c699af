"""The way of events to subscribers."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from irsa_creds import (
    Event,
    RefreshFailed,
    RefreshStarted,
    RefreshSucceeded,
    RefreshTimeout,
    TokenRotated,
)
from irsa_creds._channel import Channel
from irsa_creds._freshness import OVERDUE_GRACE
from kit import ROLE, Rig, eventually, failure, rig, snapshot

EVENTS = [TokenRotated(f"{ROLE}-{number}") for number in range(5)]


def test_subscribers_get_the_events_in_order() -> None:
    channel, heard = Channel(), list[Event]()
    channel.subscribe(heard.append)
    for event in EVENTS:
        channel.put(event)
    assert heard == [], "nothing is delivered in the way of who puts"
    channel.deliver()
    assert heard == EVENTS


def test_who_unsubscribes_hears_no_more_and_may_do_so_twice() -> None:
    channel, heard, other = Channel(), list[Event](), list[Event]()
    unsubscribe = channel.subscribe(heard.append)
    channel.subscribe(other.append)
    unsubscribe()
    unsubscribe()
    channel.put(EVENTS[0])
    channel.deliver()
    assert (heard, other) == ([], EVENTS[:1])


def test_events_that_nobody_wants_are_not_kept() -> None:
    channel, heard = Channel(), list[Event]()
    channel.put(EVENTS[0])
    channel.subscribe(heard.append)
    channel.deliver()
    assert heard == []


def test_a_subscriber_that_raises_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel, heard = Channel(), list[Event]()

    def bad(_: Event) -> None:
        raise ValueError("no room for eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln")

    channel.subscribe(bad)
    channel.subscribe(heard.append)
    for event in EVENTS[:2]:
        channel.put(event)
    channel.deliver()
    assert heard == EVENTS[:2]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "ValueError: no room for ***" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_slow_subscriber_delays_later_events_only_and_none_is_lost() -> None:
    channel, heard = Channel(), list[Event]()
    inside, go_on = threading.Event(), threading.Event()

    def slow(event: Event) -> None:
        inside.set()
        assert go_on.wait(10)
        heard.append(event)

    channel.subscribe(slow)
    channel.put(EVENTS[0])
    thread = threading.Thread(target=channel.deliver)
    thread.start()
    assert inside.wait(10)
    channel.put(EVENTS[1])
    channel.deliver()
    assert heard == [], "who comes second does not wait for the slow one"
    go_on.set()
    thread.join(10)
    assert heard == EVENTS[:2]


def test_a_subscriber_may_put_and_deliver_itself() -> None:
    channel, heard = Channel(), list[Event]()

    def echo(event: Event) -> None:
        heard.append(event)
        if event == EVENTS[0]:
            channel.put(EVENTS[1])
            channel.deliver()

    channel.subscribe(echo)
    channel.put(EVENTS[0])
    channel.deliver()
    assert heard == EVENTS[:2]


def test_a_flood_keeps_the_latest_thousand() -> None:
    channel, heard = Channel(), list[Event]()
    channel.subscribe(heard.append)
    for number in range(1100):
        channel.put(RefreshStarted(str(number), blocking=False))
    channel.deliver()
    assert len(heard) == 1000
    assert heard[-1].role_arn == "1099"


def test_a_child_forgets_the_delivery_that_only_the_parents_thread_would_have_ended() -> None:
    channel, heard = Channel(), list[Event]()
    channel.subscribe(heard.append)
    channel._delivering.acquire()
    channel.put(EVENTS[0])
    channel.reset_after_fork()
    channel.put(EVENTS[1])
    channel.deliver()
    assert heard == EVENTS[1:2]


async def a_coroutine(event: Event) -> None:
    """Nobody would await it."""


@pytest.mark.parametrize("callback", [None, a_coroutine])
def test_what_cannot_be_called_with_an_event_is_refused_at_once(callback: Any) -> None:
    with pytest.raises(TypeError, match="takes a plain function of one event, and got"):
        Channel().subscribe(callback)


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    "raised", [SystemExit(3), asyncio.CancelledError(), UnspeakableError()], ids=repr
)
def test_whatever_one_subscriber_raises_the_others_hear_all(raised: BaseException) -> None:
    channel, heard = Channel(), list[Event]()

    def bad(_: Event) -> None:
        raise raised

    channel.subscribe(bad)
    channel.subscribe(heard.append)
    for event in EVENTS:
        channel.put(event)
    channel.deliver()
    assert heard == EVENTS


def test_a_keyboard_interrupt_is_the_users_own() -> None:
    channel = Channel()

    def interrupted(_: Event) -> None:
        raise KeyboardInterrupt

    channel.subscribe(interrupted)
    channel.put(EVENTS[0])
    with pytest.raises(KeyboardInterrupt):
        channel.deliver()


def test_a_subscriber_that_forks_leaves_the_child_a_channel_that_works() -> None:
    channel, heard = Channel(), list[Event]()

    def forked(_: Event) -> None:
        channel.reset_after_fork()

    unsubscribe = channel.subscribe(forked)
    channel.put(EVENTS[0])
    channel.deliver()
    unsubscribe()
    channel.subscribe(heard.append)
    channel.put(EVENTS[1])
    channel.deliver()
    assert heard == [EVENTS[1]]


def test_without_a_thread_to_deliver_on_events_wait_for_the_next_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel, heard = Channel(), list[Event]()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    channel.subscribe(heard.append)
    channel.deliver_apart()
    channel.put(EVENTS[0])
    channel.deliver_apart()
    assert not heard
    channel.deliver()
    assert heard == [EVENTS[0]]


# -- a flight that hangs ---------------------------------------------------------------------------


def hanging(here: Rig) -> list[Event]:
    """Let a flight for readers hang, and its readers be told; return what subscribers hear."""
    heard = list[Event]()
    here.channel.subscribe(heard.append)
    here.sts.hold.clear()
    flight = here.joined()
    eventually(lambda: here.sts.calls)
    here.clock.advance(flight.overdue_at - here.clock.now())
    with pytest.raises(RefreshTimeout):
        here.engine.look()
    eventually(lambda: len(heard) == 2)
    return heard


def test_a_flight_that_hangs_and_fails_is_told_as_failed_once() -> None:
    here = rig()
    here.sts.down = failure("AccessDenied", retryable=False)
    heard = hanging(here)
    here.finish()
    assert heard == [
        RefreshStarted(ROLE, blocking=True),
        RefreshFailed(ROLE, "RefreshTimeout", 1, 30 + OVERDUE_GRACE),
    ]


def test_what_it_brings_though_late_is_told_where_it_is_of_use() -> None:
    here = rig()
    heard = hanging(here)
    here.clock.advance(5)
    here.finish()
    expiration = here.served().credentials.expiration
    assert heard[2:] == [RefreshSucceeded(ROLE, 1, 35 + OVERDUE_GRACE, expiration)]


def test_what_it_brings_too_late_is_told_to_nobody() -> None:
    here = rig()
    heard = hanging(here)
    here.engine._accept(snapshot(lifetime=86_400), here.clock.now())
    here.finish()
    assert [type(event) for event in heard] == [RefreshStarted, RefreshFailed]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_attempt_that_hangs_has_its_own_number(
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    here, heard = rig(), list[Event]()
    here.channel.subscribe(heard.append)
    here.sts.script.append(failure())

    def overrun(seconds: float) -> None:
        # In the pause between two attempts: this thread is the flight's.
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
    eventually(lambda: len(heard) >= 3)
    assert [(each.code, each.attempt) for each in heard if isinstance(each, RefreshFailed)] == [
        ("ServiceUnavailable", 1),
        ("RefreshTimeout", 2),
    ]
