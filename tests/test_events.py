"""The way of events to subscribers."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from irsa_creds import Event, RefreshStarted, TokenRotated
from irsa_creds._channel import Channel
from kit import ROLE

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
