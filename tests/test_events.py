"""The way of events to subscribers."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from irsa_creds import Event, RefreshStarted, TokenRotated
from irsa_creds._channel import Channel
from kit import ROLE

if TYPE_CHECKING:
    import pytest

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
